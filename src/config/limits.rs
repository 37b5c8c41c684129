//! Section `limits`: how much is too much.

use serde::{Deserialize, Serialize};

/// How much is too much.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// `ROOKERY__LIMITS__ENABLED`: false switches the rates, `sessions_per_user` and `connects_per_s` off.
    pub enabled: bool,
    /// `ROOKERY__LIMITS__MESSAGES_PER_10S`: per session. ≥ 1.
    pub messages_per_10s: u32,
    /// `ROOKERY__LIMITS__COMMANDS_PER_10S`: per session. ≥ 1.
    pub commands_per_10s: u32,
    /// `ROOKERY__LIMITS__FRAMES_PER_S`: per session. ≥ 1.
    pub frames_per_s: u32,
    /// `ROOKERY__LIMITS__SESSIONS_PER_USER`: on this node; 0 = no cap.
    pub sessions_per_user: u32,
    /// `ROOKERY__LIMITS__SESSIONS_PER_NODE`: 0 = no cap.
    pub sessions_per_node: u32,
    /// `ROOKERY__LIMITS__CONNECTS_PER_S`: of this node; 0 = no cap.
    pub connects_per_s: u32,
    /// `ROOKERY__LIMITS__MESSAGE_BYTES`: of a message's content. 1–`frame_bytes`.
    pub message_bytes: u32,
    /// `ROOKERY__LIMITS__FRAME_BYTES`: of a request body or a whole WebSocket message. 1024–16777216.
    pub frame_bytes: u32,
    /// `ROOKERY__LIMITS__ATTACHMENT_BYTES`: of one upload; told to clients.
    pub attachment_bytes: u64,
}
