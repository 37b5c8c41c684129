//! Receipts: merged per conversation and user, written together a few times a second, and told to those who read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::News;
use super::refusal::{RETRY_AFTER_MS, refusal};
use crate::domain::{ChatError, ConversationId, Signal, UserId, Watermarks};
use crate::store::{Advance, Advanced, Store, StoreError};
use crate::telemetry::metrics;

/// Members of one flush, as many as the store takes in one call.
const FLUSH_MEMBERS_MAX: usize = 1_000;
/// How often a flush that only met a lock is tried.
const ATTEMPTS_MAX: usize = 3;

type Caller = oneshot::Sender<Result<Watermarks, ChatError>>;

/// One member's wish until the next flush.
#[derive(Debug, Default)]
struct Wish {
    to: Watermarks,
    callers: Vec<Caller>,
}

#[derive(Debug, Default)]
struct Waiting {
    wishes: HashMap<(ConversationId, UserId), Wish>,
    callers_count: usize,
    closed: bool,
}

/// Gathers receipts; [`Receipts::run`] writes them.
pub(super) struct Receipts {
    waiting: Mutex<Waiting>,
    callers_max: usize,
    every: Duration,
    store_within: Duration,
    /// The first has come, or the last: a closed one flushes at once.
    arrived: Notify,
    /// There is enough for one call.
    enough: Notify,
}

impl Receipts {
    /// At most `callers_max` wait for the flush that comes within `every`.
    pub fn new(callers_max: usize, every: Duration, store_within: Duration) -> Self {
        let waiting = Mutex::new(Waiting::default());
        Self { waiting, callers_max, every, store_within, arrived: Notify::new(), enough: Notify::new() }
    }

    /// Wishes for a move; answered after the flush with where the watermarks are then.
    ///
    /// # Errors
    /// `not_found` for one who is no member, `unavailable` when too many wait or the store does not answer.
    pub async fn advance(&self, wish: Advance) -> Result<Watermarks, ChatError> {
        let (caller, answer) = oneshot::channel();
        self.push(wish, caller)?;
        answer.await.unwrap_or_else(|_| Err(ChatError::unavailable(RETRY_AFTER_MS)))
    }

    fn push(&self, wish: Advance, caller: Caller) -> Result<(), ChatError> {
        let members_count = {
            let mut waiting = self.waiting.lock();
            if waiting.closed || waiting.callers_count >= self.callers_max {
                return Err(ChatError::unavailable(RETRY_AFTER_MS));
            }
            waiting.callers_count += 1;
            let merged = waiting.wishes.entry((wish.conversation, wish.user)).or_default();
            merged.to = higher(merged.to, wish.to);
            merged.callers.push(caller);
            waiting.wishes.len()
        };
        self.arrived.notify_one();
        if members_count >= FLUSH_MEMBERS_MAX {
            self.enough.notify_one();
        }
        Ok(())
    }

    /// Takes no more; what waits is flushed at once, and then [`Receipts::run`] ends.
    pub fn close(&self) {
        self.waiting.lock().closed = true;
        self.arrived.notify_one();
        self.enough.notify_one();
    }

    /// Flushes until closed and empty.
    pub async fn run(&self, store: Arc<dyn Store>, news: Arc<dyn News>) {
        loop {
            let wishes = self.take();
            if wishes.is_empty() {
                if self.waiting.lock().closed {
                    return;
                }
                self.arrived.notified().await;
                // Gathered for a moment: many read at once what one has sent.
                let _ = tokio::time::timeout(self.every, self.enough.notified()).await;
                continue;
            }
            self.flush(wishes, store.as_ref(), news.as_ref()).await;
        }
    }

    fn take(&self) -> Vec<((ConversationId, UserId), Wish)> {
        let mut waiting = self.waiting.lock();
        let wishes: Vec<_> = waiting.wishes.extract_if(|_, _| true).take(FLUSH_MEMBERS_MAX).collect();
        waiting.callers_count -= wishes.iter().map(|(_, wish)| wish.callers.len()).sum::<usize>();
        wishes
    }

    async fn flush(&self, wishes: Vec<((ConversationId, UserId), Wish)>, store: &dyn Store, news: &dyn News) {
        metrics::receipts_flushed(wishes.len());
        let batch: Vec<Advance> = wishes
            .iter()
            .map(|((conversation, user), wish)| Advance {
                conversation: *conversation,
                user: user.clone(),
                to: wish.to,
            })
            .collect();
        let outcome = self.write(&batch, store).await;
        match outcome {
            Ok(outcomes) => {
                for (((conversation, user), wish), advanced) in wishes.into_iter().zip(outcomes) {
                    if let Some(Advanced { from, to }) = advanced.filter(|advanced| advanced.from != advanced.to) {
                        news.signal(Signal::Receipt { conversation, user, from, to });
                    }
                    answer(wish, &advanced.map(|advanced| advanced.to).ok_or_else(ChatError::not_found));
                }
            }
            Err(error) => {
                let refused = Err(refusal("writing receipts", &error));
                wishes.into_iter().for_each(|(_, wish)| answer(wish, &refused));
            }
        }
    }

    /// Doing it twice does no harm, so a lost reply is the client's to repeat.
    async fn write(&self, batch: &[Advance], store: &dyn Store) -> Result<Vec<Option<Advanced>>, StoreError> {
        let mut attempt = 1;
        loop {
            let outcome = tokio::time::timeout(self.store_within, store.advance(batch))
                .await
                .unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".into())));
            match outcome {
                Err(StoreError::Busy(_)) if attempt < ATTEMPTS_MAX => attempt += 1,
                outcome => return outcome,
            }
        }
    }
}

fn higher(a: Watermarks, b: Watermarks) -> Watermarks {
    Watermarks { delivered_seq: a.delivered_seq.max(b.delivered_seq), read_seq: a.read_seq.max(b.read_seq) }
}

fn answer(wish: Wish, answer: &Result<Watermarks, ChatError>) {
    for caller in wish.callers {
        // Who has gone away wants no answer.
        let _ = caller.send(answer.clone());
    }
}
