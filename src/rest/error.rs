//! How a refusal looks over HTTP.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{ChatError, ErrorCode, InvalidId};

/// A refusal on its way out; every handler's error.
#[derive(Debug)]
pub struct Problem(pub ChatError);

/// The body of every answer that is not 2xx.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ErrorDetail {
    /// What a program looks at: unauthorized, forbidden, not_found, invalid, conflict, rate_limited, too_large, unavailable, internal
    code: &'static str,
    /// What a person reads
    message: String,
    /// Milliseconds until a retry may help
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl<E: Into<ChatError>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// Says which field an id was for.
pub fn field(name: &'static str) -> impl Fn(InvalidId) -> ChatError {
    move |error| ChatError::invalid(format!("{name}: {error}"))
}

const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Invalid => StatusCode::BAD_REQUEST,
        ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let ChatError { code, message, retry_after_ms } = self.0;
        let detail = ErrorDetail { code: code.as_str(), message, retry_after_ms };
        let mut response = (status(code), Json(ErrorBody { error: detail })).into_response();
        if let Some(ms) = retry_after_ms {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
        }
        if code == ErrorCode::Unauthorized {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
