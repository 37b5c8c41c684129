//! What a session's asks are answered with.

use std::sync::Arc;

use crate::domain::{Conversation, ConversationId, Epoch, Event, Reply, Seq, Timestamp, UserId, Watermarks};

/// The answer to an [`super::Ask`] that was carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// To a command.
    Reply(Reply),
    /// To a sync.
    Synced(Box<Synced>),
    /// To a join.
    Joined(Box<Joined>),
    /// To a leave, whether there was something to leave or not.
    Left,
    /// To a refresh.
    Refreshed {
        /// When the new token ends.
        expires_at: Timestamp,
    },
}

/// A stretch of a feed, and whether the session goes on reading from its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// The cursor that was asked with.
    pub from: Seq,
    /// The last event in here: the next cursor.
    pub to: Seq,
    /// The highest seq of the feed when this was read.
    pub head: Seq,
    /// Whether the session is attached and `to` was the head then; otherwise it must ask again from `to`.
    pub complete: bool,
    /// Consecutive, `from` + 1 to `to`.
    pub events: Vec<Arc<Event>>,
}

/// What became of one feed of a sync.
#[derive(Debug, Clone, PartialEq)]
pub enum SyncItem {
    /// Here is what the client missed.
    Stretch(Stretch),
    /// The cursor is of another history: start anew from history.
    Reset {
        /// The highest seq of the feed.
        head: Seq,
    },
    /// No such conversation, or not (any more) the caller's.
    NotFound,
}

/// The answer to a sync.
#[derive(Debug, Clone, PartialEq)]
pub struct Synced {
    /// The history that all seqs are of.
    pub epoch: Epoch,
    /// Those that were asked for, in that order, then those that `all` added.
    pub conversations: Vec<(ConversationId, SyncItem)>,
    /// The personal feed, if it was asked for.
    pub personal: Option<SyncItem>,
    /// What to go on with; none when `all` is through or was not asked for.
    pub next: Option<ConversationId>,
}

/// The answer to a join.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    /// The history that all seqs are of.
    pub epoch: Epoch,
    /// What the client missed; never [`SyncItem::NotFound`], which refuses the join.
    pub item: SyncItem,
    /// The conversation as it is now.
    pub conversation: Conversation,
    /// How far its members have come, those who moved last first; ≤ 200.
    pub watermarks: Vec<(UserId, Watermarks)>,
}
