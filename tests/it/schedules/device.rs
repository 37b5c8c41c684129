//! A client that keeps its cursor, and the oracle: what it may be handed, and what not.

use std::sync::{Arc, Mutex};

use rookery::chat::{Attachments, Backfill, EncodedOnce, Reader};
use rookery::domain::{Event, Fact, SessionId, Signal, UserId};

use super::log::Log;

/// What an attach is answered with.
#[derive(Debug)]
pub enum Answer {
    Complete(Backfill),
    Incomplete(Backfill),
    Reset,
    NotFound,
    Unavailable,
}

/// One ask of a device.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Rises.
    pub number: u64,
    pub session: SessionId,
    pub at: u64,
}

/// Where the device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Away,
    /// On this node, in this session.
    On(usize, SessionId),
}

/// One device of one user, over all its sessions.
pub struct Device {
    pub user: usize,
    pub place: Place,
    /// The last event that the application has.
    pub cursor: Option<u64>,
    /// The history that the cursor is of.
    pub history: Option<usize>,
    /// Told that it is attached, and nothing since that ends it.
    pub attached: bool,
    /// The last ask, while its answer is outstanding.
    pub asking: Option<u64>,
    /// The last ask that has been answered; an older answer that comes later is of no interest.
    answered: u64,
    /// The last answer was that it may not read.
    pub refused: bool,
    /// Its transport has been closed by the core.
    pub lost_track: bool,
    pub delivered: u64,
    pub problems: Vec<String>,
    log: Arc<Mutex<Log>>,
}

impl Device {
    pub fn new(user: usize, log: Arc<Mutex<Log>>) -> Self {
        Self {
            user,
            place: Place::Away,
            cursor: None,
            history: None,
            attached: false,
            asking: None,
            answered: 0,
            refused: false,
            lost_track: false,
            delivered: 0,
            problems: Vec::new(),
            log,
        }
    }

    /// The connection is gone.
    pub fn leave(&mut self) {
        self.place = Place::Away;
        self.attached = false;
        self.asking = None;
        self.lost_track = false;
    }

    fn problem(&mut self, what: String) {
        self.problems.push(format!("user {} at {:?}: {what}", self.user, self.cursor));
    }

    /// The answer to an ask, from a node that lives in this history. Whether it has reached the device.
    pub fn answered(&mut self, answer: &Answer, history: usize, ask: Ask) -> bool {
        if !self.is_in(ask.session) || ask.number < self.answered {
            return false;
        }
        self.answered = ask.number;
        self.asking = self.asking.filter(|asking| *asking != ask.number);
        self.refused = false;
        match answer {
            Answer::Complete(backfill) => {
                self.filled(&backfill.events, backfill.from.0, backfill.to.0, history);
                self.attached = true;
                if !self.log.lock().unwrap().was_member(history, backfill.to.0, self.user) {
                    self.problem(format!("attached behind {} as no member", backfill.to));
                }
            }
            Answer::Incomplete(backfill) => {
                self.filled(&backfill.events, backfill.from.0, backfill.to.0, history);
                self.attached = false;
            }
            Answer::Reset => {
                self.attached = false;
                (self.cursor, self.history) = (None, None);
            }
            Answer::NotFound => {
                self.attached = false;
                self.refused = true;
                if !self.log.lock().unwrap().was_outside_since(self.user, ask.at) {
                    self.problem("a member was told that there is no such conversation".into());
                }
            }
            Answer::Unavailable => self.attached = false,
        }
        true
    }

    fn is_in(&self, session: SessionId) -> bool {
        !self.lost_track && matches!(self.place, Place::On(_, here) if here == session)
    }

    fn filled(&mut self, events: &[Arc<Event>], from: u64, to: u64, history: usize) {
        let seqs: Vec<u64> = events.iter().map(|event| event.seq.0).collect();
        if !seqs.iter().copied().eq(from + 1..=to) {
            self.problem(format!("a backfill of ({from}, {to}] with {seqs:?}"));
        }
        self.history = Some(history);
        for event in events {
            self.is_true(event);
        }
        self.cursor = Some(to);
        self.delivered += events.len() as u64;
    }

    fn is_true(&mut self, event: &Event) {
        let history = self.history.unwrap_or(0);
        if !self.log.lock().unwrap().has(history, event) {
            self.problem(format!("event {} is not the one of history {history}", event.seq));
        }
    }

    fn heard(&mut self, session: SessionId, event: &Event) {
        if !self.is_in(session) {
            return;
        }
        let seq = event.seq.0;
        if !self.attached {
            self.problem(format!("event {seq} while not attached"));
        }
        if self.cursor.is_none_or(|cursor| seq != cursor + 1) {
            self.problem(format!("event {seq} out of order"));
        }
        self.is_true(event);
        let history = self.history.unwrap_or(0);
        if !self.log.lock().unwrap().was_member(history, seq - 1, self.user) {
            self.problem(format!("event {seq} after the removal"));
        }
        self.cursor = Some(seq);
        self.delivered += 1;
        if matches!(&event.fact, Fact::MemberRemoved { user, .. } if *user == super::log::user(self.user)) {
            self.attached = false;
        }
    }
}

/// One session of a device, as a sequencer sees it.
pub struct Socket {
    session: SessionId,
    user: UserId,
    attachments: Attachments,
    device: Arc<Mutex<Device>>,
}

impl Socket {
    pub fn new(session: SessionId, device: &Arc<Mutex<Device>>) -> Self {
        let user = super::log::user(device.lock().unwrap().user);
        Self { session, user, attachments: Attachments::default(), device: Arc::clone(device) }
    }
}

impl Reader for Socket {
    fn session(&self) -> SessionId {
        self.session
    }

    fn user(&self) -> &UserId {
        &self.user
    }

    fn attachments(&self) -> &Attachments {
        &self.attachments
    }

    fn event(&self, event: &EncodedOnce<Event>) {
        self.device.lock().unwrap().heard(self.session, event.what());
    }

    fn signal(&self, _signal: &EncodedOnce<Signal>) {}

    fn lost_track(&self) {
        let mut device = self.device.lock().unwrap();
        device.lost_track |= device.is_in(self.session);
    }
}
