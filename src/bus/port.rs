//! The port to the bus.
//!
//! To add a bus: 1. implement [`Bus`] in a file of its own; 2. add it to the contract suite in `tests/it/contract` and make
//! it pass; 3. name it in `app/backends.rs`, the only place that picks one.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::Topic;

/// Whether news arrives quickly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusState {
    /// Publishing works and the own probe comes back.
    Up,
    /// It does not, or a live peer is not heard: readers must ask the store more often.
    Degraded,
}

/// What the bus tells the node. Delivered through one bounded queue; what does not fit becomes a [`BusEvent::Gap`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusEvent {
    /// Something arrived, from this node or another. May be doubled, late or out of order; the bytes are anybody's who may publish there.
    Message(Topic, Bytes),
    /// These topics are live from now on: what is published after this arrives, what was published before may be missing.
    /// Never lost: each [`Bus::subscribe`] that is not taken back is answered by at least one that names its topic.
    Subscribed(Vec<Topic>),
    /// Anything on any topic may be missing: reconnected, lagged, overflowed, or a peer is heard again. Comes after the last loss.
    Gap,
    /// The state changed; of several changes that found the queue full only the last is told.
    State(BusState),
}

/// At-most-once fan-out between nodes. All methods return at once; work goes on inside, bounded and with deadlines.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Hands a message over for publishing. It is tried again for a short while when that fails, then dropped and counted: the store heals it.
    fn publish(&self, topic: &Topic, message: Bytes);

    /// Wants this topic; [`BusEvent::Subscribed`] follows when it is live, at once when it still is. Asking twice is harmless.
    /// Messages that arrive before that are handed over too.
    fn subscribe(&self, topic: &Topic);

    /// No longer wants this topic: nothing that arrives on it from now on is handed over. The server is told some seconds
    /// later, so that a reader who comes back does not churn.
    fn unsubscribe(&self, topic: &Topic);

    /// The names of the peers that should be heard (from the store's `nodes`; this node's own may be among them): one that is
    /// missed makes the bus degraded. Replaces the names given before.
    fn expect_peers(&self, peers: Vec<crate::domain::NodeId>);

    /// Takes the one receiver of [`BusEvent`]s; `None` the second time.
    fn take_events(&self) -> Option<mpsc::Receiver<BusEvent>>;

    /// The state now.
    fn state(&self) -> BusState;

    /// Publishes what is queued, as far as a short deadline allows, and closes the connections. The bus is degraded from then
    /// on, its methods do nothing, and the events end when it is dropped.
    async fn close(&self);
}
