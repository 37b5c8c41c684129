//! A real store behind a decorator that fails, loses replies, locks and waits as a test says.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use rookery::domain::{
    ClientId, Conversation, ConversationChange, ConversationDraft, ConversationId, ConversationView, Epoch, Event,
    FeedId, Member, Message, MessageId, NodeId, Profile, Seq, Timestamp, UserId, Watermarks,
};
use rookery::store::{
    Advance, Advanced, Append, AttachPoint, Changes, ConversationStore, EventPage, LogStore, MessageStore, NodeRow,
    NodeStore, Outcome, Page, PageAsk, PersonalStore, ReceiptStore, Store, StoreError, UserStore, Xid,
};
use tokio::sync::watch;

const LOCK_TIMEOUT: Duration = Duration::from_millis(20);

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It never reaches the store.
    NotReached,
    /// It is carried out, and the reply is lost.
    ReplyLost,
    /// A lock conflict: nothing happens.
    Busy,
}

/// What the test has said.
#[derive(Debug, Default)]
struct Script {
    /// For the next appends, in order.
    next: VecDeque<Fault>,
    /// The same for calls of `advance`.
    next_advances: VecDeque<Fault>,
    /// For every other call, while set.
    standing: Option<Fault>,
    /// Writes that no batch with them survives.
    poison: HashSet<ClientId>,
    /// The outbox cannot be worked.
    outbox_fails: bool,
    /// Sizes of the appends that came.
    batches: Vec<usize>,
    /// Calls of `advance` and `ensure_users`, by their sizes.
    advances: Vec<usize>,
    ensures: Vec<usize>,
}

/// The decorator.
pub struct Scripted {
    inner: Arc<dyn Store>,
    script: Mutex<Script>,
    /// Appends wait while this is false.
    open: watch::Sender<bool>,
    /// Conversations that another writer holds.
    locked: watch::Sender<HashSet<ConversationId>>,
}

impl Scripted {
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, script: Mutex::default(), open: watch::Sender::new(true), locked: watch::Sender::default() }
    }

    /// The store without its faults.
    pub fn truth(&self) -> Arc<dyn Store> {
        Arc::clone(&self.inner)
    }

    pub fn next_appends(&self, faults: impl IntoIterator<Item = Fault>) {
        self.script.lock().next.extend(faults);
    }

    pub fn next_advances(&self, faults: impl IntoIterator<Item = Fault>) {
        self.script.lock().next_advances.extend(faults);
    }

    pub fn always(&self, fault: Option<Fault>) {
        self.script.lock().standing = fault;
    }

    pub fn fail_outbox(&self) {
        self.script.lock().outbox_fails = true;
    }

    pub fn poison(&self, write: &str) {
        self.script.lock().poison.insert(ClientId::parse(write).unwrap());
    }

    pub fn lock(&self, conversation: ConversationId) {
        self.locked.send_modify(|locked| {
            locked.insert(conversation);
        });
    }

    pub fn unlock(&self, conversation: ConversationId) {
        self.locked.send_modify(|locked| {
            locked.remove(&conversation);
        });
    }

    /// Lets no append through until [`Scripted::resume`].
    pub fn hold(&self) {
        self.open.send_replace(false);
    }

    pub fn resume(&self) {
        self.open.send_replace(true);
    }

    pub fn batches(&self) -> Vec<usize> {
        self.script.lock().batches.clone()
    }

    pub fn advances(&self) -> Vec<usize> {
        self.script.lock().advances.clone()
    }

    pub fn ensures(&self) -> Vec<usize> {
        self.script.lock().ensures.clone()
    }

    /// Carries a call out as the standing fault allows.
    async fn faulty<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let standing = self.script.lock().standing;
        apply(standing, call).await
    }

    /// Those of a batch whose conversation is free. A batch for one conversation waits for it; in another, the locked are busy.
    async fn append_free(&self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        let first = batch[0].conversation;
        if batch.iter().all(|write| write.conversation == first) {
            let mut locked = self.locked.subscribe();
            let free = tokio::time::timeout(LOCK_TIMEOUT, locked.wait_for(|locked| !locked.contains(&first))).await;
            if free.is_err() {
                return Err(StoreError::Busy("scripted: lock timeout".into()));
            }
        }
        let locked = self.locked.borrow().clone();
        let free: Vec<Append> = batch.iter().filter(|write| !locked.contains(&write.conversation)).cloned().collect();
        let mut outcomes = self.inner.append(&free).await?.into_iter();
        let outcome = |write: &Append| {
            if locked.contains(&write.conversation) { Outcome::Busy } else { outcomes.next().unwrap() }
        };
        Ok(batch.iter().map(outcome).collect())
    }
}

async fn apply<T>(fault: Option<Fault>, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match fault {
        None => call.await,
        Some(Fault::NotReached) => Err(StoreError::Unavailable("scripted: not reached".into())),
        Some(Fault::Busy) => Err(StoreError::Busy("scripted: busy".into())),
        Some(Fault::ReplyLost) => {
            call.await?;
            Err(StoreError::Unavailable("scripted: reply lost".into()))
        }
    }
}

#[async_trait]
impl LogStore for Scripted {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        self.inner.epoch().await
    }

    async fn append(&self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        let fault = {
            let mut script = self.script.lock();
            script.batches.push(batch.len());
            if batch.iter().any(|write| script.poison.contains(&write.client_id)) {
                return Err(StoreError::Defect("scripted: poison".into()));
            }
            script.next.pop_front().or(script.standing)
        };
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
        apply(fault, self.append_free(batch)).await
    }

    async fn attach_points(&self, asks: &[(FeedId, UserId)]) -> Result<Vec<Option<AttachPoint>>, StoreError> {
        self.inner.attach_points(asks).await
    }

    async fn events(&self, feed: &FeedId, after: Seq, limit: u32) -> Result<EventPage, StoreError> {
        self.faulty(self.inner.events(feed, after, limit)).await
    }

    async fn heads(&self, feeds: &[FeedId]) -> Result<Vec<(FeedId, Seq)>, StoreError> {
        self.inner.heads(feeds).await
    }

    async fn changes(&self, since: Option<Xid>) -> Result<Changes, StoreError> {
        self.inner.changes(since).await
    }
}

#[async_trait]
impl PersonalStore for Scripted {
    async fn work_outbox(&self, limit: u32) -> Result<Vec<Event>, StoreError> {
        let fault = {
            let script = self.script.lock();
            if script.outbox_fails { Some(Fault::NotReached) } else { script.standing }
        };
        apply(fault, self.inner.work_outbox(limit)).await
    }
}

#[async_trait]
impl UserStore for Scripted {
    async fn ensure_users(&self, profiles: &[Profile]) -> Result<(), StoreError> {
        self.script.lock().ensures.push(profiles.len());
        self.faulty(self.inner.ensure_users(profiles)).await
    }

    async fn upsert_users(&self, profiles: &[Profile]) -> Result<Vec<Profile>, StoreError> {
        self.inner.upsert_users(profiles).await
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        self.inner.users(ids).await
    }
}

#[async_trait]
impl ConversationStore for Scripted {
    async fn create_conversation(&self, draft: &ConversationDraft) -> Result<ConversationChange, StoreError> {
        self.faulty(self.inner.create_conversation(draft)).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        self.inner.conversation(id).await
    }

    async fn conversations_of(&self, user: &UserId, page: &PageAsk) -> Result<Page<ConversationView>, StoreError> {
        self.inner.conversations_of(user, page).await
    }

    async fn conversation_view(
        &self,
        id: ConversationId,
        user: &UserId,
    ) -> Result<Option<ConversationView>, StoreError> {
        self.inner.conversation_view(id, user).await
    }

    async fn conversation_ids_of(
        &self,
        user: &UserId,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<ConversationId>, StoreError> {
        self.inner.conversation_ids_of(user, after, limit).await
    }

    async fn members(&self, id: ConversationId, page: &PageAsk) -> Result<Page<Member>, StoreError> {
        self.inner.members(id, page).await
    }

    async fn member(&self, id: ConversationId, user: &UserId) -> Result<Option<Member>, StoreError> {
        self.inner.member(id, user).await
    }
}

#[async_trait]
impl MessageStore for Scripted {
    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.inner.message(id).await
    }

    async fn messages_before(
        &self,
        conversation: ConversationId,
        before: Option<Seq>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        self.inner.messages_before(conversation, before, limit).await
    }

    async fn messages_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        self.inner.messages_after(conversation, after, limit).await
    }
}

#[async_trait]
impl ReceiptStore for Scripted {
    async fn advance(&self, batch: &[Advance]) -> Result<Vec<Option<Advanced>>, StoreError> {
        let fault = {
            let mut script = self.script.lock();
            script.advances.push(batch.len());
            script.next_advances.pop_front().or(script.standing)
        };
        apply(fault, self.inner.advance(batch)).await
    }

    async fn watermarks(
        &self,
        conversation: ConversationId,
        limit: u32,
    ) -> Result<Vec<(UserId, Watermarks)>, StoreError> {
        self.inner.watermarks(conversation, limit).await
    }
}

#[async_trait]
impl NodeStore for Scripted {
    async fn beat(&self, id: &NodeId, advertise: &str, version: &str) -> Result<(), StoreError> {
        self.inner.beat(id, advertise, version).await
    }

    async fn forget(&self, id: &NodeId) -> Result<(), StoreError> {
        self.inner.forget(id).await
    }

    async fn nodes(&self, age_max: Duration) -> Result<Vec<NodeRow>, StoreError> {
        self.inner.nodes(age_max).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.inner.now().await
    }
}
