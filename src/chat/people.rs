//! Users known to exist: cached, and made sure of together, so that a storm of connects costs the store little.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use quick_cache::sync::Cache;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::refusal::{RETRY_AFTER_MS, refusal};
use crate::domain::{ChatError, Profile, UserId};
use crate::store::{Store, StoreError};
use crate::telemetry::metrics;

/// Users that may wait to be made sure of.
const WAITING_MAX: usize = 16_384;
/// Users of one call of the store.
const BATCH_USERS_MAX: usize = 1_000;

#[derive(Debug)]
struct Newcomer {
    profile: Profile,
    caller: oneshot::Sender<Result<(), ChatError>>,
}

/// Makes sure that users exist.
#[derive(Debug)]
pub(super) struct People {
    known: Cache<UserId, ()>,
    newcomers: mpsc::Sender<Newcomer>,
    waiting: Mutex<Option<mpsc::Receiver<Newcomer>>>,
}

impl People {
    /// Remembers about `known_max` users.
    pub fn new(known_max: usize) -> Self {
        let (newcomers, waiting) = mpsc::channel(WAITING_MAX);
        Self { known: Cache::new(known_max), newcomers, waiting: Mutex::new(Some(waiting)) }
    }

    /// Returns when this user exists; at once when that is known.
    ///
    /// # Errors
    /// `unavailable` when the store does not answer or too many wait.
    pub async fn welcome(&self, profile: Profile) -> Result<(), ChatError> {
        if self.known.get(&profile.id).is_some() {
            return Ok(());
        }
        let unavailable = || ChatError::unavailable(RETRY_AFTER_MS);
        let (caller, answer) = oneshot::channel();
        self.newcomers.try_send(Newcomer { profile, caller }).map_err(|_| unavailable())?;
        answer.await.unwrap_or_else(|_| Err(unavailable()))
    }

    /// Remembers users that are known to exist.
    pub fn remember<'a>(&self, users: impl Iterator<Item = &'a UserId>) {
        users.for_each(|user| self.known.insert(user.clone(), ()));
    }

    /// Makes sure of those who wait, all of them at once, until `shutdown`.
    pub async fn run(&self, store: Arc<dyn Store>, store_within: Duration, shutdown: CancellationToken) {
        let Some(mut waiting) = self.waiting.lock().take() else { return };
        let mut batch = Vec::new();
        while let Some(1..) = shutdown.run_until_cancelled(waiting.recv_many(&mut batch, BATCH_USERS_MAX)).await {
            self.ensure(std::mem::take(&mut batch), store.as_ref(), store_within).await;
        }
    }

    async fn ensure(&self, batch: Vec<Newcomer>, store: &dyn Store, store_within: Duration) {
        let profiles: HashMap<&UserId, &Profile> =
            batch.iter().map(|newcomer| (&newcomer.profile.id, &newcomer.profile)).collect();
        let profiles: Vec<Profile> = profiles.into_values().cloned().collect();
        metrics::people_ensured(profiles.len());
        let outcome = tokio::time::timeout(store_within, store.ensure_users(&profiles))
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".into())));
        if outcome.is_ok() {
            self.remember(profiles.iter().map(|profile| &profile.id));
        }
        let answer = outcome.map_err(|error| refusal("making sure of users", &error));
        for newcomer in batch {
            // Who has gone away wants no answer.
            let _ = newcomer.caller.send(answer.clone());
        }
    }
}
