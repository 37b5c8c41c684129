//! What a request is taken apart into: who asks, which thing, which body.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::error::Problem;
use super::state::RestState;
use crate::auth::bearer;
use crate::domain::{ChatError, ErrorCode, UserId};

/// How many times its bound a body may be before its sender is cut off.
const DISCARD_FACTOR: usize = 4;

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

/// The whole body. One that is too large is read a while longer and thrown away: a connection closed in the middle of it would take the refusal with it.
async fn read_bounded(body: axum::body::Body, bytes_max: usize) -> Result<Vec<u8>, ChatError> {
    let (mut stream, mut bytes, mut total) = (body.into_data_stream(), Vec::new(), 0_usize);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| ChatError::invalid("the body could not be read"))?;
        total = total.saturating_add(chunk.len());
        if total <= bytes_max {
            bytes.extend_from_slice(&chunk);
        } else if total > bytes_max.saturating_mul(DISCARD_FACTOR) {
            break;
        }
    }
    if total > bytes_max {
        return Err(ChatError::new(ErrorCode::TooLarge, format!("the body is larger than {bytes_max} bytes")));
    }
    Ok(bytes)
}

impl<T: DeserializeOwned> FromRequest<RestState> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &RestState) -> Result<Self, Problem> {
        let bytes = read_bounded(request.into_body(), state.settings.body_bytes_max).await?;
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
