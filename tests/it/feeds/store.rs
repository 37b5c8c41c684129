//! A store for the feeds alone: one conversation's log, calls that take time and can fail, and a count of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use rookery::domain::{Epoch, FeedId, Seq, UserId};
use rookery::store::{Append, AttachPoint, Changes, EventPage, LogStore, Outcome, StoreError, Xid};
use tokio::time::Instant;

use crate::schedules::log::{Log, USERS, epoch, feed, user};
use crate::schedules::random::Random;

/// Lets (virtual) time pass.
pub async fn pass(time: Duration) {
    tokio::time::timeout(time, std::future::pending::<()>()).await.unwrap_err();
}

pub struct TestStore {
    pub log: Arc<Mutex<Log>>,
    started: Instant,
    random: Mutex<Random>,
    /// One way, in µs.
    pub delay_max: AtomicU64,
    calls: Mutex<HashMap<&'static str, u64>>,
}

impl TestStore {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            log: Arc::new(Mutex::new(Log::new())),
            started: Instant::now(),
            random: Mutex::new(Random::new(seed)),
            delay_max: AtomicU64::new(1_000),
            calls: Mutex::default(),
        })
    }

    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }

    pub fn now(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    /// How often this method was called.
    pub fn calls_of(&self, method: &str) -> u64 {
        self.calls.lock().unwrap().get(method).copied().unwrap_or(0)
    }

    /// One call: there, a look at one moment, and back.
    async fn call<T>(&self, method: &'static str, look: impl FnOnce(&Log) -> T) -> Result<T, StoreError> {
        *self.calls.lock().unwrap().entry(method).or_default() += 1;
        self.way().await;
        let seen = {
            let log = self.log();
            if log.is_away(self.now()) { Err(StoreError::Unavailable("away".into())) } else { Ok(look(&log)) }
        };
        self.way().await;
        seen
    }

    async fn way(&self) {
        let delay = self.random.lock().unwrap().between(1, self.delay_max.load(Ordering::Relaxed));
        pass(Duration::from_micros(delay)).await;
    }
}

fn point(log: &Log, (wanted, reader): &(FeedId, UserId)) -> Option<AttachPoint> {
    if *wanted == feed() {
        let number = (0..USERS).find(|number| user(*number) == *reader)?;
        return log.is_member(number).then(|| AttachPoint { head: Seq(log.head()) });
    }
    (*wanted == FeedId::User(reader.clone())).then_some(AttachPoint { head: Seq::ZERO })
}

#[async_trait]
impl LogStore for TestStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        self.call("epoch", |log| epoch(log.history())).await
    }

    async fn append(&self, _batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        Err(StoreError::Defect("the feeds write nothing".into()))
    }

    async fn attach_points(&self, asks: &[(FeedId, UserId)]) -> Result<Vec<Option<AttachPoint>>, StoreError> {
        self.call("attach_points", |log| asks.iter().map(|ask| point(log, ask)).collect()).await
    }

    async fn events(&self, wanted: &FeedId, after: Seq, limit: u32) -> Result<EventPage, StoreError> {
        assert_eq!(*wanted, feed(), "only the conversation has events");
        self.call("events", |log| log.page(after.0, limit as usize)).await
    }

    async fn heads(&self, feeds: &[FeedId]) -> Result<Vec<(FeedId, Seq)>, StoreError> {
        let wanted = feeds.contains(&feed());
        self.call("heads", |log| wanted.then(|| (feed(), Seq(log.head()))).into_iter().collect()).await
    }

    async fn changes(&self, since: Option<Xid>) -> Result<Changes, StoreError> {
        self.call("changes", |log| {
            let (_, commits) = log.place();
            let changed = since.is_some_and(|since| since.0 < commits);
            let heads = changed.then(|| (feed(), Seq(log.head())));
            Changes { heads: heads.into_iter().collect(), next: Xid(commits) }
        })
        .await
    }
}
