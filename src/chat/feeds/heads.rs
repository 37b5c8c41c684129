//! Checks heads: asks the store where feeds are of which something may have been missed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::warn;

use super::hub::Hub;
use crate::chat::retry::Backoff;
use crate::chat::sequencer::Input;
use crate::domain::FeedId;

/// How many feeds one call asks about.
const BATCH_MAX: usize = 500;

const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// The feeds to be checked: each once, and at most those that are held.
#[derive(Default)]
pub(super) struct Heads {
    wanted: Mutex<HashSet<FeedId, foldhash::fast::RandomState>>,
    more: Notify,
}

impl Heads {
    /// Wants these feeds to be checked soon.
    pub fn want(&self, feeds: impl IntoIterator<Item = FeedId>) {
        self.wanted.lock().extend(feeds);
        self.more.notify_one();
    }

    fn take(&self) -> Vec<FeedId> {
        let mut wanted = self.wanted.lock();
        let batch: Vec<_> = wanted.iter().take(BATCH_MAX).cloned().collect();
        for feed in &batch {
            wanted.remove(feed);
        }
        batch
    }
}

/// Checks what is wanted, one call at a time, until the shutdown.
pub(super) async fn run(hub: Arc<Hub>) {
    let mut backoff = Backoff::new(hub.parts.seed, RETRY_FIRST, RETRY_MAX);
    loop {
        let batch = hub.heads.take();
        if batch.is_empty() {
            hub.heads.more.notified().await;
            continue;
        }
        let batch: Vec<_> = batch.into_iter().filter(|feed| hub.held(feed).is_some()).collect();
        match hub.history.read(|store| store.heads(&batch)).await {
            Ok(heads) => {
                backoff.reset();
                heads.iter().for_each(|(feed, head)| hub.give(feed, Input::Head(*head)));
            }
            Err(error) => {
                warn!(%error, feeds = batch.len(), "heads could not be read");
                hub.heads.want(batch);
                tokio::time::sleep(backoff.wait()).await;
            }
        }
    }
}
