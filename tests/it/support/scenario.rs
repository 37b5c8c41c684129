//! A load of devices over a cluster, to break something under and to judge afterwards.
//!
//! ```ignore
//! let scenario = Scenario::begin("a node is killed under load", &cluster, Shape::default()).await;
//! scenario.load_during(async {
//!     scenario.acks_more(100).await;
//!     cluster.nodes[1].kill();
//!     scenario.acks_more(100).await;
//! }).await;
//! scenario.judge(&cluster).await.print_and_assert_clean();
//! ```

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::{Mutex, MutexGuard};

use super::checker::{Report, Run, log, observation::Recorder};
use super::client::Connection;
use super::cluster::Cluster;
use super::deadline::{DEADLINE, until_within};
use super::device::Device;
use super::token::token;

/// Sends that may be without an answer at a time, over all devices.
const IN_FLIGHT: usize = 64;

/// How many devices read and write how many rooms.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub devices: usize,
    pub rooms: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self { devices: 6, rooms: 3 }
    }
}

/// Devices of as many users, all members of all rooms, and what they do.
pub struct Scenario {
    name: &'static str,
    seed: u64,
    pub rooms: Vec<String>,
    pub devices: Vec<Device>,
    sent: AtomicUsize,
    _turn: MutexGuard<'static, ()>,
}

/// Scenarios run one at a time: side by side on few cores they would load each other more than any fault does.
static TURN: Mutex<()> = Mutex::const_new(());

impl Scenario {
    /// Connects each device to the next node.
    pub async fn begin(name: &'static str, cluster: &Cluster, shape: Shape) -> Self {
        Self::begin_at(name, cluster, shape, &cluster.urls()).await
    }

    /// Connects each device to the next of these addresses: those of proxies, or the one of the balancer.
    pub async fn begin_at(name: &'static str, cluster: &Cluster, shape: Shape, urls: &[String]) -> Self {
        let turn = TURN.lock().await;
        let users: Vec<String> = (0..shape.devices).map(|n| format!("user-{n}")).collect();
        let names: Vec<&str> = users.iter().map(String::as_str).collect();
        let mut rooms = Vec::new();
        for _ in 0..shape.rooms {
            rooms.push(cluster.group(&names).await);
        }
        let reads: Vec<(&str, Option<u64>)> = rooms.iter().map(|room| (room.as_str(), Some(0))).collect();
        let mut devices = Vec::new();
        for (user, url) in users.iter().zip(urls.iter().cycle()) {
            devices.push(Device::open(cluster.driver().await, user, Connection::to(url), &token(user), &reads).await);
        }
        Self { name, seed: seed(), rooms, devices, sent: AtomicUsize::new(0), _turn: turn }
    }

    /// Lets random devices send this many messages to random rooms, as fast as they are answered.
    pub async fn sends(&self, count: usize) {
        let begun = self.sent.load(Ordering::Relaxed);
        let mut random = ChaCha8Rng::seed_from_u64(self.seed.wrapping_add(begun as u64));
        for n in begun..begun + count {
            let device = &self.devices[random.random_range(0..self.devices.len())];
            let room = &self.rooms[random.random_range(0..self.rooms.len())];
            device.send(room, &format!("message {n}")).await;
            self.sent.fetch_add(1, Ordering::Relaxed);
            // Longer than the usual deadline: a fault may hold answers back that long.
            until_within(DEADLINE * 3, "sends are answered", || async { (self.waiting() < IN_FLIGHT).then_some(()) })
                .await;
        }
    }

    /// Keeps sending for as long as the fault goes on.
    pub async fn load_during<T>(&self, fault: impl Future<Output = T>) -> T {
        let over = AtomicBool::new(false);
        let load = async {
            while !over.load(Ordering::Relaxed) {
                self.sends(1).await;
            }
        };
        let fault = async {
            let outcome = fault.await;
            over.store(true, Ordering::Relaxed);
            outcome
        };
        tokio::join!(load, fault).1
    }

    /// Waits until this many more sends were answered `ok`.
    pub async fn acks_more(&self, count: usize) {
        let enough = self.answered("ack") + count;
        let what = format!("{count} more sends are acked");
        until_within(DEADLINE * 3, &what, || async { (self.answered("ack") >= enough).then_some(()) }).await;
    }

    /// Waits until every send has its answer and every device that still reads a room is at its head; then reads the log
    /// and applies every rule.
    pub async fn judge(&self, cluster: &Cluster) -> Report {
        self.settle(cluster).await;
        let recorders: Vec<&dyn Recorder> = self.devices.iter().map(|device| device as &dyn Recorder).collect();
        let rooms: Vec<&str> = self.rooms.iter().map(String::as_str).collect();
        Run::collect(self.name, self.seed, &recorders, cluster.store_url(), &rooms).await.judge()
    }

    async fn settle(&self, cluster: &Cluster) {
        for device in &self.devices {
            device.outbox_is_empty().await;
        }
        let rooms: Vec<&str> = self.rooms.iter().map(String::as_str).collect();
        for (room, feed) in log::read(cluster.store_url(), &rooms).await {
            for device in &self.devices {
                device.is_done_with(&room, feed.head).await;
            }
        }
    }

    fn waiting(&self) -> usize {
        self.sent.load(Ordering::Relaxed).saturating_sub(self.answered("ack") + self.answered("failed"))
    }

    fn answered(&self, kind: &str) -> usize {
        self.devices.iter().map(|device| device.count(kind)).sum()
    }
}

/// From `ROOKERY_TEST_SEED`, to repeat a run; otherwise a new one, which the report prints.
pub fn seed() -> u64 {
    let given = std::env::var("ROOKERY_TEST_SEED").ok();
    given.map_or_else(|| rand::rng().next_u64() >> 12, |seed| seed.parse().expect("ROOKERY_TEST_SEED is a number"))
}
