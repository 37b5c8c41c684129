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
    /// Signals of one conversation; those that this node does not know are left out.
    #[serde(deserialize_with = "known_signals")]
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

/// One message on the bus. Every version, also those to come, has all fields but the payload as they are here.
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

fn known_signals<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Signal>, D::Error> {
    let raw = Vec::<Box<RawValue>>::deserialize(deserializer)?;
    Ok(raw.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect())
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{ConversationId, Role, Watermarks};

    fn conversation() -> ConversationId {
        ConversationId::from_uuid(Uuid::from_u128(0x0192_f0c1_2d3e_7a4b_8c5d_6e7f_8091_a2b3))
    }

    fn event(seq: u64, fact: Fact) -> Event {
        Event {
            feed: FeedId::Conversation(conversation()),
            seq: Seq(seq),
            at: Timestamp::from_unix_ms(1_795_222_923_004),
            actor: Some(UserId::parse("ann").unwrap()),
            origin: Some(SessionId::from_uuid(Uuid::from_u128(9))),
            fact,
        }
    }

    fn envelope(payload: Payload) -> Envelope {
        let node = NodeId::parse("n1").unwrap();
        let origin =
            TracedOrigin { node, trace: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()) };
        let epoch = Epoch::from_uuid(Uuid::from_u128(1));
        Envelope::new(epoch, FeedId::Conversation(conversation()), Seq(8), origin, payload)
    }

    fn joined() -> Fact {
        Fact::MemberAdded { user: UserId::parse("bob").unwrap(), role: Role::Member, by: None }
    }

    fn as_json(envelope: &Envelope) -> serde_json::Value {
        serde_json::from_slice(&envelope.encode().unwrap()).unwrap()
    }

    fn decoded(json: &serde_json::Value) -> serde_json::Result<Envelope> {
        Envelope::decode(json.to_string().as_bytes())
    }

    #[test]
    fn events_arrive_as_they_were_sent_also_those_of_unknown_kinds() {
        let body = RawValue::from_string(r#"{"question":"lunch?","votes":[1,2]}"#.into()).unwrap();
        let unknown = Fact::Unknown { kind: "poll.opened".into(), version: 3, body };
        let sent = [event(7, joined()), event(8, unknown)];
        let packed = sent.iter().map(|event| WireEvent::pack(event).unwrap()).collect();
        let arrived = Envelope::decode(&envelope(Payload::Events(packed)).encode().unwrap()).unwrap();
        assert_eq!(arrived.head, Seq(8));
        assert_eq!(arrived.origin.node.as_str(), "n1");
        let Some(Payload::Events(events)) = arrived.payload else { panic!("the events are gone") };
        let events: Vec<Event> = events.into_iter().map(|event| event.unpack(&arrived.feed)).collect();
        assert_eq!(events, sent);
    }

    #[test]
    fn a_future_version_keeps_what_is_needed_to_check_the_head() {
        let mut json = as_json(&envelope(Payload::Events(Vec::new())));
        json["version"] = 2.into();
        json["compressed"] = true.into();
        for payload in [serde_json::json!({ "events": [] }), serde_json::json!("zstd:…"), serde_json::json!([1])] {
            json["payload"] = payload;
            let arrived = decoded(&json).unwrap();
            assert_eq!((arrived.feed, arrived.head), (FeedId::Conversation(conversation()), Seq(8)));
            assert!(arrived.payload.is_none());
        }
    }

    #[test]
    fn a_payload_of_this_version_that_cannot_be_read_means_check_the_head_too() {
        let mut json = as_json(&envelope(Payload::Events(Vec::new())));
        for payload in [serde_json::json!({ "polls": [] }), serde_json::json!({ "events": [{ "seq": -1 }] })] {
            json["payload"] = payload;
            assert!(decoded(&json).unwrap().payload.is_none());
        }
        json.as_object_mut().unwrap().remove("payload");
        assert!(decoded(&json).unwrap().payload.is_none());
    }

    #[test]
    fn an_unknown_signal_does_not_take_the_known_ones_with_it() {
        let (user, from) = (UserId::parse("ann").unwrap(), Watermarks::default());
        let receipt = Signal::Receipt { conversation: conversation(), user, from, to: from };
        let mut json = as_json(&envelope(Payload::Signals(vec![receipt.clone()])));
        let unknown = serde_json::json!({ "signal": "waving", "hands": 2 });
        json["payload"]["signals"].as_array_mut().unwrap().insert(0, unknown);
        let Some(Payload::Signals(signals)) = decoded(&json).unwrap().payload else { panic!("the signals are gone") };
        assert_eq!(signals, [receipt]);
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        let deep = "[".repeat(100_000);
        let long = format!("{{\"version\":1,\"payload\":{deep}");
        for foreign in ["", "null", "{}", "[1]", "\u{0}", "{\"version\":1}", deep.as_str(), long.as_str()] {
            assert!(Envelope::decode(foreign.as_bytes()).is_err());
        }
        let mut json = as_json(&envelope(Payload::Events(Vec::new())));
        json["feed"] = serde_json::json!({ "user": "not a user id" });
        assert!(decoded(&json).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_end_the_process(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = Envelope::decode(&bytes);
        }

        #[test]
        fn no_broken_envelope_ends_the_process(at in 0_usize..400, byte in any::<u8>(), cut in 0_usize..400) {
            let packed = vec![WireEvent::pack(&event(8, joined())).unwrap()];
            let mut bytes = envelope(Payload::Events(packed)).encode().unwrap().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            if let Ok(Envelope { payload: Some(Payload::Events(events)), feed, .. }) = Envelope::decode(&bytes) {
                events.into_iter().for_each(|event| drop(event.unpack(&feed)));
            }
        }
    }
}
