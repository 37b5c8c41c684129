//! What a native client's acks hold.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::super::view::EventJson;
use super::super::{Answer, Joined, Stretch, SyncItem, Synced};
use crate::domain::{ChatError, ConversationId, Reply, Seq, UserId, Watermarks};

/// `{ok:true, …}` or `{ok:false, error}`.
pub(super) fn ack(result: Result<&Answer, &ChatError>) -> Vec<u8> {
    let json = match result {
        Ok(answer) => serde_json::to_vec(&AnswerJson(answer)),
        Err(error) => serde_json::to_vec(&serde_json::json!({ "ok": false, "error": ErrorJson::of(error) })),
    };
    json.expect("what the domain holds is always representable as JSON")
}

/// A refusal.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorJson<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl<'a> ErrorJson<'a> {
    pub(super) fn of(error: &'a ChatError) -> Self {
        Self { code: error.code.as_str(), message: &error.message, retry_after_ms: error.retry_after_ms }
    }
}

struct AnswerJson<'a>(&'a Answer);

impl Serialize for AnswerJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ok", &true)?;
        match self.0 {
            Answer::Reply(reply) => reply_fields(reply, &mut map)?,
            Answer::Synced(synced) => synced_fields(synced, &mut map)?,
            Answer::Joined(joined) => joined_fields(joined, &mut map)?,
            Answer::Left => {}
            Answer::Refreshed { expires_at } => map.serialize_entry("expiresAt", expires_at)?,
        }
        map.end()
    }
}

fn reply_fields<M: SerializeMap>(reply: &Reply, map: &mut M) -> Result<(), M::Error> {
    match reply {
        Reply::Sent(sent) => {
            map.serialize_entry("message", &sent.message)?;
            map.serialize_entry("duplicate", &sent.duplicate)
        }
        Reply::Watermarks(watermarks) => {
            map.serialize_entry("deliveredSeq", &watermarks.delivered_seq)?;
            map.serialize_entry("readSeq", &watermarks.read_seq)
        }
        Reply::Conversation(_) | Reply::Changed(_) | Reply::Unchanged => Ok(()),
    }
}

fn synced_fields<M: SerializeMap>(synced: &Synced, map: &mut M) -> Result<(), M::Error> {
    map.serialize_entry("epoch", &synced.epoch)?;
    map.serialize_entry("conversations", &ItemsJson(&synced.conversations))?;
    if let Some(personal) = &synced.personal {
        map.serialize_entry("personal", &ItemJson { conversation: None, item: personal })?;
    }
    if let Some(next) = &synced.next {
        map.serialize_entry("next", next)?;
    }
    Ok(())
}

fn joined_fields<M: SerializeMap>(joined: &Joined, map: &mut M) -> Result<(), M::Error> {
    map.serialize_entry("epoch", &joined.epoch)?;
    item_fields(Some(joined.conversation.id), &joined.item, map)?;
    map.serialize_entry("conversation", &joined.conversation)?;
    map.serialize_entry::<_, [UserId]>("typing", &[])?;
    map.serialize_entry::<_, [UserId]>("online", &[])?;
    map.serialize_entry("watermarks", &WatermarksJson(&joined.watermarks))
}

struct ItemsJson<'a>(&'a [(ConversationId, SyncItem)]);

impl Serialize for ItemsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(id, item)| ItemJson { conversation: Some(*id), item }))
    }
}

struct ItemJson<'a> {
    conversation: Option<ConversationId>,
    item: &'a SyncItem,
}

impl Serialize for ItemJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        item_fields(self.conversation, self.item, &mut map)?;
        map.end()
    }
}

fn item_fields<M: SerializeMap>(id: Option<ConversationId>, item: &SyncItem, map: &mut M) -> Result<(), M::Error> {
    if let Some(id) = id {
        map.serialize_entry("conversationId", &id)?;
    }
    match item {
        SyncItem::Stretch(stretch) => stretch_fields(stretch, map),
        SyncItem::Reset { head } => {
            map.serialize_entry("reset", &true)?;
            map.serialize_entry("head", head)
        }
        SyncItem::NotFound => map.serialize_entry("error", "not_found"),
    }
}

fn stretch_fields<M: SerializeMap>(stretch: &Stretch, map: &mut M) -> Result<(), M::Error> {
    map.serialize_entry("from", &stretch.from)?;
    map.serialize_entry("to", &stretch.to)?;
    map.serialize_entry("head", &stretch.head)?;
    map.serialize_entry("complete", &stretch.complete)?;
    map.serialize_entry("events", &EventsJson(stretch))
}

struct EventsJson<'a>(&'a Stretch);

impl Serialize for EventsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.events.iter().map(|event| EventJson(event)))
    }
}

struct WatermarksJson<'a>(&'a [(UserId, Watermarks)]);

impl Serialize for WatermarksJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Shown<'a> {
            user_id: &'a UserId,
            delivered_seq: Seq,
            read_seq: Seq,
        }
        serializer.collect_seq(self.0.iter().map(|(user_id, watermarks)| Shown {
            user_id,
            delivered_seq: watermarks.delivered_seq,
            read_seq: watermarks.read_seq,
        }))
    }
}
