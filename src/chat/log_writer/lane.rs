//! One lane: the queue that callers push to and its workers take from.

use metrics::Gauge;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::queue::{LaneQueue, Next, QueueBounds, Refused, Settled, Track, Write};
use crate::chat::refusal::RETRY_AFTER_MS;
use crate::domain::ChatError;
use crate::telemetry;

/// Shared by the callers and the two workers of a lane.
pub(super) struct Lane {
    number: usize,
    queue: Mutex<LaneQueue>,
    /// Something may be there to take, for each track.
    main: Notify,
    siding: Notify,
    depth: Gauge,
}

impl Lane {
    pub fn new(number: usize, bounds: QueueBounds) -> Self {
        let queue = Mutex::new(LaneQueue::new(bounds));
        Self {
            number,
            queue,
            main: Notify::new(),
            siding: Notify::new(),
            depth: telemetry::metrics::lane_depth(number),
        }
    }

    /// Takes a write in, or says why not: then nothing has happened to it.
    pub fn push(&self, write: Write) -> Result<(), ChatError> {
        let depth = {
            let mut queue = self.queue.lock();
            queue.push(write).map_err(refused)?;
            queue.depth()
        };
        self.depth.set(depth as f64);
        self.main.notify_one();
        Ok(())
    }

    /// Waits for the next batch of a track; none when the lane is closed and everything is settled.
    pub async fn take(&self, track: Track) -> Option<Vec<Write>> {
        let ready = match track {
            Track::Main => &self.main,
            Track::Siding => &self.siding,
        };
        loop {
            let next = self.queue.lock().take(track, Instant::now());
            match next {
                Next::Batch(batch) => return Some(batch),
                Next::End => return None,
                // One worker a track: a permit left in between is kept for it.
                Next::Nothing => ready.notified().await,
            }
        }
    }

    /// A track's batch is over but for the writes to `locked` conversations.
    pub fn done(&self, track: Track, settled: Settled, locked: Vec<Write>) {
        let depth = {
            let mut queue = self.queue.lock();
            queue.done(track, settled, locked);
            queue.depth()
        };
        self.depth.set(depth as f64);
        self.wake();
    }

    pub fn close(&self) {
        self.queue.lock().close();
        self.wake();
    }

    fn wake(&self) {
        self.main.notify_one();
        self.siding.notify_one();
    }

    pub fn depth(&self) -> usize {
        self.queue.lock().depth()
    }

    pub const fn number(&self) -> usize {
        self.number
    }
}

fn refused(why: Refused) -> ChatError {
    telemetry::metrics::write_refused(match why {
        Refused::Full => "full",
        Refused::Stalled => "stalled",
        Refused::Closed => "closed",
    });
    ChatError::unavailable(RETRY_AFTER_MS)
}
