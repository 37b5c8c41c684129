//! Where something crosses the bus.

use crate::domain::{ConversationId, FeedId, NodeId, UserId};

/// An address on the bus; nodes listen to those that concern their sessions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Events and signals of a conversation.
    Conversation(ConversationId),
    /// A user's personal feed.
    User(UserId),
    /// One node.
    Node(NodeId),
    /// Every node: probes.
    All,
}

impl From<&FeedId> for Topic {
    fn from(feed: &FeedId) -> Self {
        match feed {
            FeedId::Conversation(id) => Self::Conversation(*id),
            FeedId::User(id) => Self::User(id.clone()),
        }
    }
}
