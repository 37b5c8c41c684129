//! Who reads feeds: the side that the doors show to the core.

use std::sync::OnceLock;

use bytes::Bytes;

use super::Attachments;
use crate::domain::{Event, SessionId, Signal, UserId};

/// How many vocabularies a node can encode for.
pub const FRAME_SLOTS: usize = 8;

/// A thing on its way to many readers, encoded at most once per vocabulary and node.
#[derive(Debug)]
pub struct EncodedOnce<T> {
    what: T,
    frames: [OnceLock<Option<Bytes>>; FRAME_SLOTS],
}

impl<T> EncodedOnce<T> {
    /// Wraps it; nothing is encoded yet.
    pub fn new(what: T) -> Self {
        Self { what, frames: std::array::from_fn(|_| OnceLock::new()) }
    }

    /// The thing itself.
    pub const fn what(&self) -> &T {
        &self.what
    }

    /// The bytes for the vocabulary in this slot (< [`FRAME_SLOTS`]); `encode` runs for the first reader only. `None`: that vocabulary has no word for it.
    pub fn frame(&self, slot: usize, encode: impl FnOnce(&T) -> Option<Bytes>) -> Option<&Bytes> {
        self.frames[slot].get_or_init(|| encode(&self.what)).as_ref()
    }
}

/// A session as the core sees it. Implemented by the gateway.
///
/// All methods are called while a feed is locked: they must neither block nor call back into the core.
pub trait Reader: Send + Sync {
    /// Which session.
    fn session(&self) -> SessionId;

    /// Whose.
    fn user(&self) -> &UserId;

    /// What it is attached to: a [`Attachments::default`] that lives as long as the session. Call [`super::Feeds::detach_all`] when that ends.
    fn attachments(&self) -> &Attachments;

    /// The next event of a feed that this session is attached to: each exactly once, in order.
    fn event(&self, event: &EncodedOnce<Event>);

    /// A signal of a conversation that this session is attached to. May be dropped.
    fn signal(&self, signal: &EncodedOnce<Signal>);

    /// The core can no longer keep this session exact (its queue of held events overflowed, or the store's history changed): close its transport, so that it comes back with its cursor.
    fn lost_track(&self);
}
