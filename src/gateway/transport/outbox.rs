//! What waits to be written to one client, and the wire it waits for.
//!
//! When nothing waits, a frame is written to the socket by whoever sends it. When something does, it is appended, and the connection's task
//! writes all that is queued in as few calls as the socket takes. Long-polling takes everything queued into one response.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll, Waker, ready};

use tokio::net::tcp::OwnedWriteHalf;

use super::application::DisconnectReason;
use super::config::QueueBound;
use super::frame::Frame;

/// Small frames are put together up to this size for one write.
const COMBINED_BYTES_MAX: usize = 64 * 1024;
/// A frame of this size is written by itself: copying it would cost more than the call.
const ALONE_BYTES_MIN: usize = 16 * 1024;
/// A drained queue keeps room for this many frames and gives back the rest.
const KEPT_FRAMES: usize = 4;

thread_local! {
    /// Where a thread puts small frames together. One a thread, not one a connection.
    static COMBINED: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(COMBINED_BYTES_MAX));
}

/// How a frame may be treated under pressure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Must arrive, or the connection ends.
    Event,
    /// May be dropped: the next one heals it.
    Signal,
}

/// When a frame for an idle connection is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// By the sender.
    Now,
    /// With others, by the pacer.
    Together,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Written, or queued behind what was sent before.
    Taken,
    /// A signal that was dropped because the client is slow.
    Dropped,
    /// The connection or the namespace has ended, or ends with this frame because too much is queued.
    Closed,
}

/// What [`Outbox::offer`] did, for the caller to act on once the lock is released.
#[derive(Debug)]
pub(super) enum Offered {
    /// The socket took all of it.
    Written,
    /// The first frame to wait: the connection's task or this poll has to be woken.
    First(Option<Waker>),
    /// The first of some that the pacer is to write.
    Gathered,
    /// Behind others.
    Behind,
    Dropped,
    /// The bound is reached.
    Overflow,
    /// The socket is broken.
    Broken,
    Closed,
}

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// No more is taken; what is queued is still carried until the deadline (ms of the transport's clock).
    Closing {
        reason: DisconnectReason,
        until_ms: u64,
    },
    Closed {
        reason: DisconnectReason,
    },
}

/// The heartbeat, in ms of the transport's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heart {
    /// The next ping is due then.
    Calm { ping_ms: u64 },
    /// A ping is out; without a pong by then the client is gone.
    Pinged { dead_ms: u64 },
}

/// Who reads from the client. There is one reader at a time, so that events stay in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// A polling connection between two POSTs.
    Nobody,
    /// A POST is being worked on.
    Post,
    /// The connection's task reads its WebSocket.
    WebSocket,
}

/// What carries the queue to the client.
pub(super) enum Wire {
    Polling(Polls),
    WebSocket(OwnedWriteHalf),
    Gone,
}

/// The polling side of a connection.
#[derive(Default)]
pub(super) struct Polls {
    /// A GET waits.
    pub is_parked: bool,
    /// How to wake it.
    pub parked: Option<Waker>,
    /// The upgrade that is being tried, if there is one.
    pub probe: Option<Probe>,
}

/// An upgrade in progress.
#[derive(Default)]
pub(super) struct Probe {
    /// The waiting poll is to be answered at once, so that the client can pause polling.
    pub owes_noop: bool,
    /// Polls answered with nothing since the probe began; each one more is held back twice as long.
    pub noops: u32,
}

struct Entry {
    frame: Frame,
    kind: Kind,
}

/// See the file's first lines. Lives behind the connection's one lock.
pub(super) struct Outbox {
    queue: VecDeque<Entry>,
    queued_bytes: usize,
    /// How much of the first frame the WebSocket has taken already.
    begun_bytes: usize,
    pub wire: Wire,
    pub phase: Phase,
    pub reader: Reader,
    /// The reader waits for the application, so the client's silence is not its own.
    pub is_held: bool,
    pub heart: Heart,
    /// Until when a namespace must be joined; `None` while one is.
    pub join_by_ms: Option<u64>,
    /// When the keeper looks at the connection next.
    pub watch_ms: u64,
}

impl Outbox {
    pub(super) fn new(wire: Wire, reader: Reader, heart: Heart, join_by_ms: u64) -> Self {
        Self {
            queue: VecDeque::new(),
            queued_bytes: 0,
            begun_bytes: 0,
            wire,
            phase: Phase::Open,
            reader,
            is_held: false,
            heart,
            join_by_ms: Some(join_by_ms),
            watch_ms: 0,
        }
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Writes or queues a frame.
    pub(super) fn offer(&mut self, frame: &Frame, kind: Kind, (bound, when): (QueueBound, When)) -> Offered {
        if self.phase != Phase::Open {
            return Offered::Closed;
        }
        if self.queue.is_empty() {
            return self.offer_first(frame, kind, when);
        }
        if kind == Kind::Signal && self.is_beyond(bound.bytes_max / 4, bound.frames_max / 4) {
            return Offered::Dropped;
        }
        if self.is_beyond(bound.bytes_max, bound.frames_max) {
            self.drop_signals();
            if self.is_beyond(bound.bytes_max, bound.frames_max) {
                return Offered::Overflow;
            }
        }
        self.append(frame.clone(), kind);
        Offered::Behind
    }

    fn offer_first(&mut self, frame: &Frame, kind: Kind, when: When) -> Offered {
        let (begun_bytes, wake) = match &mut self.wire {
            Wire::Polling(polls) => (0, polls.parked.clone()),
            Wire::WebSocket(_) if when == When::Together => {
                self.append(frame.clone(), kind);
                return Offered::Gathered;
            }
            Wire::WebSocket(socket) => match socket.try_write(frame.bytes()) {
                Ok(written) if written == frame.len() => return Offered::Written,
                Ok(written) => (written, None),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (0, None),
                Err(_) => return Offered::Broken,
            },
            Wire::Gone => return Offered::Closed,
        };
        self.begun_bytes = begun_bytes;
        self.append(frame.clone(), kind);
        Offered::First(wake)
    }

    /// Queues a frame whatever the bound says: for the few that the transport itself adds.
    pub(super) fn append(&mut self, frame: Frame, kind: Kind) {
        self.queued_bytes += frame.len();
        self.queue.push_back(Entry { frame, kind });
    }

    fn is_beyond(&self, bytes_max: usize, frames_max: usize) -> bool {
        self.queued_bytes >= bytes_max || self.queue.len() >= frames_max
    }

    /// Makes room. The first frame stays: a part of it may be out.
    fn drop_signals(&mut self) {
        let mut is_first = true;
        self.queue.retain(|entry| std::mem::take(&mut is_first) || entry.kind == Kind::Event);
        self.queued_bytes = self.queue.iter().map(|entry| entry.frame.len()).sum();
    }

    /// Writes what is queued to the WebSocket. Ready when nothing is left; counts the calls in `written`.
    pub(super) fn poll_drain(&mut self, context: &mut Context<'_>, written: &mut Written) -> Poll<io::Result<()>> {
        while !self.queue.is_empty() {
            let Wire::WebSocket(socket) = &self.wire else { return Poll::Ready(Ok(())) };
            ready!(socket.as_ref().poll_write_ready(context))?;
            match self.write_some() {
                Ok(bytes) => {
                    written.calls += 1;
                    self.advance(bytes, written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what is queued for as long as the socket takes it. `Ok` says whether anything is left.
    pub(super) fn drain_now(&mut self, written: &mut Written) -> io::Result<Left> {
        while !self.queue.is_empty() && matches!(self.wire, Wire::WebSocket(_)) {
            match self.write_some() {
                Ok(bytes) => {
                    written.calls += 1;
                    self.advance(bytes, written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Left::Some),
                Err(error) => return Err(error),
            }
        }
        Ok(Left::Nothing)
    }

    /// One write of as many queued frames as fit together.
    fn write_some(&self) -> io::Result<usize> {
        let (Wire::WebSocket(socket), Some(first)) = (&self.wire, self.queue.front()) else { return Ok(0) };
        let rest_of_first = &first.frame.bytes()[self.begun_bytes..];
        if self.queue.len() == 1 || rest_of_first.len() >= ALONE_BYTES_MIN {
            return socket.try_write(rest_of_first);
        }
        COMBINED.with_borrow_mut(|combined| {
            combined.clear();
            combined.extend_from_slice(rest_of_first);
            for entry in self.queue.iter().skip(1) {
                if combined.len() + entry.frame.len() > COMBINED_BYTES_MAX {
                    break;
                }
                combined.extend_from_slice(entry.frame.bytes());
            }
            socket.try_write(combined)
        })
    }

    fn advance(&mut self, bytes: usize, written: &mut Written) {
        written.bytes += bytes as u64;
        self.begun_bytes += bytes;
        while let Some(first) = self.queue.front() {
            let frame_bytes = first.frame.len();
            if self.begun_bytes < frame_bytes {
                break;
            }
            self.begun_bytes -= frame_bytes;
            self.queued_bytes -= frame_bytes;
            written.frames += 1;
            self.queue.pop_front();
        }
        self.give_back();
    }

    /// Takes as many queued packets as fit into one polling response of `bytes_max`, but at least one; `None` when nothing waits.
    pub(super) fn take_payload(&mut self, bytes_max: usize, written: &mut Written) -> Option<Vec<u8>> {
        let mut payload = Vec::new();
        while let Some(entry) = self.queue.front() {
            let packet = entry.frame.payload();
            let is_packet = entry.frame.is_packet();
            if is_packet && !payload.is_empty() {
                if payload.len() + 1 + packet.len() > bytes_max {
                    break;
                }
                payload.push(super::polling::SEPARATOR);
            }
            if is_packet {
                payload.extend_from_slice(packet);
                written.frames += 1;
            }
            self.queued_bytes -= entry.frame.len();
            self.queue.pop_front();
        }
        self.give_back();
        written.bytes += payload.len() as u64;
        written.calls += u64::from(!payload.is_empty());
        (!payload.is_empty()).then_some(payload)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Ends the connection: nothing more goes out. Gives back the poll that waits, to be woken outside the lock.
    pub(super) fn end(&mut self, reason: DisconnectReason) -> Option<Waker> {
        let reason = match self.phase {
            Phase::Closed { reason } | Phase::Closing { reason, .. } => reason,
            Phase::Open => reason,
        };
        self.phase = Phase::Closed { reason };
        self.queue = VecDeque::new();
        self.queued_bytes = 0;
        match std::mem::replace(&mut self.wire, Wire::Gone) {
            Wire::Polling(polls) => polls.parked,
            Wire::WebSocket(_) | Wire::Gone => None,
        }
    }

    fn give_back(&mut self) {
        if self.queue.is_empty() && self.queue.capacity() > KEPT_FRAMES {
            self.queue = VecDeque::new();
        }
    }
}

/// Whether a socket took everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    Some,
}

/// What writing has done, for the metrics.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub calls: u64,
    pub frames: u64,
    pub bytes: u64,
}
