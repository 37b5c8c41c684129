//! Watches the deadlines of all connections in one wheel, and tells sessions that ended while nobody was reading.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::node::Transport;
use super::registry::Registry;
use super::sid::SidKey;

/// Deadlines further away than the wheel reaches are looked at in between.
const SLOTS: u64 = 512;
const TICK_MS_MIN: u64 = 5;
const TICK_MS_MAX: u64 = 100;
/// How much finer than the shortest deadline the wheel turns.
const TICKS_PER_DEADLINE: u32 = 16;

/// The load is taken over at least this time.
const LOAD_MS_MIN: u64 = 50;

/// One a transport: no connection has a timer of its own.
pub(super) struct Keeper {
    wheel: Mutex<Wheel>,
    tick_ms: u64,
    /// Connections whose sessions are to be told; each at most a few times, so their number bounds it.
    unsettled: Mutex<Vec<Arc<Connection>>>,
    settle: Notify,
}

struct Wheel {
    slots: Vec<Vec<Watch>>,
    /// The tick that is looked at next.
    next_tick: u64,
}

/// Names the connection instead of holding it, so that one that has ended leaves nothing behind.
struct Watch {
    key: SidKey,
    at_ms: u64,
}

impl Keeper {
    /// `shortest` is the shortest deadline that has to be kept.
    pub(super) fn new(shortest: Duration) -> Self {
        let tick_ms = ((shortest / TICKS_PER_DEADLINE).as_millis() as u64).clamp(TICK_MS_MIN, TICK_MS_MAX);
        let slots = (0..SLOTS).map(|_| Vec::new()).collect();
        Self {
            wheel: Mutex::new(Wheel { slots, next_tick: 1 }),
            tick_ms,
            unsettled: Mutex::default(),
            settle: Notify::new(),
        }
    }

    /// Has the connection looked at then, or a tick later, or before if the wheel does not reach as far.
    pub(super) fn watch(&self, key: SidKey, at_ms: u64) {
        let mut wheel = self.wheel.lock();
        let (first, last) = (wheel.next_tick, wheel.next_tick + SLOTS - 1);
        let tick = at_ms.div_ceil(self.tick_ms).clamp(first, last);
        wheel.slots[(tick % SLOTS) as usize].push(Watch { key, at_ms });
    }

    /// Has [`Connection::settle_now`] called soon, if there is still no reader to do it.
    pub(super) fn settle_later(&self, connection: Arc<Connection>) {
        self.unsettled.lock().push(connection);
        self.settle.notify_one();
    }

    /// Runs until the token is cancelled.
    pub(super) async fn run(transport: Arc<Transport>, stop: CancellationToken) {
        let keeper = &transport.keeper;
        let mut ticks = tokio::time::interval(Duration::from_millis(keeper.tick_ms));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut load = Load { at_ms: transport.now_ms(), offered: 0 };
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {
                    keeper.turn(&transport.registry, transport.now_ms());
                    load.measure(&transport);
                }
                () = keeper.settle.notified() => {}
            }
            keeper.settle_all();
        }
        keeper.settle_all();
    }

    /// Looks at every connection whose slot has come.
    fn turn(&self, registry: &Registry, now_ms: u64) {
        loop {
            let due = {
                let mut wheel = self.wheel.lock();
                if wheel.next_tick * self.tick_ms > now_ms {
                    return;
                }
                let slot = (wheel.next_tick % SLOTS) as usize;
                wheel.next_tick += 1;
                std::mem::take(&mut wheel.slots[slot])
            };
            for Watch { key, at_ms } in due {
                if let Some(connection) = registry.get(&key) {
                    connection.check(at_ms, now_ms);
                }
            }
        }
    }

    fn settle_all(&self) {
        let unsettled = std::mem::take(&mut *self.unsettled.lock());
        for connection in unsettled {
            connection.settle_unread();
        }
    }
}

/// How busy the node was when it was last looked at.
struct Load {
    at_ms: u64,
    offered: u64,
}

impl Load {
    /// Tells the pacer how many frames were sent since, and the recorder what was written.
    fn measure(&mut self, transport: &Transport) {
        let now_ms = transport.now_ms();
        let elapsed_ms = now_ms - self.at_ms;
        if elapsed_ms < LOAD_MS_MIN {
            return;
        }
        let offered = transport.tally.offered_sum();
        transport.pacer.follow(offered - self.offered, elapsed_ms);
        transport.tally.publish(transport.registry.len());
        *self = Self { at_ms: now_ms, offered };
    }
}
