//! A chat over a real store, with a script of faults below it and an ear above it, spoken to in the user's verbs.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rookery::chat::{Chat, ChatParts, ChatSettings, DraftAsk, News};
use rookery::domain::{
    Actor, ChatError, ClientId, Command, Conversation, ConversationChange, ConversationDraft, ConversationId,
    ConversationKind, ErrorCode, Event, Fact, FeedId, Profile, Reply, Sent, Seq, Signal, SystemClock, UserId,
};
use rookery::store::{PostgresSettings, PostgresStore, SqliteSettings, SqliteStore, Store};
use serde_json::value::to_raw_value;
use tempfile::TempDir;
use tokio::sync::watch;

use super::scripted::Scripted;
use crate::support::backends::fresh_database;

/// Nothing here takes longer, or it hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What the core has told.
#[derive(Default)]
pub struct Ear {
    heard: Mutex<(Vec<Event>, Vec<Signal>)>,
    changed: watch::Sender<usize>,
}

impl News for Ear {
    fn committed(&self, events: Vec<Event>) {
        self.heard.lock().0.extend(events);
        self.changed.send_modify(|times| *times += 1);
    }

    fn signal(&self, signal: Signal) {
        self.heard.lock().1.push(signal);
        self.changed.send_modify(|times| *times += 1);
    }
}

impl Ear {
    pub fn events(&self) -> Vec<Event> {
        self.heard.lock().0.clone()
    }

    pub fn signals(&self) -> Vec<Signal> {
        self.heard.lock().1.clone()
    }

    /// The seqs of a conversation's events, in the order they were told.
    pub fn seqs(&self, room: ConversationId) -> Vec<u64> {
        let feed = FeedId::Conversation(room);
        self.heard.lock().0.iter().filter(|event| event.feed == feed).map(|event| event.seq.0).collect()
    }

    /// Waits until what was heard satisfies `enough`.
    pub async fn hears(&self, what: &str, enough: impl Fn(&[Event], &[Signal]) -> bool) {
        let mut changed = self.changed.subscribe();
        let heard = changed.wait_for(|_| {
            let heard = self.heard.lock();
            enough(&heard.0, &heard.1)
        });
        tokio::time::timeout(PATIENCE, heard).await.unwrap_or_else(|_| panic!("never heard: {what}")).unwrap();
    }
}

/// The stage.
pub struct Scene {
    pub chat: Chat,
    pub store: Arc<Scripted>,
    pub ear: Arc<Ear>,
    /// The store's file, if it has one, for as long as anybody plays on it.
    folder: Option<Arc<TempDir>>,
}

impl Scene {
    /// A chat with the users ann, bob, cid and dan.
    pub async fn new() -> Self {
        Self::with(ChatSettings::default()).await
    }

    /// The same with other bounds.
    pub async fn with(settings: ChatSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = format!("sqlite://{}/chat.db", folder.path().display());
        let store = SqliteStore::open(&SqliteSettings::new(file)).await.unwrap();
        store.migrate().await.unwrap();
        Self::over(Arc::new(store), Some(Arc::new(folder)), settings).with_people().await
    }

    /// Plays the same on every store that this machine has.
    pub async fn on_every_store(act: impl AsyncFn(Self)) {
        act(Self::new().await).await;
        if let Some(url) = fresh_database().await {
            let store = PostgresStore::connect(&PostgresSettings::new(url)).await.unwrap();
            store.migrate().await.unwrap();
            act(Self::over(Arc::new(store), None, ChatSettings::default()).with_people().await).await;
        }
    }

    /// A second core over the same truth, as another node has.
    pub fn another_node(&self) -> Self {
        Self::over(self.store.truth(), self.folder.clone(), ChatSettings::default())
    }

    async fn with_people(self) -> Self {
        for name in ["ann", "bob", "cid", "dan"] {
            self.chat.welcome(profile(name)).await.unwrap();
        }
        self
    }

    fn over(truth: Arc<dyn Store>, folder: Option<Arc<TempDir>>, settings: ChatSettings) -> Self {
        let (store, ear) = (Arc::new(Scripted::new(truth)), Arc::new(Ear::default()));
        let parts = ChatParts {
            store: Arc::clone(&store) as Arc<dyn Store>,
            news: Arc::clone(&ear) as Arc<dyn News>,
            clock: Arc::new(SystemClock),
            seed: 7,
        };
        Self { chat: Chat::start(parts, settings), store, ear, folder }
    }

    /// A group of `owner` and others.
    pub async fn room(&self, owner: &str, others: &[&str]) -> ConversationId {
        self.creates(owner, ConversationKind::Group, others, None).await.unwrap().1.id
    }

    /// Whether it is new, and the conversation.
    pub async fn creates(
        &self,
        owner: &str,
        kind: ConversationKind,
        others: &[&str],
        client_id: Option<&str>,
    ) -> Result<(bool, Conversation), ChatError> {
        let draft = ConversationDraft {
            id: self.chat.new_conversation_id(),
            kind,
            title: Some("a room".into()),
            owner: Some(user(owner)),
            members: others.iter().map(|name| user(name)).collect(),
            client_id: client_id.map(|id| ClientId::parse(id).unwrap()),
        };
        let command = Command::CreateConversation(Box::new(draft));
        match self.chat.submit(Actor::rest(user(owner)), command).await? {
            Reply::Conversation(change) => Ok(match *change {
                ConversationChange::Created(conversation) => (true, conversation),
                ConversationChange::Existing(conversation) => (false, conversation),
            }),
            other => panic!("not the answer to a creation: {other:?}"),
        }
    }

    /// The command that sends `words` under themselves as clientId.
    pub fn send(&self, conversation: ConversationId, words: &str) -> Command {
        let content = to_raw_value(words).unwrap();
        let ask = DraftAsk { content: &content, kind: None, reply_to: None, mentions: &[] };
        let draft = self.chat.limits().draft(self.chat.new_message_id(), ask).unwrap();
        Command::SendMessage { conversation, client_id: ClientId::parse(words).unwrap(), draft: Box::new(draft) }
    }

    /// Sends `words` under themselves as clientId. Ordered when this returns, before it is awaited.
    pub fn says(
        &self,
        who: &str,
        room: ConversationId,
        words: &str,
    ) -> impl Future<Output = Result<Sent, ChatError>> + Send + use<> {
        let reply = self.chat.submit(Actor::rest(user(who)), self.send(room, words));
        async move {
            match tokio::time::timeout(PATIENCE, reply).await.expect("every command is answered")? {
                Reply::Sent(sent) => Ok(*sent),
                other => panic!("not the answer to a send: {other:?}"),
            }
        }
    }

    /// Says it until the lane takes it.
    pub async fn until_admitted(&self, who: &str, room: ConversationId, words: &str) {
        let admitted = async { while code_of(&self.says(who, room, words).await) == Some(ErrorCode::Unavailable) {} };
        tokio::time::timeout(PATIENCE, admitted).await.expect("the lane recovers");
    }

    /// Any other command.
    pub async fn does(&self, who: &str, command: Command) -> Result<Reply, ChatError> {
        let reply = self.chat.submit(Actor::rest(user(who)), command);
        tokio::time::timeout(PATIENCE, reply).await.expect("every command is answered")
    }

    /// The texts of a conversation as they are in the store, by seq.
    pub async fn written(&self, room: ConversationId) -> Vec<String> {
        let (mut texts, mut after) = (Vec::new(), Seq::ZERO);
        loop {
            let page = self.store.truth().messages_after(room, after, 100).await.unwrap();
            let Some(last) = page.last() else { return texts };
            after = last.seq;
            texts.extend(page.iter().map(|message| message.client_id.as_ref().unwrap().as_str().to_owned()));
        }
    }

    /// Waits until the store was asked this often to append.
    pub async fn appends_reach(&self, count: usize) {
        let reached = async {
            while self.store.batches().len() < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.expect("the store is asked");
    }
}

pub fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub fn profile(name: &str) -> Profile {
    Profile { id: user(name), name: name.to_owned(), username: None, avatar: None, email: None }
}

/// Whether a text was told.
pub fn tells(events: &[Event], words: &str) -> bool {
    events.iter().any(|event| match &event.fact {
        Fact::MessageNew(message) => message.client_id.as_ref().is_some_and(|id| id.as_str() == words),
        Fact::MemberAdded { .. }
        | Fact::MemberRemoved { .. }
        | Fact::MemberRole { .. }
        | Fact::ConversationUpdated(_)
        | Fact::ConversationAdded { .. }
        | Fact::ConversationRemoved { .. }
        | Fact::Unknown { .. } => false,
    })
}

/// The code of what must be a refusal.
pub fn code<T: std::fmt::Debug>(result: Result<T, ChatError>) -> ErrorCode {
    result.expect_err("a refusal").code
}

fn code_of<T>(result: &Result<T, ChatError>) -> Option<ErrorCode> {
    result.as_ref().err().map(|error| error.code)
}
