//! What the REST door needs, and nothing else.

use std::sync::Arc;

use crate::auth::{ServiceKeys, Verifier};
use crate::chat::Chat;

/// The door's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestSettings {
    /// Bytes of a request's body; beyond: `too_large`.
    pub body_bytes_max: usize,
}

/// What every handler is given. Cheap to clone.
#[derive(Clone)]
pub struct RestState {
    /// The core.
    pub chat: Chat,
    /// Tells whose token it is.
    pub verifier: Arc<Verifier>,
    /// The keys of trusted backends.
    pub service_keys: Arc<ServiceKeys>,
    /// The door's settings.
    pub settings: RestSettings,
}
