//! The core as the doors see it: takes commands, in order, and answers them.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::commands::Pending;
use super::log_writer::{LaneTools, LogWriter};
use super::outbox::Outbox;
use super::people::People;
use super::receipts::Receipts;
use super::{ChatSettings, Limits, News};
use crate::domain::{Actor, ChatError, ClientId, Clock, Command, ConversationId, MessageId, Profile, Reply};
use crate::store::{Store, StoreError};
use crate::telemetry::metrics;

/// What the core is made of.
pub struct ChatParts {
    /// What must survive.
    pub store: Arc<dyn Store>,
    /// Who is told.
    pub news: Arc<dyn News>,
    /// The time, for ids.
    pub clock: Arc<dyn Clock>,
    /// Seeds the jitter of retries; another one on every node.
    pub seed: u64,
}

/// The rules of the chat. Cheap to clone; all clones are one.
///
/// Commands go through [`Chat::submit`]; everything else here asks and changes nothing. Errors are what a client may see: causes are in the log.
#[derive(Clone)]
pub struct Chat {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub store: Arc<dyn Store>,
    pub settings: ChatSettings,
    pub log_writer: LogWriter,
    pub receipts: Arc<Receipts>,
    /// Woken when something was put into the outbox.
    pub outbox: Arc<Notify>,
    pub seed: u64,
    people: Arc<People>,
    clock: Arc<dyn Clock>,
    tracker: TaskTracker,
    /// Ends what works for nobody in particular.
    rest: CancellationToken,
    /// Ends everything, finished or not.
    abandon: CancellationToken,
}

/// How [`Chat::finish`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// Writes that were still unresolved at the deadline; their callers were answered `unavailable`.
    pub unwritten_count: usize,
}

impl Chat {
    /// Starts the core: its lanes and workers run until [`Chat::finish`]. Call inside a tokio runtime.
    #[must_use]
    pub fn start(parts: ChatParts, settings: ChatSettings) -> Self {
        let ChatParts { store, news, clock, seed } = parts;
        let (tracker, rest, abandon) = (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        let outbox = Arc::new(Notify::new());
        let tools = LaneTools { store: Arc::clone(&store), news: Arc::clone(&news), outbox: Arc::clone(&outbox), seed };
        let log_writer = LogWriter::start(&tools, &settings, &tracker, &abandon);
        let receipts = Arc::new(Receipts::new(settings.receipts_max, settings.receipts_every, settings.store_within));
        let people = Arc::new(People::new(settings.people_max));
        let inner =
            Inner { store, settings, clock, log_writer, receipts, people, outbox, seed, tracker, rest, abandon };
        inner.spawn_workers(&news);
        Self { inner: Arc::new(inner) }
    }

    /// Carries out a command.
    ///
    /// Ordered where it is called: a write is in its lane when this returns, before the future is polled, so commands of one session to one conversation are
    /// carried out in the order of these calls, however many are under way. Dropping the future does not take a write back.
    ///
    /// # Errors
    /// The future's; `unavailable` means unknown, and a retry with the same clientId is safe.
    pub fn submit(
        &self,
        actor: Actor,
        command: Command,
    ) -> impl Future<Output = Result<Reply, ChatError>> + Send + use<> {
        let name = command.name();
        let pending = self.inner.begin(actor, command).unwrap_or_else(Pending::Refused);
        let inner = Arc::clone(&self.inner);
        async move {
            let result = inner.complete(pending).await;
            metrics::command(name, result.as_ref().map_or_else(|error| error.code.as_str(), |_| "ok"));
            result
        }
    }

    /// Makes sure that a user exists, as a valid token says; costs nothing for those seen lately. Profiles that are there are left as they are.
    ///
    /// # Errors
    /// `unavailable` when the store does not answer or too many wait.
    pub async fn welcome(&self, profile: Profile) -> Result<(), ChatError> {
        self.inner.people.welcome(profile).await
    }

    /// Creates or replaces profiles for the service API (a field without a value keeps the old one); returns them as they are now, in order.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn upsert_users(&self, profiles: &[Profile]) -> Result<Vec<Profile>, ChatError> {
        let users = self.inner.ask("upserting users", self.inner.store.upsert_users(profiles)).await?;
        self.inner.people.remember(users.iter().map(|user| &user.id));
        Ok(users)
    }

    /// A new message id, for [`Limits::draft`].
    #[must_use]
    pub fn new_message_id(&self) -> MessageId {
        MessageId::from_uuid(self.inner.new_uuid())
    }

    /// A new conversation id, for a [`crate::domain::ConversationDraft`].
    #[must_use]
    pub fn new_conversation_id(&self) -> ConversationId {
        ConversationId::from_uuid(self.inner.new_uuid())
    }

    /// A clientId for a send whose client gave none.
    #[must_use]
    pub fn new_client_id(&self) -> ClientId {
        self.inner.new_client_id()
    }

    /// The bounds of what may be asked.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.settings.limits
    }

    /// Takes no more commands, and returns when everything taken is resolved, or at the deadline.
    pub async fn finish(&self, deadline: Instant) -> Finished {
        let inner = &self.inner;
        inner.log_writer.close();
        inner.receipts.close();
        inner.rest.cancel();
        inner.tracker.close();
        if tokio::time::timeout_at(deadline, inner.tracker.wait()).await.is_err() {
            inner.abandon.cancel();
            inner.tracker.wait().await;
        }
        Finished { unwritten_count: inner.log_writer.depth() }
    }
}

impl Inner {
    fn spawn_workers(&self, news: &Arc<dyn News>) {
        let (store_within, abandon) = (self.settings.store_within, &self.abandon);
        let outbox = Outbox {
            store: Arc::clone(&self.store),
            news: Arc::clone(news),
            woken: Arc::clone(&self.outbox),
            every: self.settings.outbox_every,
            store_within,
            seed: self.seed,
        };
        let (rest, ended) = (self.rest.clone(), abandon.clone());
        self.tracker.spawn(async move { ended.run_until_cancelled(outbox.run(rest)).await });
        let (receipts, store, news) = (Arc::clone(&self.receipts), Arc::clone(&self.store), Arc::clone(news));
        let ended = abandon.clone();
        self.tracker.spawn(async move { ended.run_until_cancelled(receipts.run(store, news)).await });
        let (people, store, rest) = (Arc::clone(&self.people), Arc::clone(&self.store), self.rest.clone());
        self.tracker.spawn(async move { people.run(store, store_within, rest).await });
    }

    /// Nobody waits for the store longer than `store_within`.
    pub async fn within<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        tokio::time::timeout(self.settings.store_within, call)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".into())))
    }

    fn new_uuid(&self) -> Uuid {
        let ms = u64::try_from(self.clock.now().unix_ms()).unwrap_or_default();
        let nanos = u32::try_from(ms % 1_000).unwrap_or_default() * 1_000_000;
        Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, ms / 1_000, nanos))
    }

    pub fn new_client_id(&self) -> ClientId {
        ClientId::parse(&self.new_uuid().simple().to_string()).expect("a UUID is 32 printable characters")
    }
}
