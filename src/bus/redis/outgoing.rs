//! What waits to be published: bounded, in order, and given up when it is too old.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::link::Publisher;
use crate::bus::Topic;
use crate::telemetry::metrics;

/// Messages that may wait: what a busy node publishes while the server is away for as long as messages are kept.
const PARCELS_MAX: usize = 16_384;
/// Bytes that may wait.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// What one round trip carries.
const BATCH_PARCELS_MAX: usize = 256;
/// A batch closes with the message that brings it over this.
const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Between two tries on a connection that answers with errors.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// One message on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parcel {
    pub topic: Topic,
    pub message: Bytes,
    give_up_at: Instant,
}

/// What goes out in one round trip.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The node's newest sign of life, in front of everything.
    pub probe: Option<Bytes>,
    pub parcels: Vec<Parcel>,
}

/// The queue in front of the publishing connection.
#[derive(Debug)]
pub(super) struct Outgoing {
    queue: Mutex<Queue>,
    patience: Duration,
    filled: Notify,
    drained: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    probe: Option<Bytes>,
    parcels: VecDeque<Parcel>,
    bytes: usize,
    flight: Flight,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Flight {
    #[default]
    Nothing,
    Batch,
}

impl Queue {
    fn pop(&mut self) -> Option<Parcel> {
        let parcel = self.parcels.pop_front()?;
        self.bytes -= parcel.message.len();
        Some(parcel)
    }

    fn give_up_old(&mut self, now: Instant) {
        let before = self.parcels.len();
        while self.parcels.front().is_some_and(|parcel| parcel.give_up_at <= now) {
            self.pop();
        }
        metrics::bus_publish_dropped(before - self.parcels.len());
    }

    fn is_idle(&self) -> bool {
        self.parcels.is_empty() && matches!(self.flight, Flight::Nothing)
    }
}

impl Outgoing {
    pub fn new(patience: Duration) -> Self {
        Self { queue: Mutex::default(), patience, filled: Notify::new(), drained: Notify::new() }
    }

    /// Queues a message. When the queue is full the oldest goes: a newer one tells the readers that they miss something, an older one does not.
    pub fn push(&self, topic: Topic, message: Bytes, now: Instant) {
        let mut queue = self.queue.lock();
        queue.bytes += message.len();
        queue.parcels.push_back(Parcel { topic, message, give_up_at: now + self.patience });
        while queue.parcels.len() > PARCELS_MAX || queue.bytes > BYTES_MAX {
            queue.pop();
            metrics::bus_publish_dropped(1);
        }
        drop(queue);
        self.filled.notify_one();
    }

    /// Queues a sign of life in front of everything; an older one that is still here is replaced.
    pub fn push_probe(&self, probe: Bytes) {
        self.queue.lock().probe = Some(probe);
        self.filled.notify_one();
    }

    /// Takes what goes out next; nothing when there is nothing.
    fn take(&self, now: Instant) -> Option<Batch> {
        let mut queue = self.queue.lock();
        queue.give_up_old(now);
        let mut batch = Batch { probe: queue.probe.take(), parcels: Vec::new() };
        let mut bytes = 0;
        while batch.parcels.len() < BATCH_PARCELS_MAX && bytes < BATCH_BYTES_MAX {
            let Some(parcel) = queue.pop() else { break };
            bytes += parcel.message.len();
            batch.parcels.push(parcel);
        }
        if batch.probe.is_none() && batch.parcels.is_empty() {
            return None;
        }
        queue.flight = Flight::Batch;
        Some(batch)
    }

    fn sent(&self, batch: &Batch) {
        metrics::bus_published(batch.parcels.len());
        self.landed(|_| ());
    }

    /// Puts a batch back in front, to be tried again. Its probe is too old by then.
    fn failed(&self, batch: Batch) {
        metrics::bus_publish_retried(batch.parcels.len());
        self.landed(|queue| {
            for parcel in batch.parcels.into_iter().rev() {
                queue.bytes += parcel.message.len();
                queue.parcels.push_front(parcel);
            }
        });
    }

    fn landed(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.queue.lock();
        queue.flight = Flight::Nothing;
        change(&mut queue);
        if queue.is_idle() {
            self.drained.notify_waiters();
        }
    }

    /// Waits until everything is published or given up.
    pub async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            if self.queue.lock().is_idle() {
                return;
            }
            drained.await;
        }
    }

    /// Publishes what is queued over the link that is there, until stopped.
    pub async fn run(&self, mut link: watch::Receiver<Option<Publisher>>, stop: CancellationToken) {
        let publish_all = async {
            loop {
                let publisher = self.link_or_age(&mut link).await;
                let Some(batch) = self.take(Instant::now()) else {
                    self.filled.notified().await;
                    continue;
                };
                let Err(error) = publisher.publish(&batch).await else {
                    self.sent(&batch);
                    continue;
                };
                debug!(%error, "publishing {} messages failed: they are tried again", batch.parcels.len());
                self.failed(batch);
                // A new link is tried at once, the same one after a pause.
                let _ = tokio::time::timeout(RETRY_PAUSE, link.changed()).await;
            }
        };
        stop.run_until_cancelled(publish_all).await;
    }

    /// The link; while there is none, old messages are given up in time.
    async fn link_or_age(&self, link: &mut watch::Receiver<Option<Publisher>>) -> Publisher {
        loop {
            if let Some(publisher) = link.borrow_and_update().clone() {
                return publisher;
            }
            let _ = tokio::time::timeout(self.patience / 4, link.changed()).await;
            let mut queue = self.queue.lock();
            queue.give_up_old(Instant::now());
            if queue.is_idle() {
                self.drained.notify_waiters();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(outgoing: &Outgoing, message: &[u8]) {
        outgoing.push(Topic::All, Bytes::copy_from_slice(message), Instant::now());
    }

    fn texts(batch: &Batch) -> Vec<&[u8]> {
        batch.parcels.iter().map(|parcel| parcel.message.as_ref()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_batch_is_tried_again_before_what_came_later() {
        let outgoing = Outgoing::new(Duration::from_secs(2));
        push(&outgoing, b"a");
        push(&outgoing, b"b");
        let batch = outgoing.take(Instant::now()).unwrap();
        push(&outgoing, b"c");
        outgoing.failed(batch);
        let batch = outgoing.take(Instant::now()).unwrap();
        assert_eq!(texts(&batch), [b"a", b"b", b"c"]);
        outgoing.sent(&batch);
        assert!(outgoing.take(Instant::now()).is_none());
        outgoing.drained().await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_old_is_given_up_and_a_probe_goes_first() {
        let outgoing = Outgoing::new(Duration::from_secs(2));
        push(&outgoing, b"old");
        tokio::time::advance(Duration::from_secs(2)).await;
        push(&outgoing, b"new");
        outgoing.push_probe(Bytes::from_static(b"earlier"));
        outgoing.push_probe(Bytes::from_static(b"now"));
        let batch = outgoing.take(Instant::now()).unwrap();
        assert_eq!(batch.probe.as_deref(), Some(&b"now"[..]));
        assert_eq!(texts(&batch), [b"new"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_gives_up_the_oldest() {
        let outgoing = Outgoing::new(Duration::from_secs(2));
        for n in 0..PARCELS_MAX + 10 {
            push(&outgoing, n.to_string().as_bytes());
        }
        assert_eq!(texts(&outgoing.take(Instant::now()).unwrap())[0], b"10");
        let big = vec![0; BYTES_MAX / 2 + 1];
        push(&outgoing, &big);
        push(&outgoing, &big);
        assert!(outgoing.queue.lock().bytes <= BYTES_MAX);
        assert_eq!(outgoing.queue.lock().parcels.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_bounded() {
        let outgoing = Outgoing::new(Duration::from_secs(2));
        for _ in 0..BATCH_PARCELS_MAX + 1 {
            push(&outgoing, b"x");
        }
        assert_eq!(outgoing.take(Instant::now()).unwrap().parcels.len(), BATCH_PARCELS_MAX);
        assert_eq!(outgoing.take(Instant::now()).unwrap().parcels.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_link_old_messages_are_given_up_in_time() {
        let outgoing = Outgoing::new(Duration::from_secs(2));
        let (_link, none) = watch::channel(None);
        push(&outgoing, b"never sent");
        let stop = CancellationToken::new();
        tokio::select! {
            () = outgoing.run(none, stop) => panic!("nobody stopped it"),
            () = outgoing.drained() => {}
        }
    }
}
