//! Every metric of the process, by name and meaning, with one small function to move each. No label grows with users, conversations or addresses.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

/// Core: commands answered, by name and by `ok` or the code of the refusal.
pub fn command(name: &'static str, result: &'static str) {
    counter!("rookery_commands_total", "command" => name, "result" => result).increment(1);
}

/// Log writer: writes of a batch, and how long each had waited for it.
pub fn batch_taken(writes_count: usize, waits: impl Iterator<Item = Duration>) {
    histogram!("rookery_batch_writes").record(writes_count as f64);
    let waited = histogram!("rookery_write_wait_seconds");
    waits.for_each(|wait| waited.record(wait));
}

/// Log writer: how long the store took to commit a batch.
pub fn batch_written(took: Duration) {
    histogram!("rookery_batch_commit_seconds").record(took);
}

/// Log writer: batches that the store could not take because of a lock, and that are asked again.
pub fn batch_busy() {
    counter!("rookery_batch_busy_total").increment(1);
}

/// Log writer: writes whose outcome was unknown after a call of the store, and that are asked again.
pub fn outcome_unknown(writes_count: usize) {
    counter!("rookery_outcome_unknown_total").increment(writes_count as u64);
}

/// Log writer: writes that a lane did not take: `full`, `stalled` or `closed`.
pub fn write_refused(why: &'static str) {
    counter!("rookery_writes_refused_total", "reason" => why).increment(1);
}

/// Log writer: answers that came when the caller had gone or given up.
pub fn answer_unheard() {
    counter!("rookery_answers_unheard_total").increment(1);
}

/// Log writer: writes waiting or under way in a lane.
pub fn lane_depth(lane: usize, writes_count: usize) {
    gauge!("rookery_lane_depth", "lane" => lane.to_string()).set(writes_count as f64);
}

/// Receipts: members whose watermarks were asked to move in one flush.
pub fn receipts_flushed(members_count: usize) {
    histogram!("rookery_receipts_flush_members").record(members_count as f64);
}

/// Outbox: personal events made from it by this node.
pub fn outbox_worked(events_count: usize) {
    counter!("rookery_outbox_events_total").increment(events_count as u64);
}

/// People: users that were made sure of in one call of the store.
pub fn people_ensured(users_count: usize) {
    histogram!("rookery_people_ensured").record(users_count as f64);
}
