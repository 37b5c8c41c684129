//! Messages: as somebody wants to send them, and as they are.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{ClientId, ConversationId, MessageId, ProfileCard, Seq, Timestamp, UserId};

/// The words: a text, or a JSON object that Rookery does not look into.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Content {
    /// Plain text without NUL.
    Text(String),
    /// An opaque JSON object, kept as it came.
    Object(Box<RawValue>),
}

// By hand: serde's untagged enums read into a tree first, and a raw value cannot be had from that.
impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw.get()).map(Self::Text).map_err(serde::de::Error::custom),
            Some(b'{') => Ok(Self::Object(raw)),
            Some(_) | None => Err(serde::de::Error::custom("content is a text or an object")),
        }
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => a.get() == b.get(),
            (Self::Text(_), Self::Object(_)) | (Self::Object(_), Self::Text(_)) => false,
        }
    }
}

/// What the client calls the message: `text` unless it says otherwise; 1–32 characters of `a-z 0-9 _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct MessageKind(pub String);

impl Default for MessageKind {
    fn default() -> Self {
        Self("text".into())
    }
}

/// A checked wish to send; only [`Draft`]s that a door has parsed reach the core.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Made by the node that accepts the send; a retry brings another one, which the store then drops.
    pub id: MessageId,
    /// The words; not empty, ≤ `limits.message_bytes`.
    pub content: Content,
    /// What sort of message.
    pub kind: MessageKind,
    /// The message that this one answers; of the same conversation.
    pub reply_to: Option<ReplyTarget>,
    /// Who is named, listed or in the text; distinct, ≤ 50. Only members count.
    pub mentions: Vec<UserId>,
}

/// The message that a draft answers.
pub type ReplyTarget = MessageId;

/// What a reply shows of the message it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplyTo {
    /// The answered message.
    pub id: MessageId,
    /// Who wrote it.
    pub sender_id: String,
    /// Its first 100 characters; none once it is deleted.
    pub excerpt: Option<String>,
}

/// One emoji on a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reaction {
    /// One grapheme, ≤ 64 bytes.
    pub emoji: String,
    /// How many users.
    pub count: u32,
    /// The first 50 of them.
    pub user_ids: Vec<UserId>,
}

/// A message as it is now; the same whether live, re-read or fetched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Where it was sent.
    pub conversation_id: ConversationId,
    /// The place of its `message.new` in the conversation's feed.
    pub seq: Seq,
    /// Who sent it; `deleted` for an erased user.
    pub sender_id: String,
    /// The sender's public face.
    pub sender: ProfileCard,
    /// The sender's own name for it.
    pub client_id: Option<ClientId>,
    /// What sort of message.
    #[serde(rename = "type")]
    pub kind: MessageKind,
    /// The words; none once deleted.
    #[schema(value_type = Option<serde_json::Value>)]
    pub content: Option<Content>,
    /// Files, as opaque objects.
    pub attachments: Vec<serde_json::Value>,
    /// What it answers.
    pub reply_to: Option<ReplyTo>,
    /// Who is named.
    pub mentions: Vec<UserId>,
    /// Emojis, oldest first.
    pub reactions: Vec<Reaction>,
    /// Since when it is pinned.
    pub pinned_at: Option<Timestamp>,
    /// Rises strictly within a conversation: dialect clients sort by it.
    pub created_at: Timestamp,
    /// When the words last changed.
    pub edited_at: Option<Timestamp>,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_kept_to_the_letter_and_a_text_is_a_text() {
        for (json, object) in [(r#"{"b" : 1,"a":[1.50]}"#, true), (r#""hi""#, false)] {
            let content: Content = serde_json::from_str(json).unwrap();
            assert_eq!(matches!(content, Content::Object(_)), object);
            assert_eq!(serde_json::to_string(&content).unwrap(), json);
        }
        for bad in ["1", "[]", "null", "true"] {
            assert!(serde_json::from_str::<Content>(bad).is_err(), "{bad}");
        }
    }
}
