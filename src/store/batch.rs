//! What both engines do around one call that writes a batch: screen it, cut it into steps, and set a bad write apart.

use std::collections::HashSet;

use async_trait::async_trait;
use uuid::Uuid;

use super::{Append, Outcome, StoreError, WriteAct};
use crate::domain::{Content, Event};

/// Whether to wait for a conversation that another transaction holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Up to the lock timeout.
    Wait,
    /// Not at all: its writes are [`Outcome::Busy`].
    Skip,
}

/// Why a call came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// One of the writes does not fit into a column or breaks a constraint; nothing happened.
    Poison(String),
    /// Anything else.
    Store(StoreError),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Poison(what) => Self::Refused(what),
            Failure::Store(error) => error,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What an engine decided about one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Written,
    Duplicate,
    Unchanged,
    NotFound,
    Forbidden,
    Busy,
    NoSender,
    ReplyElsewhere,
    UnknownUser,
    LastOwner,
}

impl Verdict {
    /// As the functions of the migrations spell it.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "written" => Self::Written,
            "duplicate" => Self::Duplicate,
            "unchanged" => Self::Unchanged,
            "not_found" => Self::NotFound,
            "forbidden" => Self::Forbidden,
            "busy" => Self::Busy,
            "no_sender" => Self::NoSender,
            "reply_elsewhere" => Self::ReplyElsewhere,
            "unknown_user" => Self::UnknownUser,
            "last_owner" => Self::LastOwner,
            _ => return None,
        })
    }

    /// The outcome, with the events that were written or found.
    pub(super) fn outcome(self, mut events: Vec<Event>) -> Result<Outcome, StoreError> {
        Ok(match self {
            Self::Written if events.is_empty() => {
                return Err(StoreError::Defect("a written event was not found".into()));
            }
            Self::Written => Outcome::Written(events),
            Self::Duplicate => match events.pop() {
                Some(event) => Outcome::Duplicate(Box::new(event)),
                None => return Err(StoreError::Defect("the event of a duplicate was not found".into())),
            },
            Self::Unchanged => Outcome::Unchanged,
            Self::NotFound => Outcome::NotFound,
            Self::Forbidden => Outcome::Forbidden,
            Self::Busy => Outcome::Busy,
            Self::NoSender => Outcome::Invalid("a message needs a sender"),
            Self::ReplyElsewhere => Outcome::Invalid("replyTo is no message of this conversation"),
            Self::UnknownUser => Outcome::Invalid("no such user"),
            Self::LastOwner => Outcome::Conflict("the last owner cannot step down"),
        })
    }
}

/// One call of an engine: all of it happens, or nothing.
#[async_trait]
pub(super) trait Attempt: Sync {
    /// Writes these in one transaction.
    async fn attempt(&self, writes: &[&Append], patience: Patience) -> Result<Vec<Outcome>, Failure>;
}

/// Writes a batch by as few calls as possible: one, unless a write in it is poison. Then halves are tried, in order, until
/// the bad one is alone.
pub(super) async fn write(engine: &impl Attempt, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
    let writes: Vec<&Append> = batch.iter().filter(|write| !has_nul(write)).collect();
    let mut written = match writes.split_first() {
        None => Vec::new(),
        Some((first, rest)) => {
            let alone = rest.iter().all(|write| write.conversation == first.conversation);
            match engine.attempt(&writes, if alone { Patience::Wait } else { Patience::Skip }).await {
                Err(Failure::Poison(what)) => set_apart(engine, &writes, what).await?,
                outcomes => outcomes?,
            }
        }
    }
    .into_iter();
    let nul = Outcome::Invalid("text must not hold a NUL character");
    let outcomes = batch.iter().map(|write| if has_nul(write) { Some(nul.clone()) } else { written.next() });
    outcomes.collect::<Option<_>>().ok_or_else(|| StoreError::Defect("fewer outcomes than writes".into()))
}

/// Writes around the poison that an attempt at all of these met.
async fn set_apart(engine: &impl Attempt, writes: &[&Append], what: String) -> Result<Vec<Outcome>, StoreError> {
    let mut written = Vec::with_capacity(writes.len());
    let mut pieces = vec![(writes, Err(Failure::Poison(what)))];
    while let Some((piece, attempt)) = pieces.pop() {
        let result = match attempt {
            // The failed attempt may hold its locks for a moment still: its own pieces wait for them.
            Ok(()) => engine.attempt(piece, Patience::Wait).await,
            Err(failure) => Err(failure),
        };
        match result {
            Ok(outcomes) => written.extend(outcomes),
            Err(Failure::Poison(what)) if piece.len() == 1 => {
                tracing::warn!(conversation.id = %piece[0].conversation, "a write was set apart: {what}");
                written.push(Outcome::Invalid("this cannot be stored"));
            }
            Err(Failure::Poison(_)) => {
                let (left, right) = piece.split_at(piece.len() / 2);
                pieces.extend([(right, Ok(())), (left, Ok(()))]);
            }
            // What follows must not overtake what could not be written.
            Err(Failure::Store(StoreError::Busy(_))) => break,
            Err(Failure::Store(error)) => return Err(error),
        }
    }
    written.resize(writes.len(), Outcome::Busy);
    Ok(written)
}

/// Postgres cannot store a NUL, so no engine does.
fn has_nul(write: &Append) -> bool {
    let in_text = |text: &str| memchr::memchr(0, text.as_bytes()).is_some();
    let in_field = |field: &Option<Option<String>>| field.iter().flatten().any(|text| in_text(text));
    match &write.act {
        WriteAct::Send(draft) => {
            in_text(&draft.kind.0)
                || match &draft.content {
                    Content::Text(text) => in_text(text),
                    Content::Object(json) => in_text(json.get()),
                }
        }
        WriteAct::AddMember(..) | WriteAct::RemoveMember(_) | WriteAct::SetRole(..) => false,
        WriteAct::Update(patch) => in_field(&patch.title) || in_field(&patch.avatar),
    }
}

/// The last place (from 0) of each step. A step is a stretch of sends that do not depend on one another (none repeats another's
/// clientId or answers another), so that judging them together is the same as one after the other; or one other act.
pub(super) fn steps(writes: &[&Append]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut keys = HashSet::new();
    let mut messages = HashSet::new();
    let mut after_act = true;
    for (place, write) in writes.iter().enumerate() {
        let WriteAct::Send(draft) = &write.act else {
            ends.extend(place.checked_sub(1));
            after_act = true;
            continue;
        };
        let key = (write.conversation, write.actor.as_ref(), &write.client_id);
        let depends = keys.contains(&key) || draft.reply_to.is_some_and(|answered| messages.contains(&answered));
        if after_act || depends {
            ends.extend(place.checked_sub(1));
            keys.clear();
            messages.clear();
        }
        after_act = false;
        keys.insert(key);
        messages.insert(draft.id);
    }
    ends.extend(writes.len().checked_sub(1));
    ends
}

/// The feeds that a batch writes, each once, in lock order.
pub(super) fn feeds(writes: &[&Append]) -> Vec<Uuid> {
    let mut feeds: Vec<Uuid> = writes.iter().map(|write| write.conversation.as_uuid()).collect();
    feeds.sort_unstable();
    feeds.dedup();
    feeds
}
