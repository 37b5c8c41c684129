//! What can be asked of the core that changes something.

use super::{ClientId, ConversationDraft, ConversationId, ConversationPatch, Draft, MessageId, Role, Seq, UserId};

/// A place named by its seq, or by a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageRef {
    /// The place itself; beyond the head it means the head.
    Seq(Seq),
    /// The place of this message.
    Message(MessageId),
}

/// Something asked by an actor, in any vocabulary, through any door. Already parsed: nothing in here can be malformed.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Send a message.
    SendMessage {
        /// Where.
        conversation: ConversationId,
        /// The sender's name for it; made by the door where the client gave none.
        client_id: ClientId,
        /// What.
        draft: Box<Draft>,
    },
    /// Make a conversation.
    CreateConversation(Box<ConversationDraft>),
    /// Change title, picture or retention.
    UpdateConversation {
        /// Which.
        conversation: ConversationId,
        /// How.
        patch: ConversationPatch,
    },
    /// Add somebody, or let them be what they are already.
    AddMember {
        /// To what.
        conversation: ConversationId,
        /// Whom.
        user: UserId,
        /// As what.
        role: Role,
    },
    /// Remove somebody, or leave.
    RemoveMember {
        /// From what.
        conversation: ConversationId,
        /// Whom.
        user: UserId,
    },
    /// Change what somebody may do.
    SetRole {
        /// Where.
        conversation: ConversationId,
        /// Whose.
        user: UserId,
        /// To what.
        role: Role,
    },
    /// Everything up to here has reached a device of the actor.
    MarkDelivered {
        /// Where.
        conversation: ConversationId,
        /// How far.
        upto: MessageRef,
    },
    /// Everything up to here has been read by the actor; implies delivered.
    MarkRead {
        /// Where.
        conversation: ConversationId,
        /// How far.
        upto: MessageRef,
    },
}

impl Command {
    /// Its name in metrics and spans.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SendMessage { .. } => "send_message",
            Self::CreateConversation(_) => "create_conversation",
            Self::UpdateConversation { .. } => "update_conversation",
            Self::AddMember { .. } => "add_member",
            Self::RemoveMember { .. } => "remove_member",
            Self::SetRole { .. } => "set_role",
            Self::MarkDelivered { .. } => "mark_delivered",
            Self::MarkRead { .. } => "mark_read",
        }
    }
}
