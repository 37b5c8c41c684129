//! The duty to answer one event of a client, exactly once.

use std::sync::Arc;

use super::fanout::frames;
use super::session::Session;
use crate::domain::ChatError;
use crate::protocol::{AckWish, Answer, Emissions, dialect};
use crate::telemetry::metrics;

/// Whoever holds it owes the client an answer. Dropped without one (a defect, or the end of the process) it answers `internal`.
pub(super) struct Slip {
    session: Arc<Session>,
    /// The id to answer under, if the client asked for an ack.
    ack: Option<u64>,
    /// What was asked, for the metrics; none when somebody else counts it.
    asked: Option<&'static str>,
    is_owed: bool,
}

impl Slip {
    pub(super) const fn new(session: Arc<Session>, ack: Option<u64>) -> Self {
        Self { session, ack, asked: None, is_owed: true }
    }

    /// Has the answer counted under this name.
    pub(super) const fn counted(mut self, asked: &'static str) -> Self {
        self.asked = Some(asked);
        self
    }

    /// The session that asked.
    pub(super) const fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Pays what is owed.
    pub(super) fn answer(mut self, result: Result<Answer, ChatError>) {
        self.is_owed = false;
        self.say(result.as_ref());
    }

    fn say(&self, result: Result<&Answer, &ChatError>) {
        if let Some(asked) = self.asked {
            metrics::command(asked, result.map_or_else(|error| error.code.as_str(), |_| "ok"));
        }
        let (slot, socket) = (self.session.slot(), self.session.socket());
        let dialect = dialect(slot);
        let wish = match self.ack {
            Some(id) => {
                socket.ack(id, &dialect.ack(result));
                AckWish::Wanted
            }
            None => AckWish::None,
        };
        let mut beside = Emissions::default();
        dialect.beside(result, wish, &mut beside);
        for frame in frames(slot, beside) {
            socket.send(&frame);
        }
    }
}

impl Drop for Slip {
    fn drop(&mut self) {
        if self.is_owed {
            self.say(Err(&ChatError::internal()));
        }
    }
}
