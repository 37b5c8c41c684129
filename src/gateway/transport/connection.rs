//! One Engine.IO connection: its namespaces, its outbox, its deadlines and its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use smallvec::SmallVec;
use tracing::error;

use super::application::{CloseReason, DisconnectReason, Session};
use super::event::Pace;
use super::frame::Frame;
use super::handshake::Handshake;
use super::node::Transport;
use super::outbox::{Heart, Kind, Left, Offered, Outbox, Phase, Reader, Sent, When, Wire, Written};
use super::sid::SidKey;
use super::socket::Socket;

/// More namespaces than any client needs at once.
const NAMESPACES_MAX: usize = 8;

/// How much faster than allowed a client may send before it is closed.
const ABUSE_FACTOR: u32 = 10;

/// See the file's first line. Shared by its reader, the registry, the keeper and every [`Socket`] on it.
pub(super) struct Connection {
    pub transport: Arc<Transport>,
    pub key: SidKey,
    pub handshake: Arc<Handshake>,
    /// Wakes the task that reads and drains a WebSocket.
    pub waker: AtomicWaker,
    is_reading: AtomicBool,
    pub outbox: Mutex<Outbox>,
    namespaces: Mutex<Namespaces>,
    /// The current second (high half) and the frames read in it (low half). Only the reader counts.
    rate: AtomicU64,
}

#[derive(Default)]
struct Namespaces {
    joined: SmallVec<[Joined; 1]>,
    /// Sessions that were left and are yet to be told.
    departed: Vec<(Arc<dyn Session>, DisconnectReason)>,
}

struct Joined {
    socket: Socket,
    session: Arc<dyn Session>,
}

/// What the frame rate says about one more frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rate {
    Keeps(Pace),
    Abuse,
}

impl Connection {
    pub(super) fn new(transport: &Arc<Transport>, handshake: Arc<Handshake>, wire: Wire, reader: Reader) -> Arc<Self> {
        let (now_ms, config) = (transport.now_ms(), &transport.config);
        let heart = Heart::Calm { ping_ms: now_ms + config.ping_interval.as_millis() as u64 };
        let join_by_ms = now_ms + config.connect_timeout.as_millis() as u64;
        Arc::new(Self {
            key: transport.sids.random_key(),
            transport: transport.clone(),
            handshake,
            waker: AtomicWaker::new(),
            is_reading: AtomicBool::new(true),
            outbox: Mutex::new(Outbox::new(wire, reader, heart, join_by_ms)),
            namespaces: Mutex::default(),
            rate: AtomicU64::new(0),
        })
    }

    /// Whether anything further is read from this client.
    pub(super) fn is_reading(&self) -> bool {
        self.is_reading.load(Ordering::Acquire) && self.transport.is_reading()
    }

    /// Reads nothing further, while what the application sends is still written.
    pub(super) fn stop_reading(&self) {
        self.is_reading.store(false, Ordering::Release);
        self.waker.wake();
    }

    /// Writes a frame or queues it; never waits.
    pub(super) fn send(self: &Arc<Self>, frame: &Frame, kind: Kind) -> Sent {
        self.transport.tally.offered();
        let when = if self.transport.pacer.is_gathering() { When::Together } else { When::Now };
        let offered = self.outbox.lock().offer(frame, kind, (self.transport.config.queue, when));
        match offered {
            Offered::Written => {
                self.transport.tally.wrote(Written { calls: 1, frames: 1, bytes: frame.len() as u64 });
                Sent::Taken
            }
            Offered::First(Some(poll)) => {
                poll.wake();
                Sent::Taken
            }
            Offered::First(None) => {
                self.waker.wake();
                Sent::Taken
            }
            Offered::Gathered => {
                self.transport.pacer.gather(self.clone());
                Sent::Taken
            }
            Offered::Behind => Sent::Taken,
            Offered::Dropped => Sent::Dropped,
            Offered::Overflow => {
                self.abort(DisconnectReason::Closed(CloseReason::SlowConsumer));
                Sent::Closed
            }
            Offered::Broken => {
                self.abort(DisconnectReason::TransportError);
                Sent::Closed
            }
            Offered::Closed => Sent::Closed,
        }
    }

    /// Writes what the pacer has gathered; what the socket does not take is left to the connection's task.
    pub(super) fn flush(self: &Arc<Self>) {
        let mut written = Written::default();
        let drained = self.outbox.lock().drain_now(&mut written);
        self.transport.tally.wrote(written);
        match drained {
            Ok(Left::Nothing) => {}
            Ok(Left::Some) => self.waker.wake(),
            Err(_) => self.abort(DisconnectReason::TransportError),
        }
    }

    /// Drains the outbox to the WebSocket; `Ready` when nothing waits any more or the socket broke.
    pub(super) fn poll_drain(self: &Arc<Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut written = Written::default();
        let drained = self.outbox.lock().poll_drain(context, &mut written);
        self.transport.tally.wrote(written);
        match drained {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(_)) => {
                self.abort(DisconnectReason::TransportError);
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Ends the connection after what is queued, and behind it says goodbye: on a WebSocket with this status code.
    pub(super) fn close(self: &Arc<Self>, reason: DisconnectReason, code: u16) {
        let parked = {
            let mut outbox = self.outbox.lock();
            if outbox.phase != Phase::Open {
                return;
            }
            let until_ms = self.transport.now_ms() + self.transport.config.flush_timeout.as_millis() as u64;
            outbox.phase = Phase::Closing { reason, until_ms };
            let (goodbye, parked) = match &outbox.wire {
                Wire::Polling(polls) => (Frame::text("1"), polls.parked.clone()),
                Wire::WebSocket(_) | Wire::Gone => (Frame::close(code), None),
            };
            outbox.append(goodbye, Kind::Event);
            self.watch(&mut outbox, until_ms);
            parked
        };
        if let Some(parked) = parked {
            parked.wake();
        }
        self.waker.wake();
        self.settle();
    }

    /// The client has closed: a WebSocket is closed in answer, a poll has nobody left to answer.
    pub(super) fn farewell(self: &Arc<Self>) {
        let is_polling = matches!(self.outbox.lock().wire, Wire::Polling(_));
        if is_polling {
            self.abort(DisconnectReason::TransportClosed);
        } else {
            self.close(DisconnectReason::TransportClosed, 1000);
        }
    }

    /// Ends the connection at once; what is queued is lost.
    pub(super) fn abort(self: &Arc<Self>, reason: DisconnectReason) {
        let parked = {
            let mut outbox = self.outbox.lock();
            if matches!(outbox.phase, Phase::Closed { .. }) {
                return;
            }
            outbox.end(reason)
        };
        if let Some(parked) = parked {
            parked.wake();
        }
        self.transport.registry.remove(self);
        self.waker.wake();
        self.settle();
    }

    /// Everything is written to the WebSocket: tells the other side that no more will come.
    pub(super) fn shut_down_writing(&self) {
        let wire = std::mem::replace(&mut self.outbox.lock().wire, Wire::Gone);
        drop(wire);
    }

    pub(super) fn phase(&self) -> Phase {
        self.outbox.lock().phase
    }

    /// Adds a namespace. `Err` gives the session back with the reason: the connection has ended meanwhile.
    pub(super) fn join(
        &self,
        socket: Socket,
        session: Arc<dyn Session>,
    ) -> Result<Arc<dyn Session>, (Arc<dyn Session>, DisconnectReason)> {
        let mut namespaces = self.namespaces.lock();
        let mut outbox = self.outbox.lock();
        match outbox.phase {
            Phase::Open => {
                outbox.join_by_ms = None;
                namespaces.joined.push(Joined { socket, session: session.clone() });
                Ok(session)
            }
            Phase::Closing { reason, .. } | Phase::Closed { reason } => Err((session, reason)),
        }
    }

    /// Whether the client may join one more namespace.
    pub(super) fn has_room(&self) -> bool {
        self.namespaces.lock().joined.len() < NAMESPACES_MAX
    }

    pub(super) fn session(&self, namespace: &str) -> Option<Arc<dyn Session>> {
        let namespaces = self.namespaces.lock();
        let joined = namespaces.joined.iter().find(|joined| joined.socket.namespace() == namespace)?;
        Some(joined.session.clone())
    }

    /// Removes a namespace; its session is told by whoever settles. False when it was not joined.
    pub(super) fn part(self: &Arc<Self>, namespace: &str, reason: DisconnectReason) -> bool {
        let mut namespaces = self.namespaces.lock();
        let Some(at) = namespaces.joined.iter().position(|joined| joined.socket.namespace() == namespace) else {
            return false;
        };
        let Joined { socket, session } = namespaces.joined.remove(at);
        socket.mark_left();
        namespaces.departed.push((session, reason));
        if namespaces.joined.is_empty() {
            let join_by_ms = self.transport.now_ms() + self.transport.config.connect_timeout.as_millis() as u64;
            let mut outbox = self.outbox.lock();
            outbox.join_by_ms = Some(join_by_ms);
            let watch_ms = outbox.watch_ms.min(join_by_ms);
            self.watch(&mut outbox, watch_ms);
        }
        true
    }

    /// Sees to it that sessions which have ended are told: by the reader if there is one, else by the keeper.
    pub(super) fn settle(self: &Arc<Self>) {
        match self.outbox.lock().reader {
            Reader::Nobody => self.transport.keeper.settle_later(self.clone()),
            Reader::WebSocket => self.waker.wake(),
            Reader::Post => {}
        }
    }

    /// Tells the sessions that have ended. Called by the reader, or by the keeper while there is none.
    pub(super) fn settle_now(&self) {
        let ended = match self.phase() {
            Phase::Open => None,
            Phase::Closing { reason, .. } | Phase::Closed { reason } => Some(reason),
        };
        let told = {
            let mut namespaces = self.namespaces.lock();
            let mut told = std::mem::take(&mut namespaces.departed);
            if let Some(reason) = ended {
                told.extend(namespaces.joined.drain(..).map(|joined| (joined.session, reason)));
            }
            told
        };
        for (session, reason) in told {
            self.transport.tally.ended(reason);
            // Told by tasks that serve all connections: a defect in one session must not end them.
            if catch_unwind(AssertUnwindSafe(|| session.disconnected(reason))).is_err() {
                error!(reason = reason.word(), "a session met a defect when it was told that it ended");
            }
        }
    }

    /// Settles while nobody reads. Whoever reads by now settles when done.
    pub(super) fn settle_unread(&self) {
        if self.outbox.lock().reader == Reader::Nobody {
            self.settle_now();
        }
    }

    /// Counts one frame of the client against the rate.
    pub(super) fn count_frame(&self) -> Rate {
        let Some(frames_per_s) = self.transport.config.frames_per_s else { return Rate::Keeps(Pace::Within) };
        let second = (self.transport.now_ms() / 1_000) & 0xFFFF_FFFF;
        let before = self.rate.load(Ordering::Relaxed);
        let frames = if before >> 32 == second { (before as u32).saturating_add(1) } else { 1 };
        self.rate.store(second << 32 | u64::from(frames), Ordering::Relaxed);
        match frames {
            frames if frames <= frames_per_s => Rate::Keeps(Pace::Within),
            frames if frames <= frames_per_s.saturating_mul(ABUSE_FACTOR) => Rate::Keeps(Pace::TooFast),
            _ => Rate::Abuse,
        }
    }
}
