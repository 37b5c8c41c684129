//! When sessions end because their tokens do: one timetable for all of them, and one task that keeps it.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::session::Session;
use super::transport::CloseReason;
use crate::auth::Identity;
use crate::chat::Reader;
use crate::domain::{Clock, SessionId, Timestamp};
use crate::protocol::Notice;

/// The clock is looked at again at least this often, because it may be set.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a session may stay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    /// The token's own end: what the client is told.
    expires_at: Timestamp,
    /// When the session is closed: the same and the leeway.
    ends_at: Timestamp,
    /// Where it is in the timetable, if it is.
    due: Option<Timestamp>,
    /// Whether the client knows.
    is_told: bool,
}

impl Term {
    pub(super) const fn of(identity: &Identity) -> Self {
        Self { expires_at: identity.expires_at, ends_at: identity.ends_at, due: None, is_told: false }
    }
}

/// The timetable.
pub(super) struct Terms {
    due: Mutex<BTreeMap<(Timestamp, SessionId), Weak<Session>>>,
    /// Something is due earlier than what was first before.
    earlier: Notify,
    expiring_before_ms: i64,
}

impl Terms {
    pub(super) fn new(expiring_before_ms: i64) -> Self {
        Self { due: Mutex::default(), earlier: Notify::new(), expiring_before_ms }
    }

    /// The session is connected: from now on its end is looked after.
    pub(super) fn start(&self, session: &Arc<Session>, now: Timestamp) {
        self.look_at(session, now);
    }

    /// The session has ended.
    pub(super) fn stop(&self, session: &Arc<Session>) {
        if let Some(due) = session.term.lock().due.take() {
            self.due.lock().remove(&(due, session.session()));
        }
    }

    /// The session goes on with another token.
    pub(super) fn extend(&self, session: &Arc<Session>, identity: &Identity, now: Timestamp) {
        self.stop(session);
        *session.term.lock() = Term::of(identity);
        self.look_at(session, now);
    }

    /// Keeps the timetable until `shutdown`.
    pub(super) async fn run(&self, clock: &dyn Clock, shutdown: CancellationToken) {
        loop {
            let now = clock.now();
            let (due, pause) = self.take_due(now);
            for session in due.iter().filter_map(Weak::upgrade) {
                session.term.lock().due = None;
                self.look_at(&session, now);
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.earlier.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Does what the hour asks for, and enters the session for the next.
    fn look_at(&self, session: &Arc<Session>, now: Timestamp) {
        let expiring_before_ms = self.expiring_before_ms;
        let (notice, next) = {
            let mut term = session.term.lock();
            let tell_at = Timestamp::from_unix_ms(term.expires_at.unix_ms().saturating_sub(expiring_before_ms));
            let notice = (!term.is_told && now >= tell_at).then_some(Notice::Expiring { expires_at: term.expires_at });
            term.is_told |= notice.is_some();
            let next = if term.is_told { term.ends_at } else { tell_at };
            term.due = Some(next);
            (notice, next)
        };
        if let Some(notice) = notice {
            session.tell(&notice);
        }
        if now >= session.term.lock().ends_at {
            session.term.lock().due = None;
            return session.socket().close(CloseReason::Expired);
        }
        self.enter(session, next);
    }

    fn enter(&self, session: &Arc<Session>, at: Timestamp) {
        let mut due = self.due.lock();
        let is_first = due.first_key_value().is_none_or(|((first, _), _)| at < *first);
        due.insert((at, session.session()), Arc::downgrade(session));
        drop(due);
        if is_first {
            self.earlier.notify_one();
        }
    }

    /// Takes out whom the hour has come for, and says how long to wait for the next.
    fn take_due(&self, now: Timestamp) -> (Vec<Weak<Session>>, Duration) {
        let mut taken = Vec::new();
        let mut due = self.due.lock();
        while let Some(entry) = due.first_entry() {
            let (at, _) = *entry.key();
            if at > now {
                let pause_ms = u64::try_from(at.unix_ms() - now.unix_ms()).unwrap_or(0);
                return (taken, Duration::from_millis(pause_ms).min(LOOK_EVERY));
            }
            taken.push(entry.remove());
        }
        (taken, LOOK_EVERY)
    }
}
