//! The bus as the node sees it; the work is done by three tasks behind it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fred::error::ErrorKind;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::channel::ChannelNames;
use super::interest::Interest;
use super::keeper::Keeper;
use super::link::{Link, Publisher};
use super::outgoing::Outgoing;
use super::probe::Probe;
use super::settings::{BusError, Connector, RedisSettings};
use super::watch::Watch;
use crate::bus::handover::Handover;
use crate::bus::{Bus, BusEvent, BusState, BusTiming, Topic};
use crate::domain::NodeId;
use crate::telemetry::metrics;

/// How long closing waits for queued messages, and again for the tasks.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// What the tasks of one bus share.
pub(super) struct Shared {
    pub names: ChannelNames,
    pub timing: BusTiming,
    pub probe: Probe,
    pub interest: Mutex<Interest>,
    pub interest_changed: Notify,
    pub watch: Mutex<Watch>,
    /// A probe has arrived.
    pub heard: Notify,
    pub outgoing: Outgoing,
    pub handover: Arc<Handover>,
    /// The publishing half of the present link.
    pub publisher: watch::Sender<Option<Publisher>>,
}

/// [`Bus`] over Redis.
///
/// It keeps one pair of connections and replaces it whenever it ends, does not answer, or does not bring back the node's
/// own probe; then every wanted topic is subscribed again, and [`BusEvent::Gap`] tells that anything may have been missed.
/// On a Redis Cluster the probe watches the shard that owns its channel, and a group of topics that moves to another shard
/// is subscribed there when the link is next replaced.
pub struct RedisBus {
    shared: Arc<Shared>,
    events: Mutex<Option<mpsc::Receiver<BusEvent>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl RedisBus {
    /// Starts the bus. A server that cannot be reached is no error: the bus is degraded and comes up by itself.
    ///
    /// # Errors
    /// [`BusError`] when no waiting would help: an address that cannot be read, credentials that are refused.
    pub async fn connect(settings: RedisSettings) -> Result<Self, BusError> {
        let connector = Connector::new(&settings)?;
        let names = ChannelNames::new(&settings.prefix, connector.layout());
        let timing = settings.timing;
        let link = match Link::open(&connector, names.clone(), timing.command_timeout * 4).await {
            Ok(link) => Some(link),
            Err(error) if *error.kind() == ErrorKind::Auth => return Err(BusError::Refused(error.to_string())),
            Err(error) => {
                warn!(
                    "the bus is not reachable, starting without it; until it is, news arrives through the store: {error}"
                );
                None
            }
        };
        let (handover, events) = Handover::new();
        let (node, instance) = (settings.node, settings.instance);
        let shared = Arc::new(Shared {
            names,
            timing,
            probe: Probe { node: node.clone(), instance, version: env!("CARGO_PKG_VERSION").to_owned() },
            interest: Mutex::new(Interest::new(timing.linger)),
            interest_changed: Notify::new(),
            watch: Mutex::new(Watch::new(node, instance, timing)),
            heard: Notify::new(),
            outgoing: Outgoing::new(timing.publish_patience),
            handover,
            publisher: watch::Sender::new(None),
        });
        let bus = Self {
            shared,
            events: Mutex::new(Some(events)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        bus.start(Keeper::new(bus.shared.clone(), connector), link);
        Ok(bus)
    }

    fn start(&self, keeper: Keeper, link: Option<Link>) {
        metrics::bus_up(0);
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(keeper.run(link)));
        let (shared, stop) = (self.shared.clone(), self.stop.clone());
        self.tasks.spawn(async move { shared.outgoing.run(shared.publisher.subscribe(), stop).await });
        let (shared, stop) = (self.shared.clone(), self.stop.clone());
        self.tasks.spawn(stop.run_until_cancelled_owned(async move { shared.handover.catch_up().await }));
    }
}

#[async_trait]
impl Bus for RedisBus {
    fn publish(&self, topic: &Topic, message: Bytes) {
        self.shared.outgoing.push(topic.clone(), message, Instant::now());
    }

    fn subscribe(&self, topic: &Topic) {
        self.shared.interest.lock().want(topic);
        self.shared.interest_changed.notify_one();
    }

    fn unsubscribe(&self, topic: &Topic) {
        self.shared.interest.lock().leave(topic, Instant::now());
        self.shared.interest_changed.notify_one();
    }

    fn expect_peers(&self, peers: Vec<NodeId>) {
        self.shared.watch.lock().expect(peers, Instant::now());
    }

    fn take_events(&self) -> Option<mpsc::Receiver<BusEvent>> {
        self.events.lock().take()
    }

    fn state(&self) -> BusState {
        self.shared.watch.lock().state()
    }

    async fn close(&self) {
        let _ = tokio::time::timeout(CLOSE_PATIENCE, self.shared.outgoing.drained()).await;
        self.stop.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(CLOSE_PATIENCE, self.tasks.wait()).await;
        self.shared.publisher.send_replace(None);
        self.shared.watch.lock().unlinked();
    }
}

impl Drop for RedisBus {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
