//! What a session is told about itself.

use serde::Serialize;

use crate::domain::{Epoch, NodeId, SessionId, Timestamp, UserId};

/// Limits that a client does well to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionLimits {
    /// `limits.message_bytes`.
    pub message_bytes: u64,
    /// `limits.attachment_bytes`.
    pub attachment_bytes: u64,
    /// `limits.messages_per_10s`.
    #[serde(rename = "messagesPer10s")]
    pub messages_per_10s: u32,
}

/// Why a session was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RevokedBecause {
    /// The user logged it out.
    Logout,
    /// The password changed.
    Password,
    /// Somebody took the right away.
    Revoked,
    /// The user is banned.
    Banned,
}

/// What a session is told about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// It is connected: the first thing it hears.
    Ready {
        /// Whose session it is.
        user: UserId,
        /// Its id.
        session: SessionId,
        /// The node that serves it.
        node: NodeId,
        /// The history that all seqs are of.
        epoch: Epoch,
        /// The node's clock.
        server_time: Timestamp,
        /// What it may do.
        limits: SessionLimits,
    },
    /// Its token ends soon.
    Expiring {
        /// When.
        expires_at: Timestamp,
    },
    /// Its node is going away.
    Drain {
        /// When it will be closed, in milliseconds.
        reconnect_in_ms: u64,
    },
    /// Its token counts no longer.
    Revoked {
        /// Why.
        reason: RevokedBecause,
    },
}
