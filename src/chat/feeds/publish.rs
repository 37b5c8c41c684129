//! Brings the news of this node to its own readers and to the other nodes.

use std::sync::Arc;

use tracing::error;

use super::hub::Hub;
use crate::bus::{Envelope, Payload, Topic, TracedOrigin, WireEvent};
use crate::chat::EncodedOnce;
use crate::chat::sequencer::{Input, SharedEvent};
use crate::domain::{Event, FeedId, Seq, Signal};

/// How many events one envelope carries.
const ENVELOPE_EVENTS_MAX: usize = 64;

/// Events of any number of feeds, in seq order per feed.
pub(super) fn committed(hub: &Arc<Hub>, mut events: Vec<Event>) {
    // Stable: the order within a feed stays.
    events.sort_by(|a, b| a.feed.cmp(&b.feed));
    let events: Vec<SharedEvent> = events.into_iter().map(|event| Arc::new(EncodedOnce::new(event))).collect();
    for of_feed in events.chunk_by(|a, b| a.what().feed == b.what().feed) {
        let feed = &of_feed[0].what().feed;
        if hub.history.is_suspect() {
            announce(hub, feed, of_feed);
            continue;
        }
        hub.give_all(feed, of_feed.iter().map(|event| Input::Event(Arc::clone(event))).collect());
        for some in of_feed.chunks(ENVELOPE_EVENTS_MAX) {
            publish_events(hub, feed, some);
        }
    }
}

/// A signal for those who read its conversation.
pub(super) fn signal(hub: &Hub, signal: Signal) {
    let feed = FeedId::Conversation(signal.conversation());
    let signal = EncodedOnce::new(signal);
    if let Some(held) = hub.held(&feed) {
        held.signal(&signal);
    }
    let payload = Payload::Signals(vec![signal.what().clone()]);
    publish(hub, Envelope::new(hub.history.epoch(), feed, Seq::ZERO, origin(hub), payload));
}

/// The seqs may be of another history: everybody reads the events from the store, which says so.
fn announce(hub: &Arc<Hub>, feed: &FeedId, events: &[SharedEvent]) {
    let head = head(events);
    hub.give(feed, Input::Head(head));
    let payload = Payload::Events(Vec::new());
    let envelope = Envelope::new(hub.history.epoch(), feed.clone(), head, origin(hub), payload);
    publish(hub, Envelope { payload: None, ..envelope });
}

fn publish_events(hub: &Hub, feed: &FeedId, events: &[SharedEvent]) {
    let packed: Result<Vec<_>, _> = events.iter().map(|event| WireEvent::pack(event.what())).collect();
    match packed {
        Ok(packed) => {
            let payload = Payload::Events(packed);
            publish(hub, Envelope::new(hub.history.epoch(), feed.clone(), head(events), origin(hub), payload));
        }
        Err(error) => error!(?feed, %error, "an event cannot be published: the other nodes find it by their poll"),
    }
}

fn publish(hub: &Hub, envelope: Envelope) {
    match envelope.encode() {
        Ok(bytes) => hub.parts.bus.publish(&Topic::from(&envelope.feed), bytes),
        Err(error) => error!(feed = ?envelope.feed, %error, "an envelope cannot be written"),
    }
}

fn head(events: &[SharedEvent]) -> Seq {
    events.last().map_or(Seq::ZERO, |event| event.what().seq)
}

fn origin(hub: &Hub) -> TracedOrigin {
    TracedOrigin { node: hub.parts.node.clone(), trace: None }
}
