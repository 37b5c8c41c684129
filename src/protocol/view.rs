//! How an event looks in JSON, on the socket and over REST alike.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::fields::Fields;
use super::native::event_name;
use crate::domain::{Event, Fact, FeedId};

/// An event in a list of events: its native payload with its name added as `event`.
///
/// # Panics
/// Never: what the domain holds is always representable as JSON.
#[must_use]
pub fn event_view(event: &Event) -> Box<RawValue> {
    to_raw_value(&EventJson(event)).expect("what the domain holds is always representable as JSON")
}

/// The payload of an event with its name in front.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventJson<'a>(pub &'a Event);

impl Serialize for EventJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("event", &event_name(&self.0.fact))?;
        event_fields(self.0, &mut map)?;
        map.end()
    }
}

/// An event as it is emitted by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventPayload<'a>(pub &'a Event);

impl Serialize for EventPayload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        event_fields(self.0, &mut map)?;
        map.end()
    }
}

/// The place of the event, then what happened.
fn event_fields<M: SerializeMap>(event: &Event, map: &mut M) -> Result<(), M::Error> {
    match &event.feed {
        FeedId::Conversation(id) => {
            map.serialize_entry("conversationId", id)?;
            map.serialize_entry("seq", &event.seq)?;
        }
        FeedId::User(_) => map.serialize_entry("personalSeq", &event.seq)?,
    }
    match &event.fact {
        Fact::MessageNew(message) => map.serialize_entry("message", message),
        Fact::MemberAdded { user, role, by } | Fact::MemberRole { user, role, by } => {
            map.serialize_entry("userId", user)?;
            map.serialize_entry("role", role)?;
            map.serialize_entry("by", by)
        }
        Fact::MemberRemoved { user, by } => {
            map.serialize_entry("userId", user)?;
            map.serialize_entry("by", by)
        }
        Fact::ConversationUpdated(conversation) => map.serialize_entry("conversation", conversation),
        Fact::ConversationAdded { conversation, from_seq } => {
            map.serialize_entry("conversation", conversation)?;
            map.serialize_entry("fromSeq", from_seq)
        }
        Fact::ConversationRemoved { conversation } => map.serialize_entry("conversationId", conversation),
        Fact::Unknown { body, .. } => unknown_fields(&event.feed, body, map),
    }
}

/// The fields of a body that nobody here understands, without those that would hide the event's place.
fn unknown_fields<M: SerializeMap>(feed: &FeedId, body: &RawValue, map: &mut M) -> Result<(), M::Error> {
    let Ok(fields) = Fields::parse("body", body.get()) else { return Ok(()) };
    for (name, value) in fields.iter() {
        let is_place = match feed {
            FeedId::Conversation(_) => matches!(name, "conversationId" | "seq"),
            FeedId::User(_) => name == "personalSeq",
        };
        if !is_place && name != "event" {
            map.serialize_entry(name, value)?;
        }
    }
    Ok(())
}
