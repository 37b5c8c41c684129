//! `/conversations/{id}/members`: who is in it, and as what.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::{ErrorBody, Problem};
use super::extract::{Body, Caller, Params, PathId};
use super::page::{List, ListQuery};
use super::state::RestState;
use crate::domain::{Actor, ChatError, Command, ConversationId, Member, Reply, Role, UserId};

/// Whom to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddBody {
    #[schema(value_type = String)]
    user_id: UserId,
    /// member unless said otherwise
    role: Option<Role>,
}

/// The new role.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RoleBody {
    role: Role,
}

/// The user in the path: an id, or `me`.
fn named(text: &str, caller: &UserId) -> Result<UserId, ChatError> {
    if text == "me" { Ok(caller.clone()) } else { UserId::parse(text).map_err(|_| ChatError::not_found()) }
}

/// The members in order of joining
#[utoipa::path(get, path = "/conversations/{id}/members", tag = "members", security(("token" = [])),
    params(("id" = String, Path, description = "Conversation id"), ListQuery),
    responses((status = 200, body = List<Member>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn list(
    State(state): State<RestState>,
    Caller(user): Caller,
    PathId(id): PathId<ConversationId>,
    Params(query): Params<ListQuery>,
) -> Result<Json<List<Member>>, Problem> {
    Ok(Json(state.chat.members(&user, id, &query.page()?).await?.into()))
}

/// Add somebody
///
/// Adding a member again answers 200 and writes no event.
#[utoipa::path(post, path = "/conversations/{id}/members", tag = "members", security(("token" = [])), request_body = AddBody,
    params(("id" = String, Path, description = "Conversation id")),
    responses((status = 201, body = Member), (status = 200, description = "Was a member already", body = Member), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn add(
    State(state): State<RestState>,
    Caller(caller): Caller,
    PathId(conversation): PathId<ConversationId>,
    Body(body): Body<AddBody>,
) -> Result<(StatusCode, Json<Member>), Problem> {
    let user = body.user_id;
    let command = Command::AddMember { conversation, user: user.clone(), role: body.role.unwrap_or(Role::Member) };
    let reply = state.chat.submit(Actor::rest(caller.clone()), command).await?;
    let status = if reply == Reply::Unchanged { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(state.chat.member(&caller, conversation, &user).await?)))
}

/// Change somebody's role
#[utoipa::path(patch, path = "/conversations/{id}/members/{userId}", tag = "members", security(("token" = [])), request_body = RoleBody,
    params(("id" = String, Path, description = "Conversation id"), ("userId" = String, Path, description = "User id, or me")),
    responses((status = 200, body = Member), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn set_role(
    State(state): State<RestState>,
    Caller(caller): Caller,
    PathId((conversation, user)): PathId<(ConversationId, String)>,
    Body(body): Body<RoleBody>,
) -> Result<Json<Member>, Problem> {
    let user = named(&user, &caller)?;
    let command = Command::SetRole { conversation, user: user.clone(), role: body.role };
    state.chat.submit(Actor::rest(caller.clone()), command).await?;
    Ok(Json(state.chat.member(&caller, conversation, &user).await?))
}

/// Remove somebody, or leave
#[utoipa::path(delete, path = "/conversations/{id}/members/{userId}", tag = "members", security(("token" = [])),
    params(("id" = String, Path, description = "Conversation id"), ("userId" = String, Path, description = "User id, or me: leaving")),
    responses((status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn remove(
    State(state): State<RestState>,
    Caller(caller): Caller,
    PathId((conversation, user)): PathId<(ConversationId, String)>,
) -> Result<StatusCode, Problem> {
    let user = named(&user, &caller)?;
    state.chat.submit(Actor::rest(caller), Command::RemoveMember { conversation, user }).await?;
    Ok(StatusCode::NO_CONTENT)
}
