//! Writes events: a few lanes, each a bounded queue in front of one batch at a time.

mod lane;
mod queue;
mod settle;
mod worker;

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::lane::Lane;
use self::queue::{QueueBounds, Track, Write};
use self::worker::LaneWorker;
use super::refusal::RETRY_AFTER_MS;
use super::{ChatSettings, News};
use crate::domain::{ChatError, ConversationId, Reply};
use crate::store::{Append, Store};

/// The road that every event takes: a write is in its lane, in order, when [`LogWriter::append`] returns.
pub(super) struct LogWriter {
    lanes: Box<[Arc<Lane>]>,
    answer_within: Duration,
}

/// What the lanes work with.
pub(super) struct LaneTools {
    /// Where events are written.
    pub store: Arc<dyn Store>,
    /// Who is told of them.
    pub news: Arc<dyn News>,
    /// Woken when a commit left something in the outbox.
    pub outbox: Arc<Notify>,
    /// Seeds the jitter of each lane.
    pub seed: u64,
}

impl LogWriter {
    /// Starts the lanes on `tracker`; they end when they are closed and empty, or at once when `abandon` is cancelled.
    pub fn start(
        tools: &LaneTools,
        settings: &ChatSettings,
        tracker: &TaskTracker,
        abandon: &CancellationToken,
    ) -> Self {
        let bounds = QueueBounds {
            writes_max: settings.lane_writes_max,
            bytes_max: settings.lane_bytes_max,
            admission: settings.admission,
        };
        let lanes = (0..settings.lanes_count.max(1)).map(|number| {
            let lane = Arc::new(Lane::new(number, bounds));
            for track in [Track::Main, Track::Siding] {
                let worker = LaneWorker::new(Arc::clone(&lane), track, tools, settings.store_within);
                let abandon = abandon.clone();
                tracker.spawn(async move { abandon.run_until_cancelled(worker.run()).await });
            }
            lane
        });
        Self { lanes: lanes.collect(), answer_within: settings.answer_within }
    }

    /// Puts a write into its lane, or refuses it. Whoever drops the answer does not take the write back.
    pub fn append(&self, append: Append) -> Result<Answer, ChatError> {
        let (caller, outcome) = oneshot::channel();
        let now = Instant::now();
        self.lane(append.conversation).push(Write::new(append, caller, now))?;
        Ok(Answer { outcome, deadline: now + self.answer_within })
    }

    /// Takes no more; what is queued is still written.
    pub fn close(&self) {
        self.lanes.iter().for_each(|lane| lane.close());
    }

    /// Writes that are queued or under way.
    pub fn depth(&self) -> usize {
        self.lanes.iter().map(|lane| lane.depth()).sum()
    }

    fn lane(&self, conversation: ConversationId) -> &Lane {
        let hash = FixedState::default().hash_one(conversation);
        let lanes_count = u64::try_from(self.lanes.len()).expect("a node has few lanes");
        let number = usize::try_from(hash % lanes_count).expect("less than the number of lanes");
        &self.lanes[number]
    }
}

/// What will be said to the caller of one write.
#[derive(Debug)]
pub(super) struct Answer {
    outcome: oneshot::Receiver<Result<Reply, ChatError>>,
    deadline: Instant,
}

impl Answer {
    /// Waits for the outcome, but not beyond the deadline: then it is unknown, and the write stays in its lane.
    pub async fn wait(self) -> Result<Reply, ChatError> {
        match tokio::time::timeout_at(self.deadline, self.outcome).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(ChatError::unavailable(RETRY_AFTER_MS)),
        }
    }
}
