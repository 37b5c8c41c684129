//! What a command is answered with.

use super::{ConversationChange, Event, Message, Watermarks};

/// A message that is in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The message as it was first accepted (with its present words).
    pub message: Message,
    /// Whether an earlier attempt with the same clientId had put it there.
    pub duplicate: bool,
}

/// The answer to a [`super::Command`] that was carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// To a send.
    Sent(Box<Sent>),
    /// To a creation.
    Conversation(Box<ConversationChange>),
    /// To a change of members or of the conversation: the event that tells of it.
    Changed(Box<Event>),
    /// What was asked for is so already; nothing was written.
    Unchanged,
    /// To a receipt: where the watermarks are now.
    Watermarks(Watermarks),
}
