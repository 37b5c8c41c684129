//! The transport's HTTP responses, refusals in Engine.IO's words first of all.

use axum::body::Body;
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

/// Why a request is refused; the official codes, and the two answers of a node that is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    TransportUnknown,
    SidUnknown,
    BadMethod,
    BadRequest,
    Forbidden,
    Version,
    /// A POST larger than a frame may be.
    TooLarge,
    /// A body that does not come.
    Timeout,
    /// This node takes no (more) connections now.
    Unavailable,
}

impl Refused {
    /// The official code; the rest are bad requests to a client that reads no status.
    fn code(self) -> u8 {
        match self {
            Self::TransportUnknown => 0,
            Self::SidUnknown => 1,
            Self::BadMethod => 2,
            Self::BadRequest | Self::TooLarge | Self::Timeout | Self::Unavailable => 3,
            Self::Forbidden => 4,
            Self::Version => 5,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::TransportUnknown => "Transport unknown",
            Self::SidUnknown => "Session ID unknown",
            Self::BadMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::Version => "Unsupported protocol version",
            Self::TooLarge => "Payload too large",
            Self::Timeout => "Request timeout",
            Self::Unavailable => "Service unavailable",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::TransportUnknown | Self::SidUnknown | Self::BadMethod | Self::BadRequest | Self::Version => {
                StatusCode::BAD_REQUEST
            }
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The word for metrics.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::TransportUnknown => "transport_unknown",
            Self::SidUnknown => "sid_unknown",
            Self::BadMethod => "bad_method",
            Self::BadRequest => "bad_request",
            Self::Forbidden => "forbidden",
            Self::Version => "version",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
        }
    }

    pub(super) fn response(self) -> Response<Body> {
        let body = format!("{{\"code\":{},\"message\":\"{}\"}}", self.code(), self.message());
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self {
            Self::Unavailable => headers.insert(RETRY_AFTER, HeaderValue::from_static("1")),
            // The rest of such a body is not read.
            Self::TooLarge | Self::Timeout => headers.insert(CONNECTION, HeaderValue::from_static("close")),
            Self::TransportUnknown
            | Self::SidUnknown
            | Self::BadMethod
            | Self::BadRequest
            | Self::Forbidden
            | Self::Version => None,
        };
        response
    }
}

/// A successful response of long-polling.
pub(super) fn text(body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
