//! Renders rows into the words of the domain: one way for live results, re-reads and history, on every engine.
//!
//! The engines' views and statements use the same column names, so that a derived reader fits the rows of each.

use serde_json::value::RawValue;
use sqlx::FromRow;
use uuid::Uuid;

use super::StoreError;
use crate::domain::{
    ClientId, Content, Conversation, ConversationId, ConversationKind, ConversationView, Event, Fact, FeedId,
    KIND_VERSION, Member, Membership, Message, MessageId, MessageKind, Profile, ProfileCard, ReplyTo, Role, Seq,
    SessionId, Timestamp, UserId, Watermarks,
};

/// A value that should not be where it was found.
pub(super) fn defect(what: impl std::fmt::Display) -> StoreError {
    StoreError::Defect(what.to_string())
}

fn present<T>(value: Option<T>, column: &'static str) -> Result<T, StoreError> {
    value.ok_or_else(|| defect(format_args!("column {column} has no value")))
}

/// A stored place; never negative.
pub(super) fn seq(value: i64) -> Result<Seq, StoreError> {
    u64::try_from(value).map(Seq).map_err(defect)
}

/// A place as it is stored; beyond what can be stored means the end.
pub(super) fn stored_seq(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

/// A stored user id.
pub(super) fn user_id(text: &str) -> Result<UserId, StoreError> {
    UserId::parse(text).map_err(defect)
}

/// The rank of a role as it is stored.
pub(super) const fn rank(role: Role) -> i16 {
    match role {
        Role::Member => 1,
        Role::Admin => 2,
        Role::Owner => 3,
    }
}

/// A stored rank.
pub(super) fn role(rank: i16) -> Result<Role, StoreError> {
    match rank {
        1 => Ok(Role::Member),
        2 => Ok(Role::Admin),
        3 => Ok(Role::Owner),
        other => Err(defect(format_args!("no role has rank {other}"))),
    }
}

/// The name of a kind as it is stored.
pub(super) const fn kind_name(kind: ConversationKind) -> &'static str {
    match kind {
        ConversationKind::Direct => "direct",
        ConversationKind::Group => "group",
        ConversationKind::Channel => "channel",
    }
}

/// A stored kind.
pub(super) fn kind(name: &str) -> Result<ConversationKind, StoreError> {
    match name {
        "direct" => Ok(ConversationKind::Direct),
        "group" => Ok(ConversationKind::Group),
        "channel" => Ok(ConversationKind::Channel),
        other => Err(defect(format_args!("no conversation is a {other}"))),
    }
}

/// User ids as they are stored in one column; none for none.
pub(super) fn stored_ids(ids: &[UserId]) -> Option<String> {
    (!ids.is_empty()).then(|| ids.iter().map(UserId::as_str).collect::<Vec<_>>().join(" "))
}

/// A message as the engines render it; all columns are empty where an outer join found none.
#[derive(Debug, FromRow)]
pub(super) struct MessageRow {
    id: Option<Uuid>,
    conversation: Option<Uuid>,
    seq: Option<i64>,
    sender: Option<String>,
    client_id: Option<String>,
    kind: Option<String>,
    content: Option<String>,
    content_json: Option<bool>,
    mentions: Option<String>,
    reply_to: Option<Uuid>,
    created_at: Option<i64>,
    edited_at: Option<i64>,
    deleted_at: Option<i64>,
    pinned_at: Option<i64>,
    sender_name: Option<String>,
    sender_username: Option<String>,
    sender_avatar: Option<String>,
    reply_sender: Option<String>,
    reply_excerpt: Option<String>,
}

impl MessageRow {
    /// The message, where there is one.
    pub(super) fn into_message(self) -> Result<Option<Message>, StoreError> {
        let Some(id) = self.id else { return Ok(None) };
        let sender_id = present(self.sender, "sender")?;
        let content = match (self.content, present(self.content_json, "content_json")?) {
            (Some(json), true) => Some(Content::Object(RawValue::from_string(json).map_err(defect)?)),
            (Some(text), false) => Some(Content::Text(text)),
            (None, _) => None,
        };
        let mentions = self.mentions.unwrap_or_default();
        Ok(Some(Message {
            id: MessageId::from_uuid(id),
            conversation_id: ConversationId::from_uuid(present(self.conversation, "conversation")?),
            seq: seq(present(self.seq, "seq")?)?,
            sender: ProfileCard {
                id: sender_id.clone(),
                name: self.sender_name.unwrap_or_else(|| sender_id.clone()),
                username: self.sender_username,
                avatar: self.sender_avatar,
            },
            sender_id,
            client_id: self.client_id.map(|id| ClientId::parse(&id)).transpose().map_err(defect)?,
            kind: MessageKind(present(self.kind, "kind")?),
            content,
            attachments: Vec::new(),
            reply_to: self.reply_to.map(|id| ReplyTo {
                id: MessageId::from_uuid(id),
                sender_id: self.reply_sender.unwrap_or_else(|| "deleted".into()),
                excerpt: self.reply_excerpt,
            }),
            mentions: mentions.split_whitespace().map(user_id).collect::<Result<_, _>>()?,
            reactions: Vec::new(),
            pinned_at: self.pinned_at.map(Timestamp::from_unix_ms),
            created_at: Timestamp::from_unix_ms(present(self.created_at, "created_at")?),
            edited_at: self.edited_at.map(Timestamp::from_unix_ms),
            deleted_at: self.deleted_at.map(Timestamp::from_unix_ms),
        }))
    }
}

/// Content as it is stored: its text, and whether that is JSON.
pub(super) fn stored_content(content: &Content) -> (&str, bool) {
    match content {
        Content::Text(text) => (text, false),
        Content::Object(json) => (json.get(), true),
    }
}

/// A conversation as the engines render it.
#[derive(Debug, FromRow)]
pub(super) struct ConversationRow {
    about_id: Option<Uuid>,
    about_kind: Option<String>,
    about_title: Option<String>,
    about_avatar: Option<String>,
    about_retention_days: Option<i32>,
    about_created_at: Option<i64>,
    about_head: Option<i64>,
}

impl ConversationRow {
    /// The conversation.
    pub(super) fn into_conversation(self) -> Result<Conversation, StoreError> {
        Ok(Conversation {
            id: ConversationId::from_uuid(present(self.about_id, "about_id")?),
            kind: kind(&present(self.about_kind, "about_kind")?)?,
            title: self.about_title,
            avatar: self.about_avatar,
            retention_days: self.about_retention_days.map(u32::try_from).transpose().map_err(defect)?,
            created_at: Timestamp::from_unix_ms(present(self.about_created_at, "about_created_at")?),
            head: seq(present(self.about_head, "about_head")?)?,
        })
    }
}

/// An event as the engines render it; all columns are empty where an outer join found none.
#[derive(Debug, FromRow)]
pub(super) struct EventRow {
    event_seq: Option<i64>,
    event_at: Option<i64>,
    event_kind: Option<String>,
    event_version: Option<i16>,
    event_actor: Option<String>,
    event_origin: Option<Uuid>,
    event_args: Option<String>,
    #[sqlx(flatten)]
    message: MessageRow,
    #[sqlx(flatten)]
    about: ConversationRow,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddedArgs {
    from_seq: Seq,
}

impl EventRow {
    /// The event, where there is one.
    pub(super) fn into_event(self, feed: FeedId) -> Result<Option<Event>, StoreError> {
        let Some(place) = self.event_seq else { return Ok(None) };
        let actor = self.event_actor.filter(|actor| !actor.is_empty()).map(|actor| user_id(&actor)).transpose()?;
        let kind = present(self.event_kind, "event_kind")?;
        let version = u16::try_from(present(self.event_version, "event_version")?).map_err(defect)?;
        let args = self.event_args.unwrap_or_else(|| "{}".into());
        // What has a higher version, or a kind that is not drawn from other tables, says all in its arguments.
        let fact = match kind.as_str() {
            "message.new" if version <= KIND_VERSION => {
                Fact::MessageNew(Box::new(present(self.message.into_message()?, "id")?))
            }
            "conversation.updated" if version <= KIND_VERSION => {
                Fact::ConversationUpdated(Box::new(self.about.into_conversation()?))
            }
            "conversation.added" if version <= KIND_VERSION => Fact::ConversationAdded {
                conversation: Box::new(self.about.into_conversation()?),
                from_seq: serde_json::from_str::<AddedArgs>(&args).map_err(defect)?.from_seq,
            },
            _ => Fact::from_parts(&kind, version, RawValue::from_string(args).map_err(defect)?),
        };
        Ok(Some(Event {
            feed,
            seq: seq(place)?,
            at: Timestamp::from_unix_ms(present(self.event_at, "event_at")?),
            actor,
            origin: self.event_origin.map(SessionId::from_uuid),
            fact,
        }))
    }
}

/// A user as stored.
#[derive(Debug, FromRow)]
pub(super) struct ProfileRow {
    id: String,
    name: String,
    username: Option<String>,
    avatar: Option<String>,
    email: Option<String>,
}

impl ProfileRow {
    /// The profile.
    pub(super) fn into_profile(self) -> Result<Profile, StoreError> {
        let id = user_id(&self.id)?;
        Ok(Profile { id, name: self.name, username: self.username, avatar: self.avatar, email: self.email })
    }
}

/// A member as the engines render it.
#[derive(Debug, FromRow)]
pub(super) struct MemberRow {
    user_id: String,
    role: i16,
    name: String,
    joined_at: i64,
}

impl MemberRow {
    /// The member.
    pub(super) fn into_member(self) -> Result<Member, StoreError> {
        Ok(Member {
            user_id: user_id(&self.user_id)?,
            role: role(self.role)?,
            name: self.name,
            joined_at: Timestamp::from_unix_ms(self.joined_at),
        })
    }
}

/// A pair of watermarks as stored.
#[derive(Debug, FromRow)]
pub(super) struct WatermarksRow {
    delivered_seq: i64,
    read_seq: i64,
}

impl WatermarksRow {
    /// The watermarks.
    pub(super) fn into_watermarks(self) -> Result<Watermarks, StoreError> {
        Ok(Watermarks { delivered_seq: seq(self.delivered_seq)?, read_seq: seq(self.read_seq)? })
    }
}

/// A conversation as one member sees it.
#[derive(Debug, FromRow)]
pub(super) struct ViewRow {
    /// When something last happened there; orders the list.
    pub(super) last_at: i64,
    unread: i64,
    role: i16,
    muted_until: Option<i64>,
    archived: bool,
    #[sqlx(flatten)]
    watermarks: WatermarksRow,
    #[sqlx(flatten)]
    about: ConversationRow,
    #[sqlx(flatten)]
    last_message: MessageRow,
}

impl ViewRow {
    /// The view.
    pub(super) fn into_view(self) -> Result<ConversationView, StoreError> {
        let conversation = self.about.into_conversation()?;
        Ok(ConversationView {
            unread_count: u32::try_from(self.unread).map_err(defect)?,
            at_seq: conversation.head,
            conversation,
            last_message: self.last_message.into_message()?,
            watermarks: self.watermarks.into_watermarks()?,
            membership: Membership {
                role: role(self.role)?,
                muted_until: self.muted_until.map(Timestamp::from_unix_ms),
                archived: self.archived,
            },
        })
    }
}
