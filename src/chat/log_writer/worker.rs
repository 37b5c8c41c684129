//! The worker of a lane: asks the store until a batch is resolved, then tells the readers, then the callers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fail::fail_point;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tracing::warn;

use super::LaneTools;
use super::lane::Lane;
use super::queue::{Settled, Write};
use super::settle::{Verdict, settle};
use crate::chat::News;
use crate::chat::refusal::refusal;
use crate::chat::retry::Backoff;
use crate::domain::{ChatError, Event, Fact, Reply};
use crate::store::{Append, Outcome, Store, StoreError};
use crate::telemetry::metrics;

const BACKOFF_FIRST: Duration = Duration::from_millis(10);
const BACKOFF_LONGEST: Duration = Duration::from_secs(1);

/// Works one lane until it is closed and empty.
pub(super) struct LaneWorker {
    lane: Arc<Lane>,
    store: Arc<dyn Store>,
    news: Arc<dyn News>,
    outbox: Arc<Notify>,
    backoff: Backoff,
    store_within: Duration,
}

impl LaneWorker {
    pub fn new(lane: Arc<Lane>, tools: &LaneTools, store_within: Duration) -> Self {
        let seed = tools.seed.wrapping_add(u64::try_from(lane.number()).unwrap_or_default());
        Self {
            lane,
            store: Arc::clone(&tools.store),
            news: Arc::clone(&tools.news),
            outbox: Arc::clone(&tools.outbox),
            backoff: Backoff::new(seed, BACKOFF_FIRST, BACKOFF_LONGEST),
            store_within,
        }
    }

    pub async fn run(mut self) {
        while let Some(batch) = self.lane.take().await {
            let now = Instant::now();
            metrics::batch_taken(batch.len(), batch.iter().map(|write| now.duration_since(write.since)));
            let locked = self.write(batch).await;
            if locked > 0 {
                // Whoever holds the lock is not done yet; the others of the lane go on after a breath.
                tokio::time::sleep(self.backoff.wait()).await;
            } else {
                self.backoff.reset();
            }
        }
    }

    /// Resolves every write of a batch but those to locked conversations, whose number it returns: they are back in the lane.
    async fn write(&mut self, batch: Vec<Write>) -> usize {
        let mut settled = Settled::default();
        let mut locked = Vec::new();
        let mut parts = VecDeque::from([batch]);
        while let Some(mut part) = parts.pop_front() {
            match self.ask(&part).await {
                Ok(outcomes) => self.finish(part, outcomes, &mut settled, &mut locked),
                // One of them is poison that no check has found: halve until it stands alone.
                Err(_) if part.len() > 1 => {
                    let second = part.split_off(part.len() / 2);
                    parts.push_front(second);
                    parts.push_front(part);
                }
                Err(error) => {
                    let answer = refusal("writing an event", &error);
                    for write in part {
                        settled.add(&write);
                        tell(write.caller, Err(answer.clone()));
                    }
                }
            }
        }
        let locked_count = locked.len();
        self.lane.done(settled, locked);
        locked_count
    }

    /// Asks until the store gives an answer that stands. What is unknown is asked again as it was: the clientIds resolve it.
    async fn ask(&mut self, part: &[Write]) -> Result<Vec<Outcome>, StoreError> {
        let appends: Vec<Append> = part.iter().map(|write| write.append.clone()).collect();
        loop {
            let asked = Instant::now();
            match self.append(&appends).await {
                Ok(outcomes) if outcomes.len() == appends.len() => {
                    metrics::batch_written(asked.elapsed());
                    return Ok(outcomes);
                }
                Ok(_) => return Err(StoreError::Defect("as many outcomes as writes are expected".into())),
                Err(StoreError::Unavailable(cause)) => {
                    metrics::outcome_unknown(appends.len());
                    warn!(
                        lane = self.lane.number(),
                        writes_count = appends.len(),
                        cause,
                        "batch unresolved: asking again"
                    );
                }
                Err(StoreError::Busy(_)) => metrics::batch_busy(),
                Err(error @ (StoreError::Refused(_) | StoreError::Defect(_))) => return Err(error),
            }
            tokio::time::sleep(self.backoff.wait()).await;
        }
    }

    async fn append(&self, appends: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        fail_point!("log_writer::append", |_| Err(StoreError::Unavailable("failpoint: not reached".into())));
        let outcomes = tokio::time::timeout(self.store_within, self.store.append(appends))
            .await
            .map_err(|_| StoreError::Unavailable("no answer in time".into()))??;
        fail_point!("log_writer::reply", |_| Err(StoreError::Unavailable("failpoint: reply lost".into())));
        Ok(outcomes)
    }

    /// After the commit, in order: first those who read, then those who asked.
    fn finish(&self, part: Vec<Write>, outcomes: Vec<Outcome>, settled: &mut Settled, locked: &mut Vec<Write>) {
        // With `return` the process dies here: committed, and nobody told.
        fail_point!("log_writer::committed", |_| std::process::abort());
        let mut news = Vec::with_capacity(part.len());
        let mut answers = Vec::with_capacity(part.len());
        for (write, outcome) in part.into_iter().zip(outcomes) {
            match settle(&write.append, outcome) {
                Verdict::Over(events, answer) => {
                    settled.add(&write);
                    news.extend(events);
                    answers.push((write.caller, answer));
                }
                Verdict::Locked => locked.push(write),
            }
        }
        if news.iter().any(leaves_work) {
            self.outbox.notify_one();
        }
        if !news.is_empty() {
            self.news.committed(news);
        }
        answers.into_iter().for_each(|(caller, answer)| tell(caller, answer));
    }
}

/// Whether the store left something in the outbox with this event.
const fn leaves_work(event: &Event) -> bool {
    match event.fact {
        Fact::MemberAdded { .. } | Fact::MemberRemoved { .. } => true,
        Fact::MessageNew(_)
        | Fact::MemberRole { .. }
        | Fact::ConversationUpdated(_)
        | Fact::ConversationAdded { .. }
        | Fact::ConversationRemoved { .. }
        | Fact::Unknown { .. } => false,
    }
}

/// A caller who has gone away is none of the lane's business.
fn tell(caller: oneshot::Sender<Result<Reply, ChatError>>, answer: Result<Reply, ChatError>) {
    if caller.send(answer).is_err() {
        metrics::answer_unheard();
    }
}
