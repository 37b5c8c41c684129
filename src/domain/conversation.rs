//! Conversations, their members and what the members have seen.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ClientId, ConversationId, Message, Seq, Timestamp, UserId};

/// What sort of conversation it is; fixed at creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConversationKind {
    /// Two people; unique per pair.
    Direct,
    /// Everybody may send.
    Group,
    /// Only owner and admins send.
    Channel,
}

/// What a member may do; ordered, a higher role may all that a lower one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sends, reacts, edits and deletes the own.
    Member,
    /// Also adds and removes members, retitles, pins, deletes others' messages.
    Admin,
    /// Also changes roles, removes admins, deletes the conversation.
    Owner,
}

/// A conversation as everybody in it sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    /// Its id, and the name of its feed.
    pub id: ConversationId,
    /// Direct, group or channel.
    pub kind: ConversationKind,
    /// ≤ 200 characters; none for directs.
    pub title: Option<String>,
    /// URL of a picture. ≤ 2,048 bytes.
    pub avatar: Option<String>,
    /// Messages older than this many days are deleted; none keeps them.
    pub retention_days: Option<u32>,
    /// When it was created.
    pub created_at: Timestamp,
    /// The highest seq of its feed when this was read.
    pub head: Seq,
}

/// One person in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// What they may do.
    pub role: Role,
    /// Display name.
    pub name: String,
    /// Since when.
    pub joined_at: Timestamp,
}

/// A member's own settings for one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// What they may do.
    pub role: Role,
    /// No notifications until then.
    pub muted_until: Option<Timestamp>,
    /// Put away by this member.
    pub archived: bool,
}

/// How far a member has come in a conversation: two numbers that only rise, `read_seq ≤ delivered_seq ≤ head`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Watermarks {
    /// Everything up to here has reached one of the member's devices.
    pub delivered_seq: Seq,
    /// Everything up to here has been read.
    pub read_seq: Seq,
}

/// A conversation as one member sees it in the list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationView {
    /// The conversation itself.
    #[serde(flatten)]
    pub conversation: Conversation,
    /// Others' undeleted messages after the read watermark, since joining; stops at 1,000.
    pub unread_count: u32,
    /// The head that `unread_count` was counted at.
    pub at_seq: Seq,
    /// The newest message, as it is now.
    pub last_message: Option<Message>,
    /// The caller's own watermarks.
    #[serde(flatten)]
    pub watermarks: Watermarks,
    /// The caller's own settings.
    pub membership: Membership,
}

/// A conversation to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationDraft {
    /// Made by the node, or given by the service API.
    pub id: ConversationId,
    /// Direct, group or channel.
    pub kind: ConversationKind,
    /// ≤ 200 characters.
    pub title: Option<String>,
    /// Who makes it and becomes its owner; none for one made by the service API without an owner.
    pub owner: Option<UserId>,
    /// The others, without the owner; ≤ 1,000, distinct.
    pub members: Vec<UserId>,
    /// Makes a retry answer the first result, per owner.
    pub client_id: Option<ClientId>,
}

/// What may change about a conversation; the outer `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationPatch {
    /// New title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Option<String>>,
    /// New picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Option<String>>,
    /// New retention.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<Option<u32>>,
}

/// What a creation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConversationChange {
    /// It is new.
    Created(Conversation),
    /// It was there already: the same direct pair, the same clientId, or the same given id.
    Existing(Conversation),
}
