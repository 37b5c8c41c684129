//! Drives a sequencer per feed: the only way from a commit to those who read.

#[cfg_attr(not(test), expect(dead_code, reason = "the sequencers that use the rest come with the next commit"))]
mod attach;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use attach::{AttachAsk, Attached, Attachments, Backfill, Budget, Ticket};

use super::Reader;
use crate::bus::Bus;
use crate::domain::{Clock, Epoch, Event, FeedId, NodeId, Signal};
use crate::store::{LogStore, StoreError};

/// What the feeds are made of.
pub struct FeedsParts {
    /// The name of this node: the origin of what it publishes.
    pub node: NodeId,
    /// The truth.
    pub store: Arc<dyn LogStore>,
    /// The accelerator. Its events are taken by the feeds.
    pub bus: Arc<dyn Bus>,
    /// The time shown in events, to measure how long they took to be visible.
    pub clock: Arc<dyn Clock>,
    /// Waits for the tasks that the feeds start.
    pub tracker: TaskTracker,
    /// Ends them.
    pub shutdown: CancellationToken,
}

/// All feeds that sessions of this node read. Cheap to clone.
#[derive(Clone)]
pub struct Feeds(#[expect(dead_code, reason = "the tasks that use it come with the next commit")] Arc<FeedsParts>);

impl Feeds {
    /// Reads where the store's history is, and starts listening to the bus and polling the store.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn start(parts: FeedsParts) -> Result<Self, StoreError> {
        Ok(Self(Arc::new(parts)))
    }

    /// The history that all seqs of this node belong to.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        Epoch::from_uuid(uuid::Uuid::nil())
    }

    /// Attaches a reader to a feed; a repeated attach is detach and attach. Answers within a few seconds, whatever the store does. Ask for many feeds at
    /// once (concurrently, with one [`Budget`]): their reads are merged. A dropped future detaches.
    pub async fn attach(&self, _reader: &Arc<dyn Reader>, _ask: AttachAsk) -> Attached {
        Attached::Unavailable
    }

    /// The answer is written: from now on the reader hears the feed, first what was held for it. A ticket that a later attach of the same session
    /// and feed has replaced does nothing.
    pub fn go_live(&self, _ticket: Ticket) {}

    /// The reader no longer reads this feed.
    pub fn detach(&self, reader: &dyn Reader, feed: &FeedId) {
        reader.attachments().strike(feed);
    }

    /// The session has ended: it reads nothing any more, and attaches that are under way come to nothing. For good.
    pub fn detach_all(&self, reader: &dyn Reader) {
        reader.attachments().close();
    }

    /// These events are committed: of any number of feeds, in seq order per feed. Readers of this node hear them before this returns, the other nodes
    /// by the bus.
    pub fn committed(&self, _events: Vec<Event>) {}

    /// Worth telling now to those who read the signal's conversation, here and on the other nodes.
    pub fn signal(&self, _signal: Signal) {}
}
