//! What is worth telling now and not worth keeping.

use serde::{Deserialize, Serialize};

use super::{ConversationId, UserId, Watermarks};

/// An ephemeral thing: no seq; may be merged or dropped, and is healed by the next of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "signal", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Signal {
    /// A member has received or read up to a place. Only rises: an older one that comes late says nothing.
    Receipt {
        /// Where.
        conversation: ConversationId,
        /// Whose.
        user: UserId,
        /// Before: what lies between is what is new to the receivers.
        from: Watermarks,
        /// Now.
        to: Watermarks,
    },
}

impl Signal {
    /// The conversation whose readers are told.
    #[must_use]
    pub const fn conversation(&self) -> ConversationId {
        match self {
            Self::Receipt { conversation, .. } => *conversation,
        }
    }
}
