//! Drives a sequencer per feed: the only way from a commit to those who read.

mod attach;
mod seating;

mod hub;

mod feed;
mod heads;
mod history;
mod listen;
mod pages;
mod points;
mod poll;
mod publish;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use attach::{AttachAsk, Attached, Attachments, Backfill, Budget, Ticket};

use self::history::History;
use self::hub::Hub;
use self::points::Points;
use super::Reader;
use super::sequencer::Input;
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
    /// Seeds the jitter of polls and retries; another one on every node.
    pub seed: u64,
    /// Waits for the tasks that the feeds start.
    pub tracker: TaskTracker,
    /// Ends them.
    pub shutdown: CancellationToken,
}

/// All feeds that sessions of this node read. Cheap to clone.
#[derive(Clone)]
pub struct Feeds(Arc<Hub>);

impl Feeds {
    /// Reads where the store's history is, and starts listening to the bus and polling the store.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn start(parts: FeedsParts) -> Result<Self, StoreError> {
        let epoch = parts.store.epoch().await?;
        let history = History::new(Arc::clone(&parts.store), epoch);
        // Before the first attach: what is committed from here on is found by the poll.
        let since = history.read(|store| store.changes(None)).await?.next;
        let (points, asks) = Points::new();
        let hub = Arc::new(Hub::new(parts, history, points));
        hub.spawn(poll::run(Arc::clone(&hub), since));
        hub.spawn(points::run(Arc::clone(&hub), asks));
        hub.spawn(heads::run(Arc::clone(&hub)));
        if let Some(news) = hub.parts.bus.take_events() {
            hub.spawn(listen::run(Arc::clone(&hub), news));
        }
        Ok(Self(hub))
    }

    /// The history that all seqs of this node belong to.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.0.history.epoch()
    }

    /// Attaches a reader to a feed; a repeated attach is detach and attach. Answers within a few seconds, whatever the store does. Ask for many feeds at
    /// once (concurrently, with one [`Budget`]): their reads are merged. A dropped future detaches.
    pub async fn attach(&self, reader: &Arc<dyn Reader>, ask: AttachAsk) -> Attached {
        seating::attach(&self.0, reader, ask).await
    }

    /// The answer is written: from now on the reader hears the feed, first what was held for it. A ticket that a later attach of the same session
    /// and feed has replaced does nothing.
    pub fn go_live(&self, ticket: Ticket) {
        self.0.give(&ticket.feed, Input::GoLive(ticket.id));
    }

    /// Whether the reader reads this feed, or is about to. Stays true for a feed that its user has been removed from since.
    pub fn reads(&self, reader: &dyn Reader, feed: &FeedId) -> bool {
        reader.attachments().holds(feed)
    }

    /// The reader no longer reads this feed.
    pub fn detach(&self, reader: &dyn Reader, feed: &FeedId) {
        // In this order: an attach that ends in between is at worst listed without a seat.
        reader.attachments().strike(feed);
        self.0.give(feed, Input::Detach(reader.session()));
    }

    /// The session has ended: it reads nothing any more, and attaches that are under way come to nothing. For good.
    pub fn detach_all(&self, reader: &dyn Reader) {
        for feed in reader.attachments().close() {
            self.0.give(&feed, Input::Detach(reader.session()));
        }
    }

    /// These events are committed: of any number of feeds, in seq order per feed. Readers of this node hear them before this returns, the other nodes
    /// by the bus.
    pub fn committed(&self, events: Vec<Event>) {
        publish::committed(&self.0, events);
    }

    /// Worth telling now to those who read the signal's conversation, here and on the other nodes.
    pub fn signal(&self, signal: Signal) {
        publish::signal(&self.0, signal);
    }
}
