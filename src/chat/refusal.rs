//! How what went wrong below is told to the one who asked: the only place where a store's error becomes a client's.

use tracing::{error, warn};

use crate::domain::ChatError;
use crate::store::StoreError;

/// When a client may try again after the store failed, in milliseconds.
pub(super) const RETRY_AFTER_MS: u64 = 1_000;

/// Tells the log what happened and the client what it may know of it. `doing` is a gerund: "reading members".
pub(super) fn refusal(doing: &'static str, error: &StoreError) -> ChatError {
    match error {
        StoreError::Unavailable(_) | StoreError::Busy(_) => {
            warn!(doing, %error, "store gave no answer while {doing}");
            ChatError::unavailable(RETRY_AFTER_MS)
        }
        StoreError::Refused(_) => {
            warn!(doing, %error, "store refused {doing}");
            ChatError::invalid("names somebody or something that does not exist")
        }
        StoreError::Defect(_) => {
            error!(doing, %error, "defect while {doing}");
            ChatError::internal()
        }
    }
}
