//! A worker of a lane: asks the store until a batch is resolved, then tells the readers, then the callers.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fail::fail_point;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tracing::warn;

use super::LaneTools;
use super::lane::Lane;
use super::queue::{Settled, Ticket, Track, Write};
use super::settle::{Verdict, settle};
use crate::chat::News;
use crate::chat::refusal::refusal;
use crate::chat::retry::Backoff;
use crate::domain::{ChatError, ConversationId, Event, Fact, Reply};
use crate::store::{Append, Outcome, Store, StoreError};
use crate::telemetry::metrics;

const BACKOFF_FIRST: Duration = Duration::from_millis(10);
const BACKOFF_LONGEST: Duration = Duration::from_secs(1);

/// Works one track of a lane until that is closed and everything is settled.
pub(super) struct LaneWorker {
    lane: Arc<Lane>,
    track: Track,
    store: Arc<dyn Store>,
    news: Arc<dyn News>,
    outbox: Arc<Notify>,
    backoff: Backoff,
    store_within: Duration,
}

/// What has become of a batch so far.
#[derive(Default)]
struct Progress {
    settled: Settled,
    /// These found their conversation locked: nothing happened to them.
    locked: Vec<Write>,
}

impl Progress {
    /// Keeps behind an earlier part's locked conversations what must not overtake; the rest is to be asked now.
    fn hold_back(&mut self, part: Vec<Write>) -> (Vec<Append>, Vec<Ticket>) {
        let locked: HashSet<ConversationId> = self.locked.iter().map(|write| write.append.conversation).collect();
        let (held, free): (Vec<Write>, Vec<Write>) =
            part.into_iter().partition(|write| locked.contains(&write.append.conversation));
        self.locked.extend(held);
        free.into_iter().map(|write| (write.append, write.ticket)).unzip()
    }
}

impl LaneWorker {
    pub fn new(lane: Arc<Lane>, track: Track, tools: &LaneTools, store_within: Duration) -> Self {
        let seed = tools.seed.wrapping_add(u64::try_from(lane.number()).unwrap_or_default());
        Self {
            lane,
            track,
            store: Arc::clone(&tools.store),
            news: Arc::clone(&tools.news),
            outbox: Arc::clone(&tools.outbox),
            backoff: Backoff::new(seed, BACKOFF_FIRST, BACKOFF_LONGEST),
            store_within,
        }
    }

    pub async fn run(mut self) {
        while let Some(batch) = self.lane.take(self.track).await {
            let now = Instant::now();
            metrics::batch_taken(batch.len(), batch.iter().map(|write| now.duration_since(write.ticket.since)));
            let Progress { settled, locked } = self.write(batch).await;
            let still_locked = self.track == Track::Siding && !locked.is_empty();
            self.lane.done(self.track, settled, locked);
            if still_locked {
                tokio::time::sleep(self.backoff.wait()).await;
            } else {
                self.backoff.reset();
            }
        }
    }

    /// Resolves every write of a batch but those to locked conversations.
    async fn write(&mut self, batch: Vec<Write>) -> Progress {
        let mut progress = Progress::default();
        let mut parts = VecDeque::from([batch]);
        while let Some(part) = parts.pop_front() {
            let (mut appends, mut tickets) = progress.hold_back(part);
            if appends.is_empty() {
                continue;
            }
            match self.ask(&appends).await {
                Ok(outcomes) => self.settle(appends, tickets, outcomes, &mut progress),
                // One of them is poison that no check has found: halve until it stands alone.
                Err(_) if appends.len() > 1 => {
                    let middle = appends.len() / 2;
                    parts.push_front(together(appends.split_off(middle), tickets.split_off(middle)));
                    parts.push_front(together(appends, tickets));
                }
                Err(error) => {
                    let answer = refusal("writing an event", &error);
                    for ticket in tickets {
                        progress.settled.add(&ticket);
                        tell(ticket.caller, Err(answer.clone()));
                    }
                }
            }
        }
        progress
    }

    /// Asks until the store gives an answer that stands. What is unknown is asked again as it was: the clientIds resolve it.
    async fn ask(&mut self, appends: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        loop {
            let asked = Instant::now();
            match self.append(appends).await {
                Ok(outcomes) if outcomes.len() == appends.len() => {
                    metrics::batch_written(asked.elapsed());
                    return Ok(outcomes);
                }
                Ok(_) => return Err(StoreError::Defect("as many outcomes as writes are expected".into())),
                Err(StoreError::Unavailable(cause)) => {
                    metrics::outcome_unknown(appends.len());
                    let (lane, writes_count) = (self.lane.number(), appends.len());
                    warn!(lane, writes_count, cause, "batch of {writes_count} writes unresolved: asking again");
                }
                // Waited for in vain: the siding goes on waiting, one conversation at a time.
                Err(StoreError::Busy(_)) if of_one_conversation(appends) => {
                    metrics::batch_busy();
                    return Ok(vec![Outcome::Busy; appends.len()]);
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
    fn settle(&self, appends: Vec<Append>, tickets: Vec<Ticket>, outcomes: Vec<Outcome>, progress: &mut Progress) {
        // With `return` the process dies here: committed, and nobody told.
        fail_point!("log_writer::committed", |_| std::process::abort());
        let mut news = Vec::with_capacity(appends.len());
        let mut answers = Vec::with_capacity(appends.len());
        for ((append, ticket), outcome) in appends.into_iter().zip(tickets).zip(outcomes) {
            match settle(&append, outcome) {
                Verdict::Over(events, answer) => {
                    progress.settled.add(&ticket);
                    news.extend(events);
                    answers.push((ticket.caller, answer));
                }
                Verdict::Locked => progress.locked.push(Write { append, ticket }),
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

fn together(appends: Vec<Append>, tickets: Vec<Ticket>) -> Vec<Write> {
    appends.into_iter().zip(tickets).map(|(append, ticket)| Write { append, ticket }).collect()
}

fn of_one_conversation(appends: &[Append]) -> bool {
    appends.windows(2).all(|pair| pair[0].conversation == pair[1].conversation)
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
