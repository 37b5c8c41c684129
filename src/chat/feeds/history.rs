//! Reads the store with a deadline, and makes sure after every failure that it is still the same history.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::domain::Epoch;
use crate::store::{LogStore, StoreError};

/// How long one call of the store may take.
const CALL_DEADLINE: Duration = Duration::from_secs(3);

/// The store, and what this node believes of it.
pub(super) struct History {
    store: Arc<dyn LogStore>,
    epoch: Mutex<Epoch>,
    /// The store has failed, or somebody speaks of another history: nothing is believed before the epoch has been read again.
    suspect: AtomicBool,
    /// Asks for a poll at once.
    pub poll_soon: Notify,
}

impl History {
    pub fn new(store: Arc<dyn LogStore>, epoch: Epoch) -> Self {
        Self { store, epoch: Mutex::new(epoch), suspect: AtomicBool::new(false), poll_soon: Notify::new() }
    }

    /// The history that all seqs of this node belong to.
    pub fn epoch(&self) -> Epoch {
        *self.epoch.lock()
    }

    /// From now on all seqs belong to this one.
    pub fn begin(&self, epoch: Epoch) {
        *self.epoch.lock() = epoch;
    }

    /// Whether seqs must not be believed without asking the store.
    pub fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::Acquire)
    }

    /// Somebody speaks of another history.
    pub fn suspect(&self) {
        self.suspect.store(true, Ordering::Release);
        self.poll_soon.notify_one();
    }

    /// Reads the epoch, and no longer suspects it when it is the known one.
    pub async fn epoch_now(&self) -> Result<Epoch, StoreError> {
        let read = self.within_deadline(self.store.epoch()).await?;
        if read == self.epoch() {
            self.suspect.store(false, Ordering::Release);
        }
        Ok(read)
    }

    /// A call whose answer may be believed: it is of the known history.
    pub async fn read<'a, T, F>(&'a self, call: impl FnOnce(&'a dyn LogStore) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        if self.is_suspect() && self.epoch_now().await? != self.epoch() {
            self.poll_soon.notify_one();
            return Err(StoreError::Unavailable("the history has changed".to_owned()));
        }
        self.within_deadline(call(&*self.store)).await
    }

    /// A call whose answer is of this history, which is not the known one yet.
    pub async fn read_of<'a, T, F>(
        &'a self,
        epoch: Epoch,
        call: impl FnOnce(&'a dyn LogStore) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let answer = self.within_deadline(call(&*self.store)).await?;
        if self.within_deadline(self.store.epoch()).await? == epoch {
            return Ok(answer);
        }
        Err(StoreError::Unavailable("the history has changed again".to_owned()))
    }

    async fn within_deadline<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let slow = || StoreError::Unavailable(format!("no answer within {} s", CALL_DEADLINE.as_secs()));
        let answer = timeout(CALL_DEADLINE, call).await.unwrap_or_else(|_| Err(slow()));
        if matches!(answer, Err(StoreError::Unavailable(_))) {
            self.suspect.store(true, Ordering::Release);
        }
        answer
    }
}
