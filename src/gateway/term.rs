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
    /// Where the session is in the timetable, if it is there.
    due: Option<Timestamp>,
    stage: Stage,
}

/// How far a term has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The client does not know yet that its token ends.
    Quiet,
    /// It was told.
    Told,
    /// The session has ended: it is entered no more.
    Over,
}

/// What the hour asks for.
enum Due {
    Nothing,
    Tell(Notice),
    Close,
}

impl Term {
    pub(super) const fn of(identity: &Identity) -> Self {
        Self { expires_at: identity.expires_at, ends_at: identity.ends_at, due: None, stage: Stage::Quiet }
    }
}

/// The timetable. A session's term is locked before the timetable, never after it.
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
    pub(super) fn stop(&self, session: &Session) {
        let mut term = session.term.lock();
        term.stage = Stage::Over;
        self.withdraw(session, &mut term);
    }

    /// The session goes on with another token.
    pub(super) fn extend(&self, session: &Arc<Session>, identity: &Identity, now: Timestamp) {
        {
            let mut term = session.term.lock();
            if term.stage == Stage::Over {
                return;
            }
            self.withdraw(session, &mut term);
            *term = Term::of(identity);
        }
        self.look_at(session, now);
    }

    /// Keeps the timetable until `shutdown`.
    pub(super) async fn run(&self, clock: &dyn Clock, shutdown: CancellationToken) {
        loop {
            let now = clock.now();
            let (due, pause) = self.take_due(now);
            for session in due.iter().filter_map(Weak::upgrade) {
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
        let due = self.advance(session, now);
        match due {
            Due::Nothing => {}
            Due::Tell(notice) => session.tell(&notice),
            Due::Close => session.socket().close(CloseReason::Expired),
        }
    }

    fn advance(&self, session: &Arc<Session>, now: Timestamp) -> Due {
        let mut term = session.term.lock();
        term.due = None;
        if term.stage == Stage::Over {
            return Due::Nothing;
        }
        if now >= term.ends_at {
            return Due::Close;
        }
        let tell_at = Timestamp::from_unix_ms(term.expires_at.unix_ms().saturating_sub(self.expiring_before_ms));
        if term.stage == Stage::Told || now < tell_at {
            let next = if term.stage == Stage::Told { term.ends_at } else { tell_at };
            self.enter(session, &mut term, next);
            return Due::Nothing;
        }
        term.stage = Stage::Told;
        let next = term.ends_at;
        self.enter(session, &mut term, next);
        Due::Tell(Notice::Expiring { expires_at: term.expires_at })
    }

    fn enter(&self, session: &Arc<Session>, term: &mut Term, at: Timestamp) {
        term.due = Some(at);
        let mut due = self.due.lock();
        let is_first = due.first_key_value().is_none_or(|((first, _), _)| at < *first);
        due.insert((at, session.session()), Arc::downgrade(session));
        drop(due);
        if is_first {
            self.earlier.notify_one();
        }
    }

    fn withdraw(&self, session: &Session, term: &mut Term) {
        if let Some(at) = term.due.take() {
            self.due.lock().remove(&(at, session.session()));
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
