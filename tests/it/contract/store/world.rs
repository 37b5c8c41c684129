//! A store of a test's own, with the verbs of those who use it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rookery::domain::{
    Act, ClientId, Content, Conversation, ConversationChange, ConversationDraft, ConversationId, ConversationKind,
    Draft, Event, Fact, FeedId, Message, MessageId, MessageKind, Permission, Profile, Role, Seq, UserId,
};
use rookery::store::{
    Append, EventPage, Outcome, PageAsk, PostgresSettings, PostgresStore, SqliteSettings, SqliteStore, Store,
    StoreError, WriteAct,
};
use uuid::Uuid;

use crate::support::backends;
use crate::support::deadline::until;

static KEYS: AtomicU32 = AtomicU32::new(0);

/// Either engine, for what is not in the port.
pub enum Engine {
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PostgresStore>),
}

/// A fresh database and a store on it; dropped, both are gone.
pub struct World {
    pub store: Arc<dyn Store>,
    pub engine: Engine,
    pub url: String,
    _folder: Option<tempfile::TempDir>,
}

impl World {
    /// On a file of its own.
    pub async fn on_sqlite() -> Self {
        let world = Self::bare_sqlite().await;
        world.migrate().await.unwrap();
        world
    }

    /// On a database of its own; none where Postgres is not installed.
    pub async fn on_postgres() -> Option<Self> {
        let world = Self::bare_postgres().await?;
        world.migrate().await.unwrap();
        Some(world)
    }

    /// Not migrated yet.
    pub async fn bare_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("deep/rookery.db").display());
        let store = Arc::new(SqliteStore::open(&SqliteSettings::new(&url)).await.unwrap());
        Self { store: store.clone(), engine: Engine::Sqlite(store), url, _folder: Some(folder) }
    }

    /// Not migrated yet.
    pub async fn bare_postgres() -> Option<Self> {
        Some(Self::over(&small(&backends::fresh_database().await?)).await)
    }

    /// On a given database.
    pub async fn on(settings: &PostgresSettings) -> Self {
        let world = Self::over(settings).await;
        world.migrate().await.unwrap();
        world
    }

    async fn over(settings: &PostgresSettings) -> Self {
        let store = Arc::new(PostgresStore::connect(settings).await.unwrap());
        Self { store: store.clone(), engine: Engine::Postgres(store), url: settings.url.clone(), _folder: None }
    }

    /// The same database as another node sees it. SQLite has one node only: the same store.
    pub async fn neighbour(&self) -> Arc<dyn Store> {
        match &self.engine {
            Engine::Sqlite(store) => store.clone(),
            Engine::Postgres(_) => Arc::new(PostgresStore::connect(&small(&self.url)).await.unwrap()),
        }
    }

    pub async fn migrate(&self) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite(store) => store.migrate().await,
            Engine::Postgres(store) => store.migrate().await,
        }
    }

    /// Makes users and gives their ids.
    pub async fn users<const N: usize>(&self, names: [&str; N]) -> [UserId; N] {
        let profiles = names.map(profile);
        self.store.ensure_users(&profiles).await.unwrap();
        profiles.map(|profile| profile.id)
    }

    /// A group of these; the first owns it.
    pub async fn group(&self, everybody: &[&UserId]) -> ConversationId {
        self.conversation(ConversationKind::Group, everybody).await
    }

    /// A conversation of these; the first makes it.
    pub async fn conversation(&self, kind: ConversationKind, everybody: &[&UserId]) -> ConversationId {
        created(self.store.create_conversation(&draft(kind, everybody)).await.unwrap()).id
    }

    /// Writes one thing.
    pub async fn write(&self, write: Append) -> Outcome {
        self.store.append(&[write]).await.unwrap().remove(0)
    }

    /// Writes one thing that must be written; gives its first event.
    pub async fn written(&self, write: Append) -> Event {
        written(self.write(write).await).remove(0)
    }

    /// Says something that must be written; gives the message.
    pub async fn says(&self, user: &UserId, conversation: ConversationId, text: &str) -> Message {
        message(&self.written(send(user, conversation, text)).await)
    }

    /// The whole feed.
    pub async fn feed(&self, conversation: ConversationId) -> Vec<Event> {
        self.page(&FeedId::Conversation(conversation), 0).await.events
    }

    /// The feed from a cursor on.
    pub async fn page(&self, feed: &FeedId, after: u64) -> EventPage {
        self.store.events(feed, Seq(after), 1_000).await.unwrap()
    }

    /// Waits until the store's clock, which counts milliseconds, has moved on.
    pub async fn tick(&self) {
        let before = self.store.now().await.unwrap();
        until("the store's clock moves", || async { (self.store.now().await.unwrap() > before).then_some(()) }).await;
    }

    pub async fn role(&self, conversation: ConversationId, user: &UserId) -> Option<Role> {
        self.store.member(conversation, user).await.unwrap().map(|member| member.role)
    }
}

fn small(url: &str) -> PostgresSettings {
    PostgresSettings { writers_max: 3, readers_max: 2, ..PostgresSettings::new(url) }
}

pub fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

pub fn profile(id: &str) -> Profile {
    Profile { id: user(id), name: format!("{id} name"), username: None, avatar: None, email: None }
}

pub fn draft(kind: ConversationKind, everybody: &[&UserId]) -> ConversationDraft {
    let (owner, members) = everybody.split_first().unwrap();
    ConversationDraft {
        id: ConversationId::from_uuid(Uuid::now_v7()),
        kind,
        title: Some("first title".into()).filter(|_| kind != ConversationKind::Direct),
        owner: Some((*owner).clone()),
        members: members.iter().map(|member| (*member).clone()).collect(),
        client_id: None,
    }
}

pub fn client_id(text: &str) -> ClientId {
    ClientId::parse(text).unwrap()
}

/// What a node makes of an act: a fresh clientId, and the permission that the act needs.
pub fn append(actor: Option<&UserId>, conversation: ConversationId, act: WriteAct) -> Append {
    let needs = match &act {
        WriteAct::Send(_) => Act::Send,
        WriteAct::AddMember(..) => Act::AddMember,
        WriteAct::RemoveMember(user) if Some(user) == actor => Act::Leave,
        WriteAct::RemoveMember(_) => Act::RemoveMember,
        WriteAct::SetRole(..) => Act::SetRole,
        WriteAct::Update(_) => Act::Update,
    };
    Append {
        conversation,
        actor: actor.cloned(),
        origin: None,
        client_id: client_id(&format!("key-{}", KEYS.fetch_add(1, Ordering::Relaxed))),
        permission: Permission::of(needs),
        act,
    }
}

pub fn words(text: &str) -> Draft {
    Draft {
        id: MessageId::from_uuid(Uuid::now_v7()),
        content: Content::Text(text.into()),
        kind: MessageKind::default(),
        reply_to: None,
        mentions: Vec::new(),
    }
}

pub fn send(actor: &UserId, conversation: ConversationId, text: &str) -> Append {
    send_draft(actor, conversation, words(text))
}

pub fn send_draft(actor: &UserId, conversation: ConversationId, draft: Draft) -> Append {
    append(Some(actor), conversation, WriteAct::Send(Box::new(draft)))
}

/// The events of something that was written.
pub fn written(outcome: Outcome) -> Vec<Event> {
    match outcome {
        Outcome::Written(events) => events,
        other => panic!("was to be written: {other:?}"),
    }
}

/// The message of a `message.new`.
pub fn message(event: &Event) -> Message {
    match &event.fact {
        Fact::MessageNew(message) => (**message).clone(),
        other => panic!("was to tell of a message: {other:?}"),
    }
}

/// What the feed says, in short.
pub fn texts(events: &[Event]) -> Vec<String> {
    let text = |event: &Event| match &event.fact {
        Fact::MessageNew(message) => match &message.content {
            Some(Content::Text(text)) => text.clone(),
            other => format!("{other:?}"),
        },
        other => other.kind().to_owned(),
    };
    events.iter().map(text).collect()
}

/// That the places of a feed are 1, 2, 3 …
pub fn assert_without_holes(events: &[Event]) {
    let places: Vec<u64> = events.iter().map(|event| event.seq.0).collect();
    assert_eq!(places, (1..=places.len() as u64).collect::<Vec<_>>());
}

/// What must be new.
pub fn created(change: ConversationChange) -> Conversation {
    match change {
        ConversationChange::Created(conversation) => conversation,
        ConversationChange::Existing(conversation) => panic!("was to be new: {conversation:?}"),
    }
}

/// What must have been there.
pub fn existing(change: ConversationChange) -> Conversation {
    match change {
        ConversationChange::Existing(conversation) => conversation,
        ConversationChange::Created(conversation) => panic!("was to be there: {conversation:?}"),
    }
}

/// The first page of a list.
pub fn first(limit: u32) -> PageAsk {
    PageAsk { cursor: None, limit }
}
