//! How a command or a query is refused.

use super::InvalidId;

/// The stable name of a refusal; what a client's program looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// No token, or one that does not count.
    Unauthorized,
    /// The role does not allow it.
    Forbidden,
    /// No such thing, or not the caller's.
    NotFound,
    /// The request is malformed.
    Invalid,
    /// The present state does not allow it.
    Conflict,
    /// Too many.
    RateLimited,
    /// Too many bytes.
    TooLarge,
    /// Not now: whether it happened is unknown, and a retry with the same clientId is safe.
    Unavailable,
    /// Our fault.
    Internal,
}

impl ErrorCode {
    /// The code as clients see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate_limited",
            Self::TooLarge => "too_large",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// A refusal: code and public text. Causes stay in the log, where they were met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub struct ChatError {
    /// What a program looks at.
    pub code: ErrorCode,
    /// What a person reads; never holds secrets or words of others.
    pub message: String,
    /// When a retry may help, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl ChatError {
    /// A refusal without a hint when to retry.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None }
    }

    /// The request is malformed: `message` names the field and the rule.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Invalid, message)
    }

    /// No such thing, or not the caller's: the same words for both.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, "no such thing, or not yours")
    }

    /// The role does not allow it.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::new(ErrorCode::Forbidden, "your role does not allow this")
    }

    /// Whether it happened is unknown: retry with the same clientId.
    #[must_use]
    pub fn unavailable(retry_after_ms: u64) -> Self {
        Self {
            code: ErrorCode::Unavailable,
            message: "not known whether it happened: try again with the same clientId".into(),
            retry_after_ms: Some(retry_after_ms),
        }
    }

    /// Our fault; the log knows more.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(ErrorCode::Internal, "internal error")
    }
}

impl From<InvalidId> for ChatError {
    fn from(error: InvalidId) -> Self {
        Self::invalid(error.0)
    }
}
