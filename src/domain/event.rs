//! What happens in a feed and stays.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::{Conversation, ConversationId, FeedId, Message, Role, Seq, SessionId, Timestamp, UserId};

/// Version of the kinds below; an event of a higher version is handed on as [`Fact::Unknown`].
pub const KIND_VERSION: u16 = 1;

/// A durable thing in a feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The feed it belongs to.
    pub feed: FeedId,
    /// Its place there.
    pub seq: Seq,
    /// When it was committed, by the store's clock; rises strictly within a feed.
    pub at: Timestamp,
    /// Who did it; none for the system and for the service API acting by itself.
    pub actor: Option<UserId>,
    /// The socket it came through, if any: dialects that confirm to the sending socket look at it.
    pub origin: Option<SessionId>,
    /// What happened, rendered from the present state.
    pub fact: Fact,
}

/// What happened. The store keeps facts, not words: a message inside is the message as it is now.
#[derive(Debug, Clone)]
pub enum Fact {
    /// A message was sent.
    MessageNew(Box<Message>),
    /// Somebody joined.
    MemberAdded {
        /// Who joined.
        user: UserId,
        /// As what.
        role: Role,
        /// Who added them; none for the service API.
        by: Option<UserId>,
    },
    /// Somebody left or was removed: their last event of this feed.
    MemberRemoved {
        /// Who is gone.
        user: UserId,
        /// Who removed them; themselves when they left.
        by: Option<UserId>,
    },
    /// A member's role changed.
    MemberRole {
        /// Whose role.
        user: UserId,
        /// The new one.
        role: Role,
        /// Who changed it.
        by: Option<UserId>,
    },
    /// Title, picture or retention changed; shows the conversation as it is now.
    ConversationUpdated(Box<Conversation>),
    /// Personal: the user is in a conversation from now on.
    ConversationAdded {
        /// The conversation as it is now.
        conversation: Box<Conversation>,
        /// The cursor from which nothing since joining is missed.
        from_seq: Seq,
    },
    /// Personal: the user is no longer in a conversation.
    ConversationRemoved {
        /// Which one.
        conversation: ConversationId,
    },
    /// A kind that this version does not know: native clients get it as it is, dialects skip it.
    Unknown {
        /// Its kind, as stored: `noun.verb`.
        kind: String,
        /// Its version.
        version: u16,
        /// Its JSON object.
        body: Box<RawValue>,
    },
}

impl PartialEq for Fact {
    fn eq(&self, other: &Self) -> bool {
        let body =
            |fact: &Self| fact.to_parts().ok().map(|(kind, version, body)| (kind, version, body.get().to_owned()));
        body(self) == body(other)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberBody {
    user: UserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    by: Option<UserId>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddedBody {
    conversation: Box<Conversation>,
    from_seq: Seq,
}

#[derive(Serialize, Deserialize)]
struct RemovedBody {
    conversation: ConversationId,
}

impl Fact {
    /// The stored name of what happened: `noun.verb`.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::MessageNew(_) => "message.new",
            Self::MemberAdded { .. } => "member.added",
            Self::MemberRemoved { .. } => "member.removed",
            Self::MemberRole { .. } => "member.role",
            Self::ConversationUpdated(_) => "conversation.updated",
            Self::ConversationAdded { .. } => "conversation.added",
            Self::ConversationRemoved { .. } => "conversation.removed",
            Self::Unknown { kind, .. } => kind,
        }
    }

    /// Kind, version and JSON object, as they cross the bus.
    ///
    /// # Errors
    /// When a content is not serialisable, which parsing at the door excludes.
    pub fn to_parts(&self) -> serde_json::Result<(String, u16, Box<RawValue>)> {
        let body = match self {
            Self::MessageNew(message) => to_raw_value(message)?,
            Self::MemberAdded { user, role, by } | Self::MemberRole { user, role, by } => {
                to_raw_value(&MemberBody { user: user.clone(), role: Some(*role), by: by.clone() })?
            }
            Self::MemberRemoved { user, by } => {
                to_raw_value(&MemberBody { user: user.clone(), role: None, by: by.clone() })?
            }
            Self::ConversationUpdated(conversation) => to_raw_value(conversation)?,
            Self::ConversationAdded { conversation, from_seq } => {
                to_raw_value(&AddedBody { conversation: conversation.clone(), from_seq: *from_seq })?
            }
            Self::ConversationRemoved { conversation } => to_raw_value(&RemovedBody { conversation: *conversation })?,
            Self::Unknown { kind, version, body } => return Ok((kind.clone(), *version, body.clone())),
        };
        Ok((self.kind().to_owned(), KIND_VERSION, body))
    }

    /// The reverse of [`Fact::to_parts`]; what this version does not understand becomes [`Fact::Unknown`].
    #[must_use]
    pub fn from_parts(kind: &str, version: u16, body: Box<RawValue>) -> Self {
        Self::parse(kind, version, &body).unwrap_or_else(|| Self::Unknown { kind: kind.to_owned(), version, body })
    }

    fn parse(kind: &str, version: u16, body: &RawValue) -> Option<Self> {
        if version > KIND_VERSION {
            return None;
        }
        let member = || serde_json::from_str::<MemberBody>(body.get()).ok();
        Some(match kind {
            "message.new" => Self::MessageNew(serde_json::from_str(body.get()).ok()?),
            "member.added" => {
                member().and_then(|m| Some(Self::MemberAdded { user: m.user, role: m.role?, by: m.by }))?
            }
            "member.role" => member().and_then(|m| Some(Self::MemberRole { user: m.user, role: m.role?, by: m.by }))?,
            "member.removed" => member().map(|m| Self::MemberRemoved { user: m.user, by: m.by })?,
            "conversation.updated" => Self::ConversationUpdated(serde_json::from_str(body.get()).ok()?),
            "conversation.added" => {
                let added: AddedBody = serde_json::from_str(body.get()).ok()?;
                Self::ConversationAdded { conversation: added.conversation, from_seq: added.from_seq }
            }
            "conversation.removed" => Self::ConversationRemoved {
                conversation: serde_json::from_str::<RemovedBody>(body.get()).ok()?.conversation,
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_survives_the_way_over_the_bus() {
        let user = UserId::parse("ann").unwrap();
        let fact = Fact::MemberAdded { user, role: Role::Admin, by: None };
        let (kind, version, body) = fact.to_parts().unwrap();
        assert_eq!(Fact::from_parts(&kind, version, body), fact);
    }

    #[test]
    fn what_this_version_does_not_know_is_kept_as_it_came() {
        let body = RawValue::from_string(r#"{"x":1}"#.into()).unwrap();
        for (kind, version) in [("poll.opened", 1), ("member.added", KIND_VERSION + 1), ("member.added", 1)] {
            let fact = Fact::from_parts(kind, version, body.clone());
            let (kept_kind, kept_version, kept) = fact.to_parts().unwrap();
            assert_eq!((kept_kind.as_str(), kept_version, kept.get()), (kind, version, body.get()));
        }
    }
}
