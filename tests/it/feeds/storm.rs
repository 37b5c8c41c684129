//! Storms over real feeds: several nodes on one bus that loses, doubles and delays, one store that fails, and the oracle at every session.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rookery::bus::{Faults, MemoryHub};
use rookery::chat::{AttachAsk, Attached, Budget, Reader};
use rookery::domain::{NodeId, Seq, SessionId};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::site::{Running, start};
use super::store::{TestStore, pass};
use crate::schedules::device::{Answer, Ask, Device, Place, Socket};
use crate::schedules::log::{USERS, Write, epoch, feed};
use crate::schedules::random::Random;

/// How many storms a test run plays.
const STORMS: u64 = 400;

const NODES: [&str; 3] = ["north", "east", "west"];

struct Storm {
    random: Random,
    store: Arc<TestStore>,
    bus: MemoryHub,
    sites: Vec<Running>,
    devices: Vec<Arc<Mutex<Device>>>,
    /// The session of each device.
    sockets: Vec<Option<Arc<Socket>>>,
    asks: u64,
    /// Per cent of attaches whose answer has little room.
    tight: u64,
    /// Attaches and tellings under way.
    under_way: TaskTracker,
}

impl Storm {
    async fn begin(seed: u64) -> Self {
        let (store, bus) = (TestStore::new(seed), MemoryHub::default());
        let mut sites = Vec::new();
        for name in NODES {
            let seat = bus.join(NodeId::parse(name).unwrap());
            sites.push(start(name, store.clone(), Arc::new(seat)).await);
        }
        let mut random = Random::new(seed);
        let lost = random.pick(&[0, 100, 1_000]);
        let doubled = if lost == 1_000 { 0 } else { 200 };
        let faults = Faults { dropped_per_mille: lost, doubled_per_mille: doubled, held_per_mille: doubled, seed };
        bus.set_faults(faults);
        store.delay_max.store(random.pick(&[500, 5_000, 30_000]), Ordering::Relaxed);
        let device = |number| Arc::new(Mutex::new(Device::new(number % USERS, Arc::clone(&store.log))));
        let devices = (0..5).map(device).collect();
        let (sockets, under_way) = (vec![None; 5], TaskTracker::new());
        Self { random, store, bus, sites, devices, sockets, asks: 0, tight: 20, under_way }
    }

    async fn act(&mut self) {
        match self.random.below(100) {
            0..40 => self.write(Write::Say),
            40..46 => {
                let write = Write::Remove(self.random.index(USERS));
                self.write(write);
            }
            46..54 => {
                let write = Write::Add(self.random.index(USERS));
                self.write(write);
            }
            54..84 => {
                let device = self.random.index(self.devices.len());
                self.ask(device);
            }
            84..94 => {
                let device = self.random.index(self.devices.len());
                self.disconnect(device);
            }
            _ => {
                let until = self.store.now() + self.random.between(1_000, 400_000);
                self.store.log().go_away(until);
            }
        }
        let pause = self.random.pick(&[100, 3_000, 30_000]);
        pass(Duration::from_micros(self.random.between(1, pause))).await;
        self.close_lost();
    }

    /// Commits on some node, which tells the feeds after a while, or dies before.
    fn write(&mut self, write: Write) {
        let now = self.store.now();
        if self.store.log().is_away(now) {
            return;
        }
        let Some(event) = self.store.log().commit(write, now) else { return };
        let site = self.random.index(self.sites.len());
        let (feeds, delay) = (self.sites[site].feeds.clone(), self.random.between(1, 5_000));
        if !self.random.percent(10) {
            self.under_way.spawn(async move {
                pass(Duration::from_micros(delay)).await;
                feeds.committed(vec![event]);
            });
        }
    }

    fn ask(&mut self, number: usize) {
        if self.sockets[number].is_none() {
            self.connect(number);
        }
        self.asks += 1;
        let (socket, mut device) = (self.sockets[number].clone().unwrap(), self.devices[number].lock().unwrap());
        let Place::On(node, session) = device.place else { return };
        if device.asking.is_some() {
            return;
        }
        device.asking = Some(self.asks);
        let (cursor, history) = (device.cursor.map(Seq), device.history.map(epoch));
        drop(device);
        let budget = if self.random.percent(self.tight) { Budget::new(2, 500) } else { Budget::new(1_000, 1 << 20) };
        let ask = Ask { number: self.asks, session, at: self.store.now() };
        let wish = AttachAsk { feed: feed(), cursor, epoch: history, budget };
        let (feeds, device) = (self.sites[node].feeds.clone(), Arc::clone(&self.devices[number]));
        self.under_way.spawn(async move {
            let reader: Arc<dyn Reader> = socket;
            let (answer, ticket) = match feeds.attach(&reader, wish).await {
                Attached::Complete(backfill, ticket) => (Answer::Complete(backfill), Some(ticket)),
                Attached::Incomplete(backfill) => (Answer::Incomplete(backfill), None),
                Attached::Reset { .. } => (Answer::Reset, None),
                Attached::NotFound => (Answer::NotFound, None),
                Attached::Unavailable => (Answer::Unavailable, None),
            };
            device.lock().unwrap().answered(&answer, 0, ask);
            ticket.into_iter().for_each(|ticket| feeds.go_live(ticket));
        });
    }

    fn connect(&mut self, number: usize) {
        self.asks += 1;
        let session = SessionId::from_uuid(Uuid::from_u128(u128::from(self.asks)));
        let node = self.random.index(self.sites.len());
        self.devices[number].lock().unwrap().place = Place::On(node, session);
        self.sockets[number] = Some(Arc::new(Socket::new(session, &self.devices[number])));
    }

    fn disconnect(&mut self, number: usize) {
        let Some(socket) = self.sockets[number].take() else { return };
        let place = self.devices[number].lock().unwrap().place;
        self.devices[number].lock().unwrap().leave();
        if let Place::On(node, _) = place {
            self.sites[node].feeds.detach_all(&*socket);
        }
    }

    fn close_lost(&mut self) {
        for number in 0..self.devices.len() {
            let lost = self.devices[number].lock().unwrap().lost_track;
            assert!(!lost, "device {number} lost track without a cause");
        }
    }

    /// No fault any more: everybody comes back, and soon nothing is missing.
    async fn heal(&mut self) {
        self.bus.set_faults(Faults::default());
        self.tight = 0;
        for _ in 0..4 {
            // Longer than the longest back-off, and then a poll.
            pass(Duration::from_secs(6)).await;
            for number in 0..self.devices.len() {
                if !self.devices[number].lock().unwrap().attached {
                    self.ask(number);
                }
            }
        }
        self.store.log().commit(Write::Say, 0);
        pass(Duration::from_secs(3)).await;
    }

    fn judge(&self, seed: u64) -> u64 {
        let head = self.store.log().head();
        let mut delivered = 0;
        for device in &self.devices {
            let device = device.lock().unwrap();
            delivered += device.delivered;
            assert_eq!(device.problems, [""; 0], "seed {seed}");
            let member = self.store.log().is_member(device.user);
            assert_eq!(device.attached, member, "seed {seed}: user {}", device.user);
            assert!(!member || device.cursor == Some(head), "seed {seed}: {:?} of {head}", device.cursor);
        }
        delivered
    }
}

async fn play(seed: u64) -> u64 {
    let mut storm = Storm::begin(seed).await;
    for _ in 0..60 {
        storm.act().await;
    }
    storm.heal().await;
    let delivered = storm.judge(seed);
    for site in storm.sites {
        site.stop().await;
    }
    delivered
}

#[test]
fn real_feeds_deliver_each_event_once_and_in_order_through_storms() {
    let seeds = std::env::var("SEED").ok().map_or(0..STORMS, |seed| {
        let seed: u64 = seed.parse().expect("a number");
        seed..seed + 1
    });
    let count = seeds.end - seeds.start;
    let delivered: u64 = seeds
        .map(|seed| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
            runtime.block_on(play(seed))
        })
        .sum();
    println!("{count} storms, {delivered} events delivered");
    assert!(delivered >= count, "the storms deliver too little to show anything: {delivered}");
}
