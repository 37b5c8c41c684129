//! Every metric of the process: its name, its kind, what it says, and one small function to move it. No label carries a user, a conversation or an address.

use std::time::Duration;

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How long things took: a histogram from 1 ms to 10 s.
    Seconds,
    /// How many at once: a histogram from 1 to 1,024.
    Sizes,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// As Prometheus shows it.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it says, and its labels.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident = $kind:ident($name:literal, $help:literal);)*) => {
        $(#[doc = $help] pub const $constant: &str = $name;)*

        /// The whole list.
        pub const ALL: &[Metric] = &[$(Metric { name: $name, kind: Kind::$kind, help: $help }),*];
    };
}

metrics! {
    BUILD_INFO = Gauge("rookery_build_info", "Always 1; label version");
    DRAINING = Gauge("rookery_draining", "1 from SIGTERM on");
    NODES = Gauge("rookery_nodes", "Live nodes of the cluster, this one included, as the store knows them");

    SESSIONS = Gauge("rookery_sessions", "Open connections of this node");
    SESSIONS_OPENED = Counter("rookery_sessions_opened_total", "Connections opened");
    SESSIONS_ENDED = Counter("rookery_sessions_ended_total", "Sessions that ended; label reason");
    REQUESTS_REFUSED = Counter("rookery_transport_requests_refused_total", "Requests that the transport refused; label why");
    REQUESTS_FORWARDED = Counter("rookery_transport_requests_forwarded_total", "Requests sent on to the node that owns their connection; label kind");
    WRITES = Counter("rookery_transport_writes_total", "Writes to clients");
    FRAMES_WRITTEN = Counter("rookery_transport_frames_written_total", "Frames written to clients");
    BYTES_WRITTEN = Counter("rookery_transport_bytes_written_total", "Bytes written to clients");

    COMMANDS = Counter("rookery_commands_total", "Commands answered; labels command, result (ok or the code of the refusal)");
    BATCH_WRITES = Sizes("rookery_batch_writes", "Writes of one batch of the log writer");
    WRITE_WAIT = Seconds("rookery_write_wait_seconds", "How long a write waited for its batch");
    BATCH_COMMIT = Seconds("rookery_batch_commit_seconds", "How long the store took to commit a batch");
    BATCH_BUSY = Counter("rookery_batch_busy_total", "Batches that met a lock and were asked again");
    OUTCOME_UNKNOWN = Counter("rookery_outcome_unknown_total", "Writes whose outcome was unknown and that were asked again");
    WRITES_REFUSED = Counter("rookery_writes_refused_total", "Writes that a lane did not take; label reason");
    ANSWERS_UNHEARD = Counter("rookery_answers_unheard_total", "Answers whose asker had gone or given up");
    LANE_DEPTH = Gauge("rookery_lane_depth", "Writes waiting or under way; label lane");
    RECEIPTS_FLUSHED = Sizes("rookery_receipts_flush_members", "Members whose watermarks one flush moved");
    OUTBOX_EVENTS = Counter("rookery_outbox_events_total", "Personal events made from the outbox by this node");
    PEOPLE_ENSURED = Sizes("rookery_people_ensured", "Users that one call of the store made sure of");

    BUS_UP = Gauge("rookery_bus_up", "1 while news arrives quickly, 0 while the store must be asked more often");
    BUS_PROBE_AGE = Gauge("rookery_bus_probe_age_seconds", "Since the own probe was last heard");
    BUS_TOPICS = Gauge("rookery_bus_topics", "Topics that this node wants");
    BUS_PUBLISHED = Counter("rookery_bus_published_total", "Messages published");
    BUS_RETRIES = Counter("rookery_bus_publish_retries_total", "Messages that had to be sent once more");
    BUS_DROPS = Counter("rookery_bus_publish_drops_total", "Messages given up; the store heals them");
    BUS_RECEIVED = Counter("rookery_bus_received_total", "Messages that arrived for this node");
    BUS_LAGGED = Counter("rookery_bus_lagged_total", "Messages that arrived and were lost before this node read them");
    BUS_GAPS = Counter("rookery_bus_gaps_total", "Times that anything may have been missed");
    BUS_SUBSCRIBED = Counter("rookery_bus_subscribed_total", "Topics subscribed, repeats after a reconnect included");
    BUS_RELINKS = Counter("rookery_bus_relinks_total", "Connections to the bus that were built anew");
}

/// Tells the recorder what each metric says. Once, after the recorder is installed.
pub fn describe() {
    for Metric { name, kind, help } in ALL {
        match kind {
            Kind::Counter => describe_counter!(*name, *help),
            Kind::Gauge => describe_gauge!(*name, *help),
            Kind::Seconds => describe_histogram!(*name, Unit::Seconds, *help),
            Kind::Sizes => describe_histogram!(*name, Unit::Count, *help),
        }
    }
}

/// Node: this process is on its way out.
pub fn draining() {
    gauge!(DRAINING).set(1.0);
}

/// Node: live nodes of the cluster.
pub fn nodes(count: usize) {
    gauge!(NODES).set(count as f64);
}

/// The counters of writing to clients, looked up once: they move on every delivery.
pub struct WriteCounters {
    /// [`WRITES`].
    pub calls: Counter,
    /// [`FRAMES_WRITTEN`].
    pub frames: Counter,
    /// [`BYTES_WRITTEN`].
    pub bytes: Counter,
}

impl WriteCounters {
    /// Looks them up in the installed recorder.
    #[must_use]
    pub fn registered() -> Self {
        Self { calls: counter!(WRITES), frames: counter!(FRAMES_WRITTEN), bytes: counter!(BYTES_WRITTEN) }
    }
}

/// Core: a command was answered, with `ok` or the code of the refusal.
pub fn command(name: &'static str, result: &'static str) {
    counter!(COMMANDS, "command" => name, "result" => result).increment(1);
}

/// Log writer: writes of a batch, and how long each had waited for it.
pub fn batch_taken(writes_count: usize, waits: impl Iterator<Item = Duration>) {
    histogram!(BATCH_WRITES).record(writes_count as f64);
    let waited = histogram!(WRITE_WAIT);
    waits.for_each(|wait| waited.record(wait));
}

/// Log writer: how long the store took to commit a batch.
pub fn batch_written(took: Duration) {
    histogram!(BATCH_COMMIT).record(took);
}

/// Log writer: a batch met a lock and is asked again.
pub fn batch_busy() {
    counter!(BATCH_BUSY).increment(1);
}

/// Log writer: writes whose outcome was unknown after a call of the store, and that are asked again.
pub fn outcome_unknown(writes_count: usize) {
    counter!(OUTCOME_UNKNOWN).increment(writes_count as u64);
}

/// Log writer: a write that a lane did not take: `full`, `stalled` or `closed`.
pub fn write_refused(why: &'static str) {
    counter!(WRITES_REFUSED, "reason" => why).increment(1);
}

/// Log writer: an answer came when the caller had gone or given up.
pub fn answer_unheard() {
    counter!(ANSWERS_UNHEARD).increment(1);
}

/// Log writer: writes waiting or under way in a lane. A handle, since it moves with every write.
pub fn lane_depth(lane: usize) -> Gauge {
    gauge!(LANE_DEPTH, "lane" => lane.to_string())
}

/// Receipts: members whose watermarks were asked to move in one flush.
pub fn receipts_flushed(members_count: usize) {
    histogram!(RECEIPTS_FLUSHED).record(members_count as f64);
}

/// Outbox: personal events made from it by this node.
pub fn outbox_worked(events_count: usize) {
    counter!(OUTBOX_EVENTS).increment(events_count as u64);
}

/// People: users that were made sure of in one call of the store.
pub fn people_ensured(users_count: usize) {
    histogram!(PEOPLE_ENSURED).record(users_count as f64);
}

/// Bus: 1 while news arrives quickly, 0 while readers must ask the store more often.
pub fn bus_up(up: u8) {
    gauge!(BUS_UP).set(f64::from(up));
}

/// Bus: seconds since the own probe was last heard.
pub fn bus_probe_age(seconds: f64) {
    gauge!(BUS_PROBE_AGE).set(seconds);
}

/// Bus: topics that this node wants.
pub fn bus_topics(count: usize) {
    gauge!(BUS_TOPICS).set(count as f64);
}

/// Bus: messages published.
pub fn bus_published(count: usize) {
    counter!(BUS_PUBLISHED).increment(count as u64);
}

/// Bus: messages that had to be sent once more.
pub fn bus_publish_retried(count: usize) {
    counter!(BUS_RETRIES).increment(count as u64);
}

/// Bus: messages given up (too old, or pushed out of the full queue); the store heals them.
pub fn bus_publish_dropped(count: usize) {
    counter!(BUS_DROPS).increment(count as u64);
}

/// Bus: the counter of messages that arrived for this node, looked up once: it moves with every one.
pub fn bus_received() -> Counter {
    counter!(BUS_RECEIVED)
}

/// Bus: messages that arrived and were lost before the node read them; each series of losses ends in one gap.
pub fn bus_lagged(count: u64) {
    counter!(BUS_LAGGED).increment(count);
}

/// Bus: times that anything may have been missed.
pub fn bus_gaps(count: u64) {
    counter!(BUS_GAPS).increment(count);
}

/// Bus: topics subscribed, the repeats after a reconnect included.
pub fn bus_subscribed(count: usize) {
    counter!(BUS_SUBSCRIBED).increment(count as u64);
}

/// Bus: a connection was built anew.
pub fn bus_relinked() {
    counter!(BUS_RELINKS).increment(1);
}

/// Feeds: one more is read by sessions of this node.
pub fn feed_held() {
    gauge!("rookery_feeds_held").increment(1.0);
}

/// Feeds: the last session of one has gone.
pub fn feed_released() {
    gauge!("rookery_feeds_held").decrement(1.0);
}

/// Feeds: an event has reached live readers so long after its commit, by the clocks of store and node.
pub fn event_visible(after_ms: u64) {
    histogram!("rookery_commit_visible_seconds").record(Duration::from_millis(after_ms));
}

/// Feeds: something was known while what comes before it was missing.
pub fn gap_detected() {
    counter!("rookery_gaps_detected_total").increment(1);
}

/// Feeds: events that were missing and have been read from the store.
pub fn events_repaired(events_count: u32) {
    counter!("rookery_events_repaired_total").increment(u64::from(events_count));
}

/// Feeds: events that came once more.
pub fn duplicate_dropped() {
    counter!("rookery_duplicates_dropped_total").increment(1);
}

/// Feeds: times that the store did not have what was said to be committed.
pub fn news_unfounded() {
    counter!("rookery_news_unfounded_total").increment(1);
}

/// Feeds: envelopes that could not be read; their feeds were checked instead.
pub fn envelope_unreadable() {
    counter!("rookery_envelopes_unreadable_total").increment(1);
}

/// Feeds: one more repair read is under way.
pub fn repair_begun() {
    gauge!("rookery_repairs_under_way").increment(1.0);
}

/// Feeds: a repair read has ended.
pub fn repair_ended() {
    gauge!("rookery_repairs_under_way").decrement(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_customs_of_prometheus() {
        let mut seen = std::collections::HashSet::new();
        for Metric { name, kind, help } in ALL {
            assert!(seen.insert(name), "{name} is there twice");
            assert!(name.starts_with("rookery_") && !help.is_empty(), "{name}");
            assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert!(*kind != Kind::Seconds || name.ends_with("_seconds"), "{name}");
        }
    }
}
