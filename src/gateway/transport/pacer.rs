//! Lets frames of one connection share a write when the node is busy.
//!
//! A write is by far the dearest part of a delivery, and the kernel takes many frames for the price of one. While few frames are sent, each
//! is written at once. From [`BUSY_FRAMES_PER_MS`] on they are gathered per connection, and every few milliseconds each connection that has
//! any is written to once. The more frames, the longer the pause, up to [`PAUSE_MS_MAX`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::node::Transport;
use super::sid::SidKey;

/// From here on gathering pays; below, a frame must not wait.
const BUSY_FRAMES_PER_MS: u64 = 25;
/// One ms of pause for so many frames a ms.
const FRAMES_PER_MS_PER_PAUSE_MS: u64 = 12;
/// No frame waits longer than this for others.
const PAUSE_MS_MAX: u64 = 16;
/// More tasks than this write to nobody's advantage.
const LANES_MAX: usize = 8;
/// After so many connections other tasks get their turn.
const FLUSHES_PER_TURN: usize = 64;

/// One a transport.
pub(super) struct Pacer {
    /// Zero while every frame is written at once.
    pause_ms: AtomicU32,
    lanes: Box<[Lane]>,
}

/// Connections are spread over lanes, so that several cores can write.
#[derive(Default)]
struct Lane {
    /// Connections with gathered frames; each at most once.
    gathered: Mutex<Vec<Arc<Connection>>>,
    filled: Notify,
}

impl Pacer {
    pub(super) fn new() -> Self {
        let lanes = std::thread::available_parallelism().map_or(1, usize::from).min(LANES_MAX);
        Self { pause_ms: AtomicU32::new(0), lanes: (0..lanes).map(|_| Lane::default()).collect() }
    }

    /// Whether frames are gathered now.
    pub(super) fn is_gathering(&self) -> bool {
        self.pause_ms.load(Ordering::Relaxed) != 0
    }

    /// Has a connection written to soon.
    pub(super) fn gather(&self, connection: Arc<Connection>) {
        let lane = self.lane(&connection.key);
        let mut gathered = lane.gathered.lock();
        gathered.push(connection);
        if gathered.len() == 1 {
            lane.filled.notify_one();
        }
    }

    /// Follows the load: so many frames were sent in so many ms.
    pub(super) fn follow(&self, frames: u64, elapsed_ms: u64) {
        let frames_per_ms = frames / elapsed_ms.max(1);
        let pause_ms = match frames_per_ms {
            few if few < BUSY_FRAMES_PER_MS => 0,
            many => (many / FRAMES_PER_MS_PER_PAUSE_MS).min(PAUSE_MS_MAX),
        };
        self.pause_ms.store(pause_ms as u32, Ordering::Relaxed);
    }

    /// Starts a task for each lane; they end with the token.
    pub(super) fn start(transport: &Arc<Transport>, stop: &CancellationToken) {
        for lane in 0..transport.pacer.lanes.len() {
            transport.tasks.spawn(Self::run(transport.clone(), lane, stop.clone()));
        }
    }

    async fn run(transport: Arc<Transport>, lane: usize, stop: CancellationToken) {
        let lane = &transport.pacer.lanes[lane];
        let mut last = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = lane.filled.notified() => {}
            }
            let pause = Duration::from_millis(u64::from(transport.pacer.pause_ms.load(Ordering::Relaxed)));
            tokio::time::sleep_until(last + pause).await;
            last = Instant::now();
            let gathered = std::mem::take(&mut *lane.gathered.lock());
            for some in gathered.chunks(FLUSHES_PER_TURN) {
                some.iter().for_each(|connection| connection.flush());
                tokio::task::yield_now().await;
            }
        }
    }

    fn lane(&self, key: &SidKey) -> &Lane {
        &self.lanes[usize::from(key[0]) % self.lanes.len()]
    }
}
