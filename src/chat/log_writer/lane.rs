//! One lane: the queue that callers push to and its worker takes from.

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::queue::{LaneQueue, QueueBounds, Refused, Settled, Write};
use crate::chat::refusal::RETRY_AFTER_MS;
use crate::domain::ChatError;
use crate::telemetry::metrics;

/// Shared by the callers and the one worker of a lane.
#[derive(Debug)]
pub(super) struct Lane {
    number: usize,
    queue: Mutex<LaneQueue>,
    arrived: Notify,
}

impl Lane {
    pub fn new(number: usize, bounds: QueueBounds) -> Self {
        Self { number, queue: Mutex::new(LaneQueue::new(bounds)), arrived: Notify::new() }
    }

    /// Takes a write in, or says why not: then nothing has happened to it.
    pub fn push(&self, write: Write) -> Result<(), ChatError> {
        let depth = {
            let mut queue = self.queue.lock();
            queue.push(write).map_err(refused)?;
            queue.depth()
        };
        metrics::lane_depth(self.number, depth);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for the next batch; none when the lane is closed and empty.
    pub async fn take(&self) -> Option<Vec<Write>> {
        loop {
            {
                let mut queue = self.queue.lock();
                if let Some(batch) = queue.take(Instant::now()) {
                    return Some(batch);
                }
                if queue.is_closed() {
                    return None;
                }
            }
            // One worker takes: a permit left by a push in between is kept for it.
            self.arrived.notified().await;
        }
    }

    /// A batch is over but for the writes to `locked` conversations.
    pub fn done(&self, settled: Settled, locked: Vec<Write>) {
        let depth = {
            let mut queue = self.queue.lock();
            queue.done(settled, locked);
            queue.depth()
        };
        metrics::lane_depth(self.number, depth);
    }

    pub fn close(&self) {
        self.queue.lock().close();
        self.arrived.notify_one();
    }

    pub fn depth(&self) -> usize {
        self.queue.lock().depth()
    }

    pub const fn number(&self) -> usize {
        self.number
    }
}

fn refused(why: Refused) -> ChatError {
    metrics::write_refused(match why {
        Refused::Full => "full",
        Refused::Stalled => "stalled",
        Refused::Closed => "closed",
    });
    ChatError::unavailable(RETRY_AFTER_MS)
}
