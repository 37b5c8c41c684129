//! A node's feeds over the test store, with readers that write down what they hear.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rookery::bus::{Bus, Payload};
use rookery::chat::{AttachAsk, Attached, Attachments, Budget, EncodedOnce, Feeds, FeedsParts, Reader};
use rookery::domain::{Event, FeedId, NodeId, Seq, SessionId, Signal, SystemClock, UserId};
use rookery::store::LogStore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::spy_bus::SpyBus;
use super::store::{TestStore, pass};
use crate::schedules::log::{Write, feed};

/// A session of a user.
pub struct Ear {
    session: SessionId,
    user: UserId,
    attachments: Attachments,
    pub heard: Mutex<Vec<u64>>,
    pub signals: Mutex<usize>,
    pub lost_track: Mutex<bool>,
}

impl Ear {
    /// Of the user with this number in the log of the test store.
    pub fn new(number: usize) -> Arc<Self> {
        Self::of(crate::schedules::log::user(number))
    }

    pub fn of(user: UserId) -> Arc<Self> {
        Arc::new(Self {
            session: SessionId::from_uuid(Uuid::now_v7()),
            user,
            attachments: Attachments::default(),
            heard: Mutex::default(),
            signals: Mutex::default(),
            lost_track: Mutex::default(),
        })
    }

    pub fn as_reader(self: &Arc<Self>) -> Arc<dyn Reader> {
        Arc::clone(self) as Arc<dyn Reader>
    }

    pub fn heard(&self) -> Vec<u64> {
        self.heard.lock().unwrap().clone()
    }
}

impl Reader for Ear {
    fn session(&self) -> SessionId {
        self.session
    }

    fn user(&self) -> &UserId {
        &self.user
    }

    fn attachments(&self) -> &Attachments {
        &self.attachments
    }

    fn event(&self, event: &EncodedOnce<Event>) {
        self.heard.lock().unwrap().push(event.what().seq.0);
    }

    fn signal(&self, _signal: &EncodedOnce<Signal>) {
        *self.signals.lock().unwrap() += 1;
    }

    fn lost_track(&self) {
        *self.lost_track.lock().unwrap() = true;
    }
}

/// The feeds of a node, and what ends them.
pub struct Running {
    pub feeds: Feeds,
    shutdown: CancellationToken,
    tracker: TaskTracker,
}

/// Feeds of a node of this name over these.
pub async fn start(name: &str, store: Arc<dyn LogStore>, bus: Arc<dyn Bus>) -> Running {
    let (tracker, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let parts = FeedsParts {
        node: NodeId::parse(name).unwrap(),
        store,
        bus,
        clock: Arc::new(SystemClock),
        seed: name.len() as u64,
        tracker: tracker.clone(),
        shutdown: shutdown.clone(),
    };
    let feeds = Feeds::start(parts).await.unwrap();
    Running { feeds, shutdown, tracker }
}

impl Running {
    /// Ends every task; returns when they have ended.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// A node alone over the test store.
pub struct Site {
    pub store: Arc<TestStore>,
    pub feeds: Feeds,
    running: Running,
}

impl Site {
    /// A node alone, and its bus.
    pub async fn alone() -> (Self, Arc<SpyBus>) {
        let (bus, store) = (SpyBus::new(), TestStore::new(1));
        let running = start("here", store.clone(), bus.clone()).await;
        (Self { store, feeds: running.feeds.clone(), running }, bus)
    }

    /// Commits, and tells the feeds of it.
    pub fn write(&self, write: Write) -> Event {
        let event = self.write_untold(write);
        self.feeds.committed(vec![event.clone()]);
        event
    }

    /// Commits as a node does that dies before it can tell anybody.
    pub fn write_untold(&self, write: Write) -> Event {
        let now = self.store.now();
        self.store.log().commit(write, now).unwrap()
    }

    pub async fn attach(&self, ear: &Arc<Ear>, cursor: Option<u64>) -> Attached {
        self.feeds.attach(&ear.as_reader(), ask(feed(), cursor)).await
    }

    /// Attaches and goes live; returns the seqs of the backfill.
    pub async fn read(&self, ear: &Arc<Ear>, cursor: Option<u64>) -> Vec<u64> {
        match self.attach(ear, cursor).await {
            Attached::Complete(backfill, ticket) => {
                self.feeds.go_live(ticket);
                backfill.events.iter().map(|event| event.seq.0).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    pub async fn stop(self) {
        self.running.stop().await;
    }
}

pub fn ask(feed: FeedId, cursor: Option<u64>) -> AttachAsk {
    AttachAsk { feed, cursor: cursor.map(Seq), epoch: None, budget: Budget::new(1_000, 1 << 20) }
}

/// Waits (in virtual time) until it is so.
pub async fn until(what: &str, so: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if so() {
            return;
        }
        pass(Duration::from_millis(1)).await;
    }
    panic!("in ten seconds it never was so: {what}");
}

/// The seqs in the envelopes of events.
pub fn published(bus: &SpyBus) -> Vec<usize> {
    let count = |payload: &Option<Payload>| match payload {
        Some(Payload::Events(events)) => Some(events.len()),
        Some(Payload::Signals(_)) | None => None,
    };
    bus.published.lock().unwrap().iter().filter_map(|envelope| count(&envelope.payload)).collect()
}
