//! Where the core's news goes: the only way up from a commit to those who read.

use crate::domain::{Event, Signal};

/// Takes what is committed, for the readers of this node and of the others. Implemented by the feeds; tests listen in by another one.
///
/// Both methods return at once and keep the order they are called in per feed. What is told twice is heard once.
pub trait News: Send + Sync {
    /// These events are committed: of any number of feeds, in seq order per feed.
    fn committed(&self, events: Vec<Event>);

    /// Worth telling now to those who read the signal's conversation.
    fn signal(&self, signal: Signal);
}
