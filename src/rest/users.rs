//! `/users`: profiles.

use axum::Json;
use axum::extract::State;

use super::error::{ErrorBody, Problem};
use super::extract::{Caller, PathId};
use super::state::RestState;
use crate::domain::{Profile, UserId};

/// The caller's own profile
#[utoipa::path(get, path = "/users/me", tag = "users", security(("token" = [])),
    responses((status = 200, body = Profile), (status = 401, body = ErrorBody)))]
pub async fn me(State(state): State<RestState>, Caller(user): Caller) -> Result<Json<Profile>, Problem> {
    profile(&state, &user).await
}

/// Somebody's public profile
#[utoipa::path(get, path = "/users/{id}", tag = "users", security(("token" = [])),
    params(("id" = String, Path, description = "User id")),
    responses((status = 200, body = Profile), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn user(
    State(state): State<RestState>,
    _: Caller,
    PathId(id): PathId<UserId>,
) -> Result<Json<Profile>, Problem> {
    profile(&state, &id).await
}

async fn profile(state: &RestState, id: &UserId) -> Result<Json<Profile>, Problem> {
    Ok(Json(state.chat.user(id).await?))
}
