//! Takes what the bus brings to the feeds concerned.

use std::sync::Arc;

use smallvec::SmallVec;
use tokio::sync::mpsc;
use tracing::warn;

use super::hub::Hub;
use crate::bus::{BusEvent, Envelope, Payload, Topic};
use crate::chat::EncodedOnce;
use crate::chat::sequencer::Input;
use crate::domain::{FeedId, Signal};
use crate::telemetry::metrics;

/// Listens until the bus closes or the shutdown.
pub(super) async fn run(hub: Arc<Hub>, mut events: mpsc::Receiver<BusEvent>) {
    while let Some(event) = events.recv().await {
        match event {
            BusEvent::Message(topic, bytes) => message(&hub, &topic, &bytes),
            BusEvent::Subscribed(topics) => hub.heads.want(topics.iter().filter_map(feed_of)),
            BusEvent::Gap => hub.heads.want(hub.all_held()),
            // The poll goes by the state of the bus: it asks at once, and then in the new rhythm.
            BusEvent::State(_) => hub.history.poll_soon.notify_one(),
        }
    }
}

fn feed_of(topic: &Topic) -> Option<FeedId> {
    match topic {
        Topic::Conversation(id) => Some(FeedId::Conversation(*id)),
        Topic::User(id) => Some(FeedId::User(id.clone())),
        Topic::Node(_) | Topic::All => None,
    }
}

fn message(hub: &Arc<Hub>, topic: &Topic, bytes: &[u8]) {
    let Some(feed) = feed_of(topic).filter(|feed| hub.held(feed).is_some()) else { return };
    match Envelope::decode(bytes) {
        Ok(envelope) if envelope.feed == feed => open(hub, envelope),
        Ok(_) | Err(_) => {
            metrics::envelope_unreadable();
            warn!(?feed, "an envelope could not be read: its feed is checked instead");
            hub.heads.want([feed]);
        }
    }
}

fn open(hub: &Arc<Hub>, envelope: Envelope) {
    if envelope.origin.node == hub.parts.node {
        return;
    }
    if envelope.epoch != hub.history.epoch() {
        hub.history.suspect();
        return;
    }
    match envelope.payload {
        Some(Payload::Signals(signals)) => tell(hub, &envelope.feed, signals),
        Some(Payload::Events(_)) | None if hub.history.is_suspect() => {
            hub.give(&envelope.feed, Input::Head(envelope.head));
        }
        Some(Payload::Events(events)) => {
            let events = events.into_iter().map(|event| event.unpack(&envelope.feed));
            let mut inputs: SmallVec<_> = events.map(|event| Input::Event(Arc::new(EncodedOnce::new(event)))).collect();
            inputs.push(Input::Head(envelope.head));
            hub.give_all(&envelope.feed, inputs);
        }
        // A newer node speaks: its events are read from the store.
        None => hub.give(&envelope.feed, Input::Head(envelope.head)),
    }
}

fn tell(hub: &Arc<Hub>, feed: &FeedId, signals: Vec<Signal>) {
    let Some(feed) = hub.held(feed) else { return };
    for signal in signals {
        feed.signal(&EncodedOnce::new(signal));
    }
}
