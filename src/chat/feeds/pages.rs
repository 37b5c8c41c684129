//! Reads stretches of feeds, few at a time; readers who ask for the same stretch at the same time share one read.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::{OnceCell, Semaphore};
use tracing::warn;

use super::history::History;
use crate::chat::sequencer::{BACKFILL_PAGE, REPAIR_PAGE, Weighed};
use crate::domain::{FeedId, Seq};
use crate::store::{EventPage, StoreError};
use crate::telemetry::metrics;

/// Repair reads at the same time: they hold up live readers, so they do not queue behind backfills.
const REPAIRS_MAX: usize = 8;

/// Reads for backfills at the same time.
const BACKFILLS_MAX: usize = 16;

/// The smallest stretch that is read, so that cursors a few events apart ask for the same.
const STRETCH_MIN: usize = 64;

/// A stretch of a feed: after which event, at most how many.
type Stretch = (FeedId, Seq, usize);

type Reading = OnceCell<Arc<[Weighed]>>;

/// The reads that are under way.
pub(super) struct Pages {
    repairs: Semaphore,
    backfills: Semaphore,
    shared: Mutex<HashMap<Stretch, Weak<Reading>, foldhash::fast::RandomState>>,
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            repairs: Semaphore::new(REPAIRS_MAX),
            backfills: Semaphore::new(BACKFILLS_MAX),
            shared: Mutex::default(),
        }
    }
}

impl Pages {
    /// What a hole is closed with. None: it could not be read.
    pub async fn repair(&self, history: &History, feed: &FeedId, after: Seq) -> Option<EventPage> {
        let _turn = self.repairs.acquire().await.ok()?;
        metrics::repair_begun();
        let page = history.read(|store| store.events(feed, after, REPAIR_PAGE)).await;
        metrics::repair_ended();
        page.inspect_err(|error| warn!(?feed, %after, %error, "a hole could not be read")).ok()
    }

    /// At least the next `wanted` (≤ [`BACKFILL_PAGE`]) events, as far as there are so many and they are not too large.
    pub async fn backfill(&self, history: &History, wanted: Stretch) -> Result<Arc<[Weighed]>, StoreError> {
        let (feed, after, count) = wanted;
        let count = count.next_power_of_two().clamp(STRETCH_MIN, BACKFILL_PAGE);
        let stretch = (feed, after, count);
        let reading = self.reading(&stretch);
        let page = reading.get_or_try_init(|| self.read(history, &stretch)).await?;
        Ok(Arc::clone(page))
    }

    /// The read of this stretch that is under way, or a new one.
    fn reading(&self, stretch: &Stretch) -> Arc<Reading> {
        let mut shared = self.shared.lock();
        if let Some(reading) = shared.get(stretch).and_then(Weak::upgrade) {
            return reading;
        }
        let reading = Arc::new(Reading::new());
        shared.insert(stretch.clone(), Arc::downgrade(&reading));
        reading
    }

    async fn read(&self, history: &History, stretch: &Stretch) -> Result<Arc<[Weighed]>, StoreError> {
        let (feed, after, count) = stretch;
        // Whoever asks when this read has ended may need what was committed since: a new read.
        let _listed = Listed { pages: self, stretch };
        let closed = |_| StoreError::Unavailable("shutting down".to_owned());
        let _turn = self.backfills.acquire().await.map_err(closed)?;
        let limit = u32::try_from(*count).unwrap_or(REPAIR_PAGE);
        let page = history.read(|store| store.events(feed, *after, limit)).await?;
        Ok(page.events.into_iter().map(Weighed::new).collect())
    }
}

/// A read that others may share; ends with it, also when it is dropped half-way.
struct Listed<'a> {
    pages: &'a Pages,
    stretch: &'a Stretch,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.pages.shared.lock().remove(self.stretch);
    }
}
