//! The port to the durable store, a trait per noun.
//!
//! To add a store: 1. implement the traits below in a folder of its own, with its migrations beside it; 2. add it to the
//! contract suite in `tests/it/contract` and make it pass; 3. name it in `app/backends.rs`, the only place that picks one.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    ClientId, Conversation, ConversationChange, ConversationDraft, ConversationId, ConversationPatch, ConversationView,
    Draft, Epoch, Event, FeedId, Member, Message, MessageId, NodeId, Permission, Profile, Role, Seq, SessionId,
    Timestamp, UserId, Watermarks,
};

/// Everything that must survive.
pub trait Store:
    LogStore + PersonalStore + UserStore + ConversationStore + MessageStore + ReceiptStore + NodeStore
{
}

impl<T: LogStore + PersonalStore + UserStore + ConversationStore + MessageStore + ReceiptStore + NodeStore> Store
    for T
{
}

/// What went wrong below; its text is for the log, never for a client.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, too slow, shutting down, out of connections: for a write, whether it happened is unknown.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// Lock conflict or serialisation failure (40P01, 40001, 55P03): nothing happened, trying again helps.
    #[error("store busy: {0}")]
    Busy(String),
    /// A reference to somebody or something that is not there, or another rule of the store: nothing happened.
    #[error("store refused: {0}")]
    Refused(String),
    /// A defect of ours: a statement or a row that does not fit.
    #[error("store defect: {0}")]
    Defect(String),
}

/// A point in the store's commit order: everything committed later is found by asking with it again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Xid(pub u64);

/// One write asked of a conversation's feed by the log writer.
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    /// Which conversation.
    pub conversation: ConversationId,
    /// In whose name: needs `permission` as a member. None (service API, system): no membership is asked for, but what `permission` allows nobody in this
    /// kind of conversation stays [`Outcome::Forbidden`].
    pub actor: Option<UserId>,
    /// The socket it came through.
    pub origin: Option<SessionId>,
    /// Makes the write happen at most once per conversation and actor, over all time. Every write has one.
    pub client_id: ClientId,
    /// What the actor's role must allow, checked after the duplicate and in the same statement as the write.
    pub permission: Permission,
    /// What to write.
    pub act: WriteAct,
}

/// What an [`Append`] does.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteAct {
    /// Insert the message and its `message.new`; move the sender's watermarks to it. A `reply_to` of another conversation is [`Outcome::Invalid`];
    /// mentions that are no members are left out.
    Send(Box<Draft>),
    /// Insert or leave the membership; `member.added`; outbox row for the user's `conversation.added`. Unknown user: [`Outcome::Invalid`].
    AddMember(UserId, Role),
    /// Delete the membership; `member.removed`; outbox row for the user's `conversation.removed`. Not a member: [`Outcome::NotFound`]. When the actor
    /// removes somebody else whose role is above member, the actor must be owner. When the last owner goes, the oldest admin, else the oldest
    /// member, becomes owner by a `member.role` in the same transaction, right behind.
    RemoveMember(UserId),
    /// Change the role; `member.role`. The last owner's own demotion is [`Outcome::Conflict`].
    SetRole(UserId, Role),
    /// Change the conversation; `conversation.updated`.
    Update(ConversationPatch),
}

/// What became of one [`Append`].
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Committed: its events in seq order (one; two when an ownership moved).
    Written(Vec<Event>),
    /// It was there already under this clientId: the first event, rendered as it is now.
    Duplicate(Box<Event>),
    /// What was asked for is so already; nothing was written.
    Unchanged,
    /// No such conversation, or the actor is no member.
    NotFound,
    /// The actor's role does not allow it, or the conversation's kind does not.
    Forbidden,
    /// The present state does not allow it; public text.
    Conflict(&'static str),
    /// The write names something that is not there, or cannot be stored; public text.
    Invalid(&'static str),
    /// Another transaction held the conversation: nothing happened to this write, the others of its batch are done. Asked again
    /// in a batch whose writes are all for this conversation, it waits for the lock.
    Busy,
}

/// What an attach needs to know, read in one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttachPoint {
    /// The highest seq of the feed.
    pub head: Seq,
}

/// A stretch of a feed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventPage {
    /// Consecutive, from `after` + 1, rendered from the present state.
    pub events: Vec<Event>,
    /// The head of the feed in the same snapshot.
    pub head: Seq,
}

/// Feeds that changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Each changed feed once, with its highest seq.
    pub heads: Vec<(FeedId, Seq)>,
    /// What to ask with next: nothing committed is ever missed between two asks, whatever the clocks.
    pub next: Xid,
}

/// Feeds and their events.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// The identity of this history.
    async fn epoch(&self) -> Result<Epoch, StoreError>;

    /// Writes a batch (≤ 256) in one round trip and one commit; the outcomes are those of doing them one after the other, in order. One bad write fails alone.
    /// Durable when this returns. A batch for several conversations waits for none of them ([`Outcome::Busy`]); one for a single conversation waits for it,
    /// up to the lock timeout.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: unknown, ask again with the same batch. [`StoreError::Busy`]: nothing happened.
    async fn append(&self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError>;

    /// For each ask: where the feed is, if this user may read it (a member, or the owner of the personal feed). Membership and head are of one snapshot.
    async fn attach_points(&self, asks: &[(FeedId, UserId)]) -> Result<Vec<Option<AttachPoint>>, StoreError>;

    /// Events after `after`, at most `limit` (≤ 1,000) and, from the second event on, about 1 MiB.
    async fn events(&self, feed: &FeedId, after: Seq, limit: u32) -> Result<EventPage, StoreError>;

    /// The heads of these feeds; unknown feeds are left out.
    async fn heads(&self, feeds: &[FeedId]) -> Result<Vec<(FeedId, Seq)>, StoreError>;

    /// Feeds changed by transactions not older than `since`; `None` returns none of them and the present point. While a transaction stays open, what was
    /// committed after its beginning is told again.
    async fn changes(&self, since: Option<Xid>) -> Result<Changes, StoreError>;
}

/// Personal feeds, written off the hot path.
#[async_trait]
pub trait PersonalStore: Send + Sync {
    /// Works up to `limit` outbox rows (skipping those another node works on) into events of personal feeds, each exactly once, and returns these.
    async fn work_outbox(&self, limit: u32) -> Result<Vec<Event>, StoreError>;
}

/// Users.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// Creates those that are not there; leaves the others as they are.
    async fn ensure_users(&self, profiles: &[Profile]) -> Result<(), StoreError>;

    /// Creates or replaces (a field without a value, and a name that is the id, keeps the old one); returns them as they are now, in order.
    async fn upsert_users(&self, profiles: &[Profile]) -> Result<Vec<Profile>, StoreError>;

    /// Those that exist, in no particular order.
    async fn users(&self, ids: &[UserId]) -> Result<Vec<Profile>, StoreError>;
}

/// How a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageAsk {
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// 1–100.
    pub limit: u32,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// What was found.
    pub items: Vec<T>,
    /// Where the next page starts; none at the end.
    pub next_cursor: Option<String>,
}

/// Conversations and members.
#[async_trait]
pub trait ConversationStore: Send + Sync {
    /// Creates it with its members, its feed at head 0 and an outbox row per member; or finds the one that is there (same direct pair, same owner and
    /// clientId, same id). Two at once create one. Nobody owns a direct: both are members, and whoever left it is added again when it is asked for again.
    ///
    /// # Errors
    /// [`StoreError::Refused`] names an unknown member.
    async fn create_conversation(&self, draft: &ConversationDraft) -> Result<ConversationChange, StoreError>;

    /// The conversation, if it exists.
    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError>;

    /// A user's conversations, the most recently active first.
    async fn conversations_of(&self, user: &UserId, page: &PageAsk) -> Result<Page<ConversationView>, StoreError>;

    /// One conversation as a member sees it; none for others.
    async fn conversation_view(
        &self,
        id: ConversationId,
        user: &UserId,
    ) -> Result<Option<ConversationView>, StoreError>;

    /// Ids of a user's conversations after `after`, in id order, at most `limit` (≤ 500): for attaching to all.
    async fn conversation_ids_of(
        &self,
        user: &UserId,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<ConversationId>, StoreError>;

    /// The members in order of joining.
    async fn members(&self, id: ConversationId, page: &PageAsk) -> Result<Page<Member>, StoreError>;

    /// A user's membership; none for one who is no member or where there is no conversation.
    async fn member(&self, id: ConversationId, user: &UserId) -> Result<Option<Member>, StoreError>;
}

/// Messages as they are now.
#[async_trait]
pub trait MessageStore: Send + Sync {
    /// By id.
    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError>;

    /// Newest first below `before` (or below the end); at most `limit` (≤ 100).
    async fn messages_before(
        &self,
        conversation: ConversationId,
        before: Option<Seq>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError>;

    /// Oldest first above `after`; at most `limit` (≤ 100).
    async fn messages_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError>;
}

/// A wish to move a member's watermarks; beyond the head is clamped, backwards has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// Where.
    pub conversation: ConversationId,
    /// Whose.
    pub user: UserId,
    /// The wished places.
    pub to: Watermarks,
}

/// What became of an [`Advance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advanced {
    /// Before.
    pub from: Watermarks,
    /// Now; equal to `from` when nothing moved.
    pub to: Watermarks,
}

/// How far members have come.
#[async_trait]
pub trait ReceiptStore: Send + Sync {
    /// Moves watermarks, a batch (≤ 1,000, each conversation and user at most once) in one commit; `None` for one who is no member.
    async fn advance(&self, batch: &[Advance]) -> Result<Vec<Option<Advanced>>, StoreError>;

    /// Watermarks of the members, those who moved last first, at most `limit` (≤ 200).
    async fn watermarks(
        &self,
        conversation: ConversationId,
        limit: u32,
    ) -> Result<Vec<(UserId, Watermarks)>, StoreError>;
}

/// A node as the others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Its name.
    pub id: NodeId,
    /// `host:port` where other nodes reach it.
    pub advertise: String,
    /// Its software version.
    pub version: String,
    /// How long ago it last said so, by the store's clock.
    pub age: Duration,
}

/// Who is in the cluster.
#[async_trait]
pub trait NodeStore: Send + Sync {
    /// Says that this node is alive. Called every 2 s.
    async fn beat(&self, id: &NodeId, advertise: &str, version: &str) -> Result<(), StoreError>;

    /// Takes this node off the list, at its orderly end.
    async fn forget(&self, id: &NodeId) -> Result<(), StoreError>;

    /// Nodes that said so within `age_max`, this one too.
    async fn nodes(&self, age_max: Duration) -> Result<Vec<NodeRow>, StoreError>;

    /// The store's clock, for what must not depend on the node's.
    async fn now(&self) -> Result<Timestamp, StoreError>;
}
