//! Identities as types, so that two of them can never be swapped.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Why a text is not an id; the text is safe to show to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidId(pub &'static str);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String, format = Uuid)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps an id that was read from the store or the bus.
            #[must_use]
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The id as it is stored.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId(concat!(stringify!($name), " is not a UUID")))
            }
        }
    };
}

uuid_id! {
    /// A conversation: also the name of its feed. UUIDv7 when Rookery makes it.
    ConversationId
}
uuid_id! {
    /// A message. UUIDv7, made by the node that accepts the send.
    MessageId
}
uuid_id! {
    /// One connected socket of one user; ends with its namespace. Never reused.
    SessionId
}
uuid_id! {
    /// The identity of the store's history: changes when commits were lost (restore, failover).
    Epoch
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String")]
        #[schema(value_type = String)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses a text from outside.
            ///
            /// # Errors
            /// [`InvalidId`] says which rule the text breaks.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                $check(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }
    };
}

text_id! {
    /// A user, as named by the tokens: 1–64 characters of `A-Z a-z 0-9 . _ : @ | -`, not `me` or `deleted`.
    UserId, check_user_id
}
text_id! {
    /// A sender's own name for a send, which makes its retry harmless: 1–64 printable characters.
    ClientId, check_client_id
}
text_id! {
    /// The stable name of a node: 1–64 characters of `A-Z a-z 0-9 . _ -`.
    NodeId, check_node_id
}

fn check_user_id(text: &str) -> Result<(), InvalidId> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:@|-".contains(&b);
    if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
        return Err(InvalidId("a user id is 1-64 characters from A-Z a-z 0-9 . _ : @ | -"));
    }
    if text == "me" || text == "deleted" {
        return Err(InvalidId("the user ids me and deleted are reserved"));
    }
    Ok(())
}

fn check_client_id(text: &str) -> Result<(), InvalidId> {
    let length = text.chars().take(65).count();
    if length == 0 || length > 64 || text.chars().any(char::is_control) {
        return Err(InvalidId("clientId is 1-64 printable characters"));
    }
    Ok(())
}

fn check_node_id(text: &str) -> Result<(), InvalidId> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
        return Err(InvalidId("a node id is 1-64 characters from A-Z a-z 0-9 . _ -"));
    }
    Ok(())
}

/// A place in a feed: the events of a feed are 1, 2, 3 … without holes; 0 is before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first event.
    pub const ZERO: Self = Self(0);

    /// The place of the event that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The place before this one; zero stays zero.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An ordered log: each conversation has one, each user has a personal one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedId {
    /// What happened in a conversation.
    Conversation(ConversationId),
    /// What happened to a user.
    User(UserId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_takes_what_tokens_carry_and_nothing_else() {
        for good in ["a", "ann.b_c:d@e|f-9", "auth0|507f1f77", &"x".repeat(64)] {
            assert!(UserId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "me", "deleted", "a b", "é", "a\0", "a/b", &"x".repeat(65)] {
            assert!(UserId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_client_id_counts_characters_and_refuses_control_characters() {
        assert!(ClientId::parse(&"é".repeat(64)).is_ok());
        assert!(ClientId::parse(&"é".repeat(65)).is_err());
        assert!(ClientId::parse("a\nb").is_err());
        assert!(ClientId::parse("").is_err());
    }
}
