//! What a request is taken apart into: who asks, which thing, which body.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::Problem;
use super::state::RestState;
use crate::auth::bearer;
use crate::domain::{ChatError, ErrorCode, UserId};

/// A user with a valid token.
pub struct Caller(pub UserId);

/// A backend with a service key.
pub struct ServiceCaller;

/// A JSON body, read within the door's bound; what does not fit names its field.
pub struct Body<T>(pub T);

/// Query parameters; what does not fit is `invalid`.
pub struct Params<T>(pub T);

/// An id in the path; what is no id names nothing: `not_found`.
pub struct PathId<T>(pub T);

fn unauthorized(message: &str) -> Problem {
    Problem(ChatError::new(ErrorCode::Unauthorized, message))
}

/// What the `Authorization` header holds, bare or behind `Bearer`.
fn authorization(parts: &Parts) -> Result<&str, Problem> {
    let header = parts.headers.get(AUTHORIZATION).ok_or_else(|| unauthorized("a token is needed"))?;
    let text = header.to_str().map_err(|_| unauthorized("the Authorization header is not text"))?;
    Ok(bearer(text))
}

impl FromRequestParts<RestState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, Problem> {
        let identity = state.verifier.verify(authorization(parts)?)?;
        let user = identity.user().clone();
        state.chat.welcome(identity.profile).await?;
        Ok(Self(user))
    }
}

impl FromRequestParts<RestState> for ServiceCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, Problem> {
        if state.service_keys.accept(authorization(parts)?) {
            Ok(Self)
        } else {
            Err(unauthorized("the service key does not count"))
        }
    }
}

impl<T: DeserializeOwned> FromRequest<RestState> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &RestState) -> Result<Self, Problem> {
        // The bound itself is a layer of the router: it turns away by the header before it reads.
        let bytes =
            Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status().as_u16() {
                413 => ChatError::new(ErrorCode::TooLarge, "the body is too large"),
                _ => ChatError::invalid("the body could not be read"),
            })?;
        let mut json = serde_json::Deserializer::from_slice(if bytes.is_empty() { b"{}" } else { &bytes });
        let value =
            serde_path_to_error::deserialize(&mut json).map_err(|error| match error.path().to_string().as_str() {
                "." => ChatError::invalid(error.inner().to_string()),
                path => ChatError::invalid(format!("{path}: {}", error.inner())),
            })?;
        json.end().map_err(|_| ChatError::invalid("there is something behind the JSON body"))?;
        Ok(Self(value))
    }
}

impl<T: DeserializeOwned> FromRequestParts<RestState> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(value)| Self(value)).map_err(|rejection| ChatError::invalid(rejection.body_text()).into())
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<RestState> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value)).map_err(|_| ChatError::not_found().into())
    }
}
