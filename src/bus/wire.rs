//! What crosses the bus: a versioned envelope around events or signals.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::{Epoch, Event, Fact, FeedId, NodeId, Seq, SessionId, Signal, Timestamp, UserId};

/// The version this node writes; a higher one is read as far as feed and head, which means "check this head".
const ENVELOPE_VERSION: u16 = 1;

/// What is inside an [`Envelope`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// Consecutive events of one feed.
    Events(Vec<WireEvent>),
    /// Signals of one conversation.
    Signals(Vec<Signal>),
}

/// An event on its way: kind and version in the open, the rest opaque.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WireEvent {
    seq: Seq,
    at: i64,
    actor: Option<UserId>,
    origin: Option<SessionId>,
    kind: String,
    version: u16,
    body: Box<RawValue>,
}

/// Where an envelope comes from, for traces and for dropping one's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedOrigin {
    /// The node that published it.
    pub node: NodeId,
    /// W3C `traceparent` of the command behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// One message on the bus.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope {
    /// Version of this shape.
    pub version: u16,
    /// The history the seqs belong to.
    pub epoch: Epoch,
    /// The feed concerned.
    pub feed: FeedId,
    /// The highest seq that the sender knows committed; readable in every version.
    pub head: Seq,
    /// Who sent it.
    pub origin: TracedOrigin,
    /// What it carries; none when this node does not understand the version.
    #[serde(default, deserialize_with = "payload_or_none", skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
}

fn payload_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Payload>, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(deserializer)?;
    Ok(raw.and_then(|raw| serde_json::from_str(raw.get()).ok()))
}

impl WireEvent {
    /// Packs an event.
    ///
    /// # Errors
    /// When its body cannot be serialised.
    pub fn pack(event: &Event) -> serde_json::Result<Self> {
        let (kind, version, body) = event.fact.to_parts()?;
        let (seq, at) = (event.seq, event.at.unix_ms());
        Ok(Self { seq, at, actor: event.actor.clone(), origin: event.origin, kind, version, body })
    }

    /// Unpacks it; a kind that this node does not know is kept as it is.
    #[must_use]
    pub fn unpack(self, feed: &FeedId) -> Event {
        Event {
            feed: feed.clone(),
            seq: self.seq,
            at: Timestamp::from_unix_ms(self.at),
            actor: self.actor,
            origin: self.origin,
            fact: Fact::from_parts(&self.kind, self.version, self.body),
        }
    }
}

impl Envelope {
    /// An envelope of this node's version.
    #[must_use]
    pub const fn new(epoch: Epoch, feed: FeedId, head: Seq, origin: TracedOrigin, payload: Payload) -> Self {
        Self { version: ENVELOPE_VERSION, epoch, feed, head, origin, payload: Some(payload) }
    }

    /// As bytes.
    ///
    /// # Errors
    /// When a body cannot be serialised.
    pub fn encode(&self) -> serde_json::Result<Bytes> {
        serde_json::to_vec(self).map(Bytes::from)
    }

    /// From bytes. A higher version keeps feed and head and loses its payload.
    ///
    /// # Errors
    /// When feed or head cannot be read.
    pub fn decode(bytes: &[u8]) -> serde_json::Result<Self> {
        let mut envelope: Self = serde_json::from_slice(bytes)?;
        if envelope.version > ENVELOPE_VERSION {
            envelope.payload = None;
        }
        Ok(envelope)
    }
}
