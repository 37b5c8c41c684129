//! The bounds and rhythms of the core, in one place.

use std::time::Duration;

use super::Limits;

/// How large the core's queues are and how long it waits. The defaults suit a node of a few cores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatSettings {
    /// What clients may ask for.
    pub limits: Limits,
    /// Lanes of the log writer: batches that commit at the same time.
    pub lanes_count: usize,
    /// Writes that may wait in one lane.
    pub lane_writes_max: usize,
    /// Bytes that may wait in one lane.
    pub lane_bytes_max: usize,
    /// A lane whose next in turn waits longer takes no new writes.
    pub admission: Duration,
    /// How long a caller waits for an answer before it is `unavailable`.
    pub answer_within: Duration,
    /// How long one call of the store may take at most; longer than the store's own deadlines, whose verdict is the better one.
    pub store_within: Duration,
    /// How long receipts are gathered before they are written.
    pub receipts_every: Duration,
    /// Receipts that may wait for the next flush.
    pub receipts_max: usize,
    /// How often the outbox is looked at when nothing on this node wakes it.
    pub outbox_every: Duration,
    /// Users remembered as known to the store.
    pub people_max: usize,
}

impl Default for ChatSettings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            lanes_count: 4,
            lane_writes_max: 8_192,
            lane_bytes_max: 16 << 20,
            admission: Duration::from_secs(2),
            answer_within: Duration::from_secs(10),
            store_within: Duration::from_secs(10),
            receipts_every: Duration::from_millis(250),
            receipts_max: 20_000,
            outbox_every: Duration::from_secs(2),
            people_max: 200_000,
        }
    }
}
