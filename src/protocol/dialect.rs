//! What a vocabulary is: a stateless translation in both directions.
//!
//! To add a dialect: 1. implement [`Dialect`] in a file or folder of its own; 2. add its line to `registry.rs`; 3. add a
//! folder of golden cases in `tests/it/golden`.

use std::borrow::Cow;

use serde::Serialize;
use smallvec::SmallVec;

use super::{Answer, Args, Ask, Notice};
use crate::domain::{ChatError, DialectName, Event, Signal};

/// Whether the client asked for an ack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckWish {
    /// It waits for one.
    Wanted,
    /// It does not.
    None,
}

/// One Socket.IO event on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emission {
    /// The event's name on the wire.
    pub name: Cow<'static, str>,
    /// Its one argument, as JSON.
    pub payload: Vec<u8>,
}

/// What one thing becomes in a vocabulary: nothing, one event, or several in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Emissions(SmallVec<[Emission; 1]>);

impl Emissions {
    /// Adds an event with one argument.
    ///
    /// # Panics
    /// Never: what the domain holds is always representable as JSON.
    pub fn emit(&mut self, name: impl Into<Cow<'static, str>>, payload: &impl Serialize) {
        let payload = serde_json::to_vec(payload).expect("what the domain holds is always representable as JSON");
        self.0.push(Emission { name: name.into(), payload });
    }

    /// Whether the vocabulary has no word for it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for Emissions {
    type Item = Emission;
    type IntoIter = smallvec::IntoIter<[Emission; 1]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// A vocabulary. Holds no state and does no I/O: what it makes of a thing depends on the thing alone, so that it can be
/// encoded once for all sessions of a node.
pub trait Dialect: Send + Sync {
    /// Its name in `auth.dialect`, in settings and in metrics.
    fn name(&self) -> DialectName;

    /// The namespace where it is spoken: `/`, unless its clients want one of their own.
    fn namespace(&self) -> &'static str;

    /// Whether a socket that has not said its dialect shows by this event that it speaks this one and no other.
    fn reveals(&self, name: &str, args: Args<'_>) -> bool;

    /// What a client's event asks for.
    ///
    /// # Errors
    /// `invalid`, naming the field that is wrong; also for an event that this vocabulary does not have.
    fn decode(&self, name: &str, args: Args<'_>) -> Result<Ask, ChatError>;

    /// A durable event; everybody who reads the feed in this vocabulary gets these bytes.
    fn event(&self, event: &Event, out: &mut Emissions);

    /// A signal.
    fn signal(&self, signal: &Signal, out: &mut Emissions);

    /// What concerns the session itself.
    fn notice(&self, notice: &Notice, out: &mut Emissions);

    /// The one argument of the ack, as JSON.
    fn ack(&self, result: Result<&Answer, &ChatError>) -> Vec<u8>;

    /// What is said beside the ack, or in its place when none was asked for.
    fn beside(&self, result: Result<&Answer, &ChatError>, ack: AckWish, out: &mut Emissions);

    /// The message of a refused handshake, as people see it in `connect_error`.
    fn refusal(&self, error: &ChatError) -> String;
}
