//! What a session can ask for, in any vocabulary.

use serde_json::value::RawValue;

use crate::domain::{ClientId, Command, ConversationId, Epoch, MessageId, Seq};

/// The most conversations that one `sync` may name, and that one answer holds.
pub const CURSORS_MAX: usize = 500;

/// The arguments of a client's event, as they came. No vocabulary has an event with more than one.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    /// The JSON text of the first one, if any.
    pub first: Option<&'a str>,
    /// How many there were, without the ack.
    pub count: usize,
}

/// A client's event, understood: every field is of its type and present where it must be.
#[derive(Debug, Clone)]
pub enum Ask {
    /// For the core, which checks the words before they become its command.
    Send(Box<SendAsk>),
    /// For the core, as it is.
    Command(Command),
    /// For the session itself.
    Own(OwnAsk),
}

/// What a session does itself: it changes nothing that others see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnAsk {
    /// To read many feeds from their cursors on.
    Sync(Box<SyncAsk>),
    /// To read one conversation, from a cursor or from its head on.
    Join {
        /// Which.
        conversation: ConversationId,
        /// After which event; none: from the head on.
        cursor: Option<Seq>,
    },
    /// To read a conversation no longer.
    Leave {
        /// Which.
        conversation: ConversationId,
    },
    /// To go on with a newer token.
    Refresh {
        /// The token, unverified, with or without `Bearer`.
        token: Box<str>,
    },
}

impl OwnAsk {
    /// Its name in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sync(_) => "sync",
            Self::Join { .. } => "join",
            Self::Leave { .. } => "leave",
            Self::Refresh { .. } => "refresh",
        }
    }
}

/// A wish to send a message.
#[derive(Debug, Clone)]
pub struct SendAsk {
    /// Where.
    pub conversation: ConversationId,
    /// The sender's name for it; none in vocabularies that have none.
    pub client_id: Option<ClientId>,
    /// The words, as JSON.
    pub content: Box<RawValue>,
    /// What sort of message, as it was written.
    pub kind: Option<String>,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    /// Who is named, as they were written.
    pub mentions: Vec<String>,
}

/// Whether a `sync` is also about the conversations that it does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum All {
    /// Only about those it names.
    No,
    /// About all of the user's, from the first.
    FromStart,
    /// About all of the user's after this one: the `next` of the answer before.
    After(ConversationId),
}

/// A wish to read many feeds from their cursors on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncAsk {
    /// Conversations, each once, with the last event known; none: from the head on. ≤ [`CURSORS_MAX`].
    pub cursors: Vec<(ConversationId, Option<Seq>)>,
    /// The last personal event known; none leaves the personal feed as it is.
    pub personal: Option<Seq>,
    /// The other conversations.
    pub all: All,
    /// The history that the cursors are of; none: the present one.
    pub epoch: Option<Epoch>,
}
