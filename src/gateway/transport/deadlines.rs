//! The deadlines of a connection: its heartbeat, the time to join, the time to say goodbye.
//!
//! The keeper looks at a connection when one of them may have passed; nothing here runs by itself.

use std::sync::Arc;

use super::application::{CloseReason, DisconnectReason};
use super::connection::Connection;
use super::node::Transport;
use super::outbox::{Heart, Kind, Outbox, Phase};

impl Connection {
    /// Has the keeper look at this connection for the first time.
    pub(super) fn watch_first(self: &Arc<Self>) {
        let mut outbox = self.outbox.lock();
        if let Due::Later(at_ms) = outbox.due(self.transport.now_ms(), &self.transport) {
            self.watch(&mut outbox, at_ms);
        }
    }

    /// Has the keeper look at this connection then, and not at the time that was asked for before.
    pub(super) fn watch(self: &Arc<Self>, outbox: &mut Outbox, at_ms: u64) {
        outbox.watch_ms = at_ms;
        self.transport.keeper.watch(self.key, at_ms);
    }

    /// The client answered a ping.
    pub(super) fn pong(&self) {
        let ping_ms = self.transport.now_ms() + self.transport.config.ping_interval.as_millis() as u64;
        self.outbox.lock().heart = Heart::Calm { ping_ms };
    }

    /// The reader waits for the application: the client's silence is not its own.
    pub(super) fn hold(&self) {
        self.outbox.lock().is_held = true;
    }

    /// The reader reads on. A pong may lie unread, so the client gets its time again.
    pub(super) fn release(&self) {
        let dead_ms = self.transport.now_ms() + self.transport.config.ping_timeout.as_millis() as u64;
        let mut outbox = self.outbox.lock();
        outbox.is_held = false;
        if let Heart::Pinged { .. } = outbox.heart {
            outbox.heart = Heart::Pinged { dead_ms };
        }
    }

    /// Acts on the deadlines that have passed. `watch_ms` is the time that was asked for; only the latest such wish counts.
    pub(super) fn check(self: &Arc<Self>, watch_ms: u64, now_ms: u64) {
        let due = {
            let mut outbox = self.outbox.lock();
            if outbox.watch_ms != watch_ms {
                return;
            }
            let due = outbox.due(now_ms, &self.transport);
            if let Due::Later(at_ms) | Due::Ping(at_ms) = due {
                self.watch(&mut outbox, at_ms);
            }
            due
        };
        match due {
            Due::Later(_) | Due::Never => {}
            Due::Ping(_) => {
                self.send(&self.transport.ping, Kind::Event);
            }
            Due::JoinTimeout => self.close(DisconnectReason::Closed(CloseReason::ConnectTimeout), 1008),
            Due::Dead => self.abort(DisconnectReason::HeartbeatTimeout),
            Due::FlushTimeout => self.abort(DisconnectReason::TransportError),
        }
    }
}

/// What a connection's deadlines ask for.
enum Due {
    Later(u64),
    /// A ping now; look again then.
    Ping(u64),
    JoinTimeout,
    Dead,
    FlushTimeout,
    Never,
}

impl Outbox {
    fn due(&mut self, now_ms: u64, transport: &Transport) -> Due {
        match self.phase {
            Phase::Closed { .. } => return Due::Never,
            Phase::Closing { until_ms, .. } if now_ms >= until_ms => return Due::FlushTimeout,
            Phase::Closing { until_ms, .. } => return Due::Later(until_ms),
            Phase::Open => {}
        }
        if self.join_by_ms.is_some_and(|join_by_ms| now_ms >= join_by_ms) {
            return Due::JoinTimeout;
        }
        let timeout_ms = transport.config.ping_timeout.as_millis() as u64;
        let earliest = |at_ms: u64| self.join_by_ms.map_or(at_ms, |join_by_ms| join_by_ms.min(at_ms));
        match self.heart {
            Heart::Calm { ping_ms } if now_ms >= ping_ms => {
                let dead_ms = now_ms + timeout_ms;
                let next_ms = earliest(dead_ms);
                self.heart = Heart::Pinged { dead_ms };
                Due::Ping(next_ms)
            }
            Heart::Calm { ping_ms } => Due::Later(earliest(ping_ms)),
            // Nobody reads, so a pong may lie unread: the client gets its time again.
            Heart::Pinged { dead_ms } if now_ms >= dead_ms && (self.is_held || !transport.is_reading()) => {
                let dead_ms = now_ms + timeout_ms;
                let next_ms = earliest(dead_ms);
                self.heart = Heart::Pinged { dead_ms };
                Due::Later(next_ms)
            }
            Heart::Pinged { dead_ms } if now_ms >= dead_ms => Due::Dead,
            Heart::Pinged { dead_ms } => Due::Later(earliest(dead_ms)),
        }
    }
}
