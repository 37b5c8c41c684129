//! Hands what the bus has heard to the node through one bounded queue, and turns what does not fit into a gap.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use super::fate::Fate;
use super::{BusEvent, BusState, Topic};
use crate::telemetry::metrics as metric;

/// How many events wait for the node: a third of a second at 50,000 messages a second, and about a MiB of slots when full (they are allocated as they are used).
const EVENTS_MAX: usize = 16_384;

/// The sending side of the node's one queue of [`BusEvent`]s.
///
/// A message that finds the queue full is dropped, and so are those after it until a [`BusEvent::Gap`] has been queued
/// behind the last loss. Subscriptions and states are never dropped: they wait for room here.
#[derive(Debug)]
pub(super) struct Handover {
    tx: mpsc::Sender<BusEvent>,
    late: Mutex<Late>,
    something_late: Notify,
    received: metrics::Counter,
}

/// What waits for room in the queue.
#[derive(Debug, Default)]
struct Late {
    state: Option<BusState>,
    subscribed: Vec<Topic>,
    gap: bool,
    /// A message that a fault of a test holds back until the next has passed.
    held: Option<(Topic, Bytes)>,
}

impl Late {
    const fn is_empty(&self) -> bool {
        self.state.is_none() && self.subscribed.is_empty() && !self.gap
    }

    /// The gap comes last: everything lost while the queue was full lies before it.
    fn next(&mut self) -> Option<BusEvent> {
        if let Some(state) = self.state.take() {
            return Some(BusEvent::State(state));
        }
        if !self.subscribed.is_empty() {
            return Some(BusEvent::Subscribed(std::mem::take(&mut self.subscribed)));
        }
        std::mem::take(&mut self.gap).then_some(BusEvent::Gap)
    }
}

impl Handover {
    /// The queue: both ends.
    pub fn new() -> (Arc<Self>, mpsc::Receiver<BusEvent>) {
        let (tx, rx) = mpsc::channel(EVENTS_MAX);
        let received = metric::bus_received();
        (Arc::new(Self { tx, late: Mutex::default(), something_late: Notify::new(), received }), rx)
    }

    /// Something arrived.
    pub fn message(&self, topic: Topic, message: Bytes, fate: Fate) {
        let mut late = self.late.lock();
        match fate {
            Fate::Delivered => self.offer(&mut late, topic, message),
            Fate::Dropped => {}
            Fate::Doubled => {
                self.offer(&mut late, topic.clone(), message.clone());
                self.offer(&mut late, topic, message);
            }
            Fate::Held => {
                if let Some((topic, message)) = late.held.replace((topic, message)) {
                    self.offer(&mut late, topic, message);
                }
                return;
            }
        }
        if let Some((topic, message)) = late.held.take() {
            self.offer(&mut late, topic, message);
        }
    }

    fn offer(&self, late: &mut Late, topic: Topic, message: Bytes) {
        if !late.is_empty() || self.tx.try_send(BusEvent::Message(topic, message)).is_err() {
            metric::bus_lagged(1);
            late.gap = true;
            self.something_late.notify_one();
            return;
        }
        self.received.increment(1);
    }

    /// These topics are live.
    pub fn subscribed(&self, topics: Vec<Topic>) {
        if topics.is_empty() {
            return;
        }
        self.later(|late| late.subscribed.extend(topics));
    }

    /// Anything may have been missed.
    pub fn gap(&self) {
        metric::bus_gaps(1);
        self.later(|late| late.gap = true);
    }

    /// The state changed.
    pub fn state(&self, state: BusState) {
        metric::bus_up(u8::from(state == BusState::Up));
        self.later(|late| late.state = Some(state));
    }

    fn later(&self, note: impl FnOnce(&mut Late)) {
        let mut late = self.late.lock();
        note(&mut late);
        while !late.is_empty() {
            let Ok(permit) = self.tx.try_reserve() else {
                self.something_late.notify_one();
                return;
            };
            if let Some(event) = late.next() {
                permit.send(event);
            }
        }
    }

    /// Brings what is late into the queue as room appears. Runs as long as the bus; ends when the node has dropped its end.
    pub async fn catch_up(&self) {
        loop {
            self.something_late.notified().await;
            while !self.late.lock().is_empty() {
                let Ok(permit) = self.tx.reserve().await else { return };
                if let Some(event) = self.late.lock().next() {
                    permit.send(event);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HI: Bytes = Bytes::from_static(b"hi");

    fn drained(events: &mut mpsc::Receiver<BusEvent>) -> Vec<BusEvent> {
        std::iter::from_fn(|| events.try_recv().ok()).collect()
    }

    #[tokio::test]
    async fn the_gap_follows_the_last_loss_and_nothing_but_messages_is_lost() {
        let (handover, mut events) = Handover::new();
        for _ in 0..EVENTS_MAX + 1 {
            handover.message(Topic::All, HI, Fate::Delivered);
        }
        handover.subscribed(vec![Topic::All]);
        handover.state(BusState::Degraded);
        handover.message(Topic::All, HI, Fate::Delivered);
        let messages = drained(&mut events);
        assert_eq!(messages, vec![BusEvent::Message(Topic::All, HI); EVENTS_MAX]);
        let rest = async {
            let mut rest = Vec::new();
            while rest.len() < 3 {
                rest.extend(events.recv().await);
            }
            rest
        };
        let rest = tokio::select! {
            rest = rest => rest,
            () = handover.catch_up() => panic!("the other end is there"),
        };
        let subscribed = BusEvent::Subscribed(vec![Topic::All]);
        assert_eq!(rest, [BusEvent::State(BusState::Degraded), subscribed, BusEvent::Gap]);
        handover.message(Topic::All, HI, Fate::Delivered);
        assert_eq!(drained(&mut events), [BusEvent::Message(Topic::All, HI)]);
    }

    #[test]
    fn fates_do_what_they_say() {
        let (handover, mut events) = Handover::new();
        let fates = [Fate::Held, Fate::Dropped, Fate::Doubled, Fate::Held, Fate::Delivered];
        for (n, fate) in fates.into_iter().enumerate() {
            handover.message(Topic::All, Bytes::from(n.to_string()), fate);
        }
        let heard: Vec<Bytes> = drained(&mut events)
            .into_iter()
            .filter_map(|event| match event {
                BusEvent::Message(_, message) => Some(message),
                BusEvent::Subscribed(_) | BusEvent::Gap | BusEvent::State(_) => None,
            })
            .collect();
        assert_eq!(heard, ["0", "2", "2", "4", "3"]);
    }
}
