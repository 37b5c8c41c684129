//! Works the outbox into events of personal feeds.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::News;
use super::retry::Backoff;
use crate::domain::Event;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics;

/// Rows of one call of the store.
const ROWS_MAX: u32 = 256;
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_LONGEST: Duration = Duration::from_secs(10);

/// Any node may work it: what one takes, the others skip.
pub(super) struct Outbox {
    /// Where the rows are.
    pub store: Arc<dyn Store>,
    /// Who is told.
    pub news: Arc<dyn News>,
    /// Something was put in by this node.
    pub woken: Arc<Notify>,
    /// How often to look for what others put in and did not work.
    pub every: Duration,
    /// How long one call of the store may take.
    pub store_within: Duration,
    /// Seeds the jitter.
    pub seed: u64,
}

impl Outbox {
    /// Works until `shutdown`; a call under way is finished.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut backoff = Backoff::new(self.seed, BACKOFF_FIRST, BACKOFF_LONGEST);
        loop {
            let (pause, wakeable) = match self.work().await {
                Ok(events) => {
                    backoff.reset();
                    let full = events.len() >= ROWS_MAX as usize;
                    self.tell(events);
                    (if full { Duration::ZERO } else { backoff.around(self.every) }, true)
                }
                Err(error) => {
                    warn!(%error, "outbox not worked");
                    (backoff.wait(), false)
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                () = self.woken.notified(), if wakeable => {}
            }
        }
    }

    async fn work(&self) -> Result<Vec<Event>, StoreError> {
        tokio::time::timeout(self.store_within, self.store.work_outbox(ROWS_MAX))
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".into())))
    }

    fn tell(&self, events: Vec<Event>) {
        metrics::outbox_worked(events.len());
        if !events.is_empty() {
            self.news.committed(events);
        }
    }
}
