//! One connected socket of one user: what the transport tells it, and what the feeds tell it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tracing::{debug, error};

use super::attach::Opening;
use super::door::Inner;
use super::fanout::{event_frames, frames, signal_frames};
use super::term::Term;
use super::transport::{self, CloseReason, DisconnectReason, Frame, InboundEvent, Socket, Taken};
use crate::chat::{Attachments, EncodedOnce, Reader, SessionPace};
use crate::domain::{Actor, Event, SessionId, Signal, UserId};
use crate::protocol::{AtomicSlot, Emissions, Notice, Slot, dialect};

/// See the file's first line. A node holds one per socket, most of them idle: what only some need is boxed or made when it is needed.
pub(super) struct Session {
    me: Weak<Self>,
    pub(super) door: Arc<Inner>,
    socket: Socket,
    id: SessionId,
    user: UserId,
    slot: AtomicSlot,
    /// Whether the vocabulary was named, or shown by an event: it stays.
    is_settled: AtomicBool,
    /// When its token ends.
    pub(super) term: Mutex<Term>,
    attachments: Attachments,
    /// What the personal feed has brought before the session was connected.
    opening: Mutex<Option<Box<Opening>>>,
    pace: OnceLock<Box<SessionPace>>,
    /// Commands under way.
    pub(super) flights: AtomicUsize,
    /// Wakes the transport when there are fewer of them.
    pub(super) room: AtomicWaker,
}

/// What a session is made of.
pub(super) struct SessionParts {
    pub door: Arc<Inner>,
    pub socket: Socket,
    pub id: SessionId,
    pub user: UserId,
    pub vocabulary: Vocabulary,
    pub term: Term,
}

/// How a session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vocabulary {
    /// The client has named it.
    Named(Slot),
    /// Until an event shows another one.
    Assumed(Slot),
}

impl Session {
    pub(super) fn new(parts: SessionParts) -> Arc<Self> {
        let SessionParts { door, socket, id, user, vocabulary, term } = parts;
        let (slot, is_settled) = match vocabulary {
            Vocabulary::Named(slot) => (slot, true),
            Vocabulary::Assumed(slot) => (slot, false),
        };
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            door,
            socket,
            id,
            user,
            slot: AtomicSlot::new(slot),
            is_settled: AtomicBool::new(is_settled),
            term: Mutex::new(term),
            attachments: Attachments::default(),
            opening: Mutex::new(None),
            pace: OnceLock::new(),
            flights: AtomicUsize::new(0),
            room: AtomicWaker::new(),
        })
    }

    pub(super) const fn socket(&self) -> &Socket {
        &self.socket
    }

    /// How it speaks.
    pub(super) fn slot(&self) -> Slot {
        self.slot.load()
    }

    /// Whether an event could still show another vocabulary.
    pub(super) fn is_settled(&self) -> bool {
        self.is_settled.load(Ordering::Relaxed)
    }

    /// From now on it speaks so.
    pub(super) fn settle(&self, slot: Slot) {
        self.slot.store(slot);
        self.is_settled.store(true, Ordering::Relaxed);
    }

    /// Who asks, when it asks.
    pub(super) fn actor(&self) -> Actor {
        Actor::socket(self.user.clone(), self.id, dialect(self.slot()).name())
    }

    /// How fast it asks.
    pub(super) fn pace(&self) -> &SessionPace {
        self.pace.get_or_init(|| Box::new(SessionPace::new(self.door.chat.limits())))
    }

    /// Keeps what the personal feed has brought until the client hears.
    pub(super) fn open_with(&self, opening: Opening) {
        *self.opening.lock() = Some(Box::new(opening));
    }

    /// Tells the client something about itself.
    pub(super) fn tell(&self, notice: &Notice) {
        let (slot, mut out) = (self.slot(), Emissions::default());
        dialect(slot).notice(notice, &mut out);
        for frame in frames(slot, out) {
            self.socket.send(&frame);
        }
    }

    /// Hands on an event that this session alone is given.
    pub(super) fn give(&self, event: &Event) {
        if let Some(mut frames) = event_frames(self.slot(), event) {
            while let Some(frame) = Frame::take_from(&mut frames) {
                self.socket.send(&frame);
            }
        }
    }

    /// A defect was met on its behalf: it comes back with its cursors.
    pub(super) fn end_for_defect(&self) {
        error!(session.id = %self.id, "session closed: it met a defect");
        self.socket.close(CloseReason::Application);
    }

    fn start(self: &Arc<Self>) {
        let now = self.door.clock.now();
        self.tell(&self.door.ready(self, now));
        self.door.terms.start(self, now);
        let opening = self.opening.lock().take();
        if let Some(opening) = opening {
            opening.give(self);
        }
    }
}

impl transport::Session for Session {
    fn connected(&self) {
        let Some(me) = self.me.upgrade() else { return };
        guarded(&me, || me.start());
    }

    fn event(&self, event: InboundEvent) -> Taken {
        let Some(me) = self.me.upgrade() else { return Taken::Now };
        guarded(&me, || me.take(&event)).unwrap_or(Taken::Now)
    }

    fn disconnected(&self, reason: DisconnectReason) {
        let Some(me) = self.me.upgrade() else { return };
        debug!(user.id = %self.user, session.id = %self.id, reason = reason.word(), "session ended: {}", reason.word());
        self.door.feeds.detach_all(self);
        self.door.terms.stop(self);
        self.door.sessions.remove(&me);
    }
}

/// A defect here must cost one session at most: it is closed, and comes back with its cursors.
fn guarded<T>(session: &Arc<Session>, act: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(act)).inspect_err(|_| session.end_for_defect()).ok()
}

impl Reader for Session {
    fn session(&self) -> SessionId {
        self.id
    }

    fn user(&self) -> &UserId {
        &self.user
    }

    fn attachments(&self) -> &Attachments {
        &self.attachments
    }

    fn event(&self, event: &EncodedOnce<Event>) {
        let slot = self.slot();
        let Some(frames) = event.frame(slot.index(), |event| event_frames(slot, event)) else { return };
        let mut frames = frames.clone();
        while let Some(frame) = Frame::take_from(&mut frames) {
            self.socket.send(&frame);
        }
    }

    fn signal(&self, signal: &EncodedOnce<Signal>) {
        let slot = self.slot();
        let Some(frames) = signal.frame(slot.index(), |signal| signal_frames(slot, signal)) else { return };
        let mut frames = frames.clone();
        while let Some(frame) = Frame::take_from(&mut frames) {
            self.socket.send_signal(&frame);
        }
    }

    fn lost_track(&self) {
        self.socket.close(CloseReason::Application);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_small_because_a_node_holds_tens_of_thousands() {
        assert!(size_of::<Session>() <= 320, "{} bytes", size_of::<Session>());
    }
}
