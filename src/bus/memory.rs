//! The bus inside one process: for a node that runs alone, and for tests that run several nodes side by side.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fate::{Fate, Faults};
use super::handover::Handover;
use super::{Bus, BusEvent, BusState, Topic};
use crate::domain::NodeId;

/// What the nodes of one process share; cloning it gives the same hub.
///
/// Tests make the hub misbehave with [`MemoryHub::set_faults`] and [`MemoryHub::cut`].
#[derive(Debug, Clone, Default)]
pub struct MemoryHub {
    room: Arc<Mutex<Room>>,
}

#[derive(Debug, Default)]
struct Room {
    seats: Vec<Seat>,
    seats_ever: u64,
    faults: Option<Faults>,
}

/// One node's place at the hub; ends with its bus.
#[derive(Debug)]
struct Seat {
    number: u64,
    node: NodeId,
    topics: HashSet<Topic, foldhash::fast::RandomState>,
    expected: Vec<NodeId>,
    reach: Reach,
    state: BusState,
    handover: Arc<Handover>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Connected,
    Cut,
}

impl MemoryHub {
    /// A node joins. Call it inside a runtime: one small task per node brings late events into a full queue.
    #[must_use]
    pub fn join(&self, node: NodeId) -> MemoryBus {
        let (handover, events) = Handover::new();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let catching_up = handover.clone();
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move { catching_up.catch_up().await }));
        let mut room = self.room.lock();
        room.seats_ever += 1;
        let number = room.seats_ever;
        let (topics, expected) = (HashSet::default(), Vec::new());
        let (reach, state) = (Reach::Connected, BusState::Up);
        room.seats.push(Seat { number, node, topics, expected, reach, state, handover });
        room.judge();
        drop(room);
        MemoryBus { hub: self.clone(), number, events: Mutex::new(Some(events)), tasks, stop }
    }

    /// A test hook: from now on arriving messages meet these faults.
    pub fn set_faults(&self, faults: Faults) {
        self.room.lock().faults = Some(faults);
    }

    /// A test hook: the node neither hears the others nor is heard, until [`MemoryHub::mend`].
    pub fn cut(&self, node: &NodeId) {
        self.room.lock().reach(node, Reach::Cut);
    }

    /// A test hook: ends what [`MemoryHub::cut`] began.
    pub fn mend(&self, node: &NodeId) {
        self.room.lock().reach(node, Reach::Connected);
    }
}

impl Room {
    fn publish(&mut self, from: u64, topic: &Topic, message: &Bytes) {
        if !self.seats.iter().any(|seat| seat.number == from && seat.reach == Reach::Connected) {
            return;
        }
        let listeners = self.seats.iter().filter(|seat| seat.reach == Reach::Connected && seat.topics.contains(topic));
        for seat in listeners {
            let fate = self.faults.as_mut().map_or_else(Fate::by_failpoint, Faults::next);
            seat.handover.message(topic.clone(), message.clone(), fate);
        }
    }

    fn seat(&mut self, number: u64) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.number == number)
    }

    fn reach(&mut self, node: &NodeId, reach: Reach) {
        self.seats.iter_mut().filter(|seat| seat.node == *node).for_each(|seat| seat.reach = reach);
        self.judge();
    }

    /// Tells each node whose view of its peers has changed.
    fn judge(&mut self) {
        let heard: HashSet<NodeId> =
            self.seats.iter().filter(|seat| seat.reach == Reach::Connected).map(|seat| seat.node.clone()).collect();
        for seat in &mut self.seats {
            let well = seat.reach == Reach::Connected && seat.expected.iter().all(|peer| heard.contains(peer));
            let state = if well { BusState::Up } else { BusState::Degraded };
            if state != seat.state {
                seat.state = state;
                seat.handover.state(state);
                if state == BusState::Up {
                    seat.handover.gap();
                }
            }
        }
    }
}

/// One node's view of a [`MemoryHub`].
#[derive(Debug)]
pub struct MemoryBus {
    hub: MemoryHub,
    number: u64,
    events: Mutex<Option<mpsc::Receiver<BusEvent>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl MemoryBus {
    /// The bus of a node that runs alone. Call it inside a runtime, like [`MemoryHub::join`].
    #[must_use]
    pub fn alone(node: NodeId) -> Self {
        MemoryHub::default().join(node)
    }

    fn leave(&self) {
        self.stop.cancel();
        let mut room = self.hub.room.lock();
        room.seats.retain(|seat| seat.number != self.number);
        room.judge();
    }
}

#[async_trait]
impl Bus for MemoryBus {
    fn publish(&self, topic: &Topic, message: Bytes) {
        self.hub.room.lock().publish(self.number, topic, &message);
    }

    fn subscribe(&self, topic: &Topic) {
        if let Some(seat) = self.hub.room.lock().seat(self.number) {
            seat.topics.insert(topic.clone());
            seat.handover.subscribed(vec![topic.clone()]);
        }
    }

    fn unsubscribe(&self, topic: &Topic) {
        if let Some(seat) = self.hub.room.lock().seat(self.number) {
            seat.topics.remove(topic);
        }
    }

    fn expect_peers(&self, peers: Vec<NodeId>) {
        let mut room = self.hub.room.lock();
        if let Some(seat) = room.seat(self.number) {
            seat.expected = peers;
        }
        room.judge();
    }

    fn take_events(&self) -> Option<mpsc::Receiver<BusEvent>> {
        self.events.lock().take()
    }

    fn state(&self) -> BusState {
        self.hub.room.lock().seat(self.number).map_or(BusState::Degraded, |seat| seat.state)
    }

    async fn close(&self) {
        self.leave();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for MemoryBus {
    fn drop(&mut self) {
        self.leave();
    }
}
