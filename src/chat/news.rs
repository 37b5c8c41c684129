//! Where the core's news goes: the only way up from a commit to those who read.

use crate::domain::{Event, Signal};

/// Takes what is committed, for the readers of this node and of the others. [`super::Feeds`] is one; the tests of the core listen by another.
///
/// Both methods return at once and keep the order they are called in per feed. What is told twice is heard once.
pub trait News: Send + Sync {
    /// These events are committed: of any number of feeds, in seq order per feed.
    fn committed(&self, events: Vec<Event>);

    /// Worth telling now to those who read the signal's conversation.
    fn signal(&self, signal: Signal);
}

impl News for super::Feeds {
    fn committed(&self, events: Vec<Event>) {
        Self::committed(self, events);
    }

    fn signal(&self, signal: Signal) {
        Self::signal(self, signal);
    }
}
