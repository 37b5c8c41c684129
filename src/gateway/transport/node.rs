//! The transport of one node: what all its connections share, its opening and its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::application::{Application, CloseReason, DisconnectReason};
use super::config::TransportConfig;
use super::connection::Connection;
use super::forward::NodeDirectory;
use super::frame::Frame;
use super::handshake::Handshake;
use super::hop::Hops;
use super::keeper::Keeper;
use super::origin::Origins;
use super::outbox::{Kind, Reader, Wire};
use super::pacer::Pacer;
use super::registry::Registry;
use super::sid::{Entropy, Sids, is_tag};
use super::tally::Tally;

/// What a transport is made of.
pub struct Parts {
    /// The settings.
    pub config: TransportConfig,
    /// Whom it serves.
    pub app: Arc<dyn Application>,
    /// Where other nodes are.
    pub directory: Arc<dyn NodeDirectory>,
    /// Where sids get their randomness from.
    pub entropy: Entropy,
}

/// A setting with which no transport can run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The tag cannot stand in a sid.
    #[error("node tag {0:?} is not 1–16 characters of A-Z a-z 0-9 _ -")]
    NodeTag(String),
    /// Anybody could make sids.
    #[error("the cluster secret is empty")]
    NoSecret,
}

/// See the file's first line. Made once a node; given to [`serve`](super::serve), drained and ended by the application.
pub struct Transport {
    pub(super) config: TransportConfig,
    pub(super) app: Arc<dyn Application>,
    pub(super) sids: Sids,
    pub(super) origins: Origins,
    pub(super) hops: Hops,
    pub(super) directory: Arc<dyn NodeDirectory>,
    pub(super) registry: Registry,
    pub(super) keeper: Keeper,
    pub(super) pacer: Pacer,
    pub(super) tally: Tally,
    /// Every task of the transport.
    pub(super) tasks: TaskTracker,
    /// The one ping that all clients get.
    pub(super) ping: Frame,
    started: Instant,
    stop: CancellationToken,
    /// Over how long everything is closed, once a drain has come so far.
    closing: watch::Sender<Option<Duration>>,
    is_open: AtomicBool,
    is_reading: AtomicBool,
    /// The current second (high half) and the connections opened in it (low half).
    opened: AtomicU64,
}

impl Transport {
    /// Makes the transport and starts its keeper. Needs a tokio runtime.
    pub fn start(parts: Parts) -> Result<Arc<Self>, TransportError> {
        let Parts { config, app, directory, entropy } = parts;
        if !is_tag(&config.node_tag) {
            return Err(TransportError::NodeTag(config.node_tag));
        }
        if config.cluster_secret.is_empty() {
            return Err(TransportError::NoSecret);
        }
        let deadlines = [config.ping_interval, config.ping_timeout, config.connect_timeout, config.flush_timeout];
        let shortest = deadlines.into_iter().min().unwrap_or(config.ping_timeout);
        let transport = Arc::new(Self {
            app,
            sids: Sids::new(&config.node_tag, &config.cluster_secret, entropy),
            origins: Origins::new(&config.cors_origins),
            hops: Hops::new(&config.cluster_secret),
            directory,
            registry: Registry::default(),
            keeper: Keeper::new(shortest),
            pacer: Pacer::new(),
            tally: Tally::new(),
            tasks: TaskTracker::new(),
            ping: Frame::text("2"),
            started: Instant::now(),
            stop: CancellationToken::new(),
            closing: watch::Sender::new(None),
            is_open: AtomicBool::new(true),
            is_reading: AtomicBool::new(true),
            opened: AtomicU64::new(0),
            config,
        });
        transport.tasks.spawn(Keeper::run(transport.clone(), transport.stop.clone()));
        Pacer::start(&transport, &transport.stop);
        Ok(transport)
    }

    /// Connections that are open now.
    pub fn open_connections(&self) -> usize {
        self.registry.len()
    }

    /// First step of a drain: new connections are refused with 503; those that are open go on.
    pub fn stop_opening(&self) {
        self.is_open.store(false, Ordering::Release);
    }

    /// Second step: nothing more is read from any client, while what the application sends is still written. A POST is refused.
    pub fn stop_reading(&self) {
        self.is_reading.store(false, Ordering::Release);
        for connection in self.registry.all() {
            connection.waker.wake();
        }
    }

    /// Third step: closes all connections with [`CloseReason::Drain`], evenly over this time, each after what is queued for it.
    pub async fn close_all(&self, over: Duration) {
        self.closing.send_replace(Some(over));
        let connections = self.registry.all();
        let (begun, count) = (Instant::now(), connections.len().max(1) as u32);
        for (index, connection) in connections.into_iter().enumerate() {
            tokio::time::sleep_until(begun + over / count * index as u32).await;
            connection.close(DisconnectReason::Closed(CloseReason::Drain), 1001);
        }
    }

    /// Last step: ends what is still open and waits for every task, at most this long. True when all have ended.
    pub async fn finish(&self, within: Duration) -> bool {
        self.stop_opening();
        let deadline = Instant::now() + within;
        while self.open_connections() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for connection in self.registry.all() {
            connection.abort(DisconnectReason::Closed(CloseReason::Drain));
        }
        self.stop.cancel();
        self.tasks.close();
        let grace = deadline.max(Instant::now() + Duration::from_millis(100));
        tokio::time::timeout_at(grace, self.tasks.wait()).await.is_ok()
    }

    /// Opens a connection and queues its first packet.
    pub(super) fn open(self: &Arc<Self>, handshake: Handshake, wire: Wire, reader: Reader) -> Arc<Connection> {
        let upgrades = if matches!(wire, Wire::Polling(_)) { "\"websocket\"" } else { "" };
        let connection = Connection::new(self, Arc::new(handshake), wire, reader);
        let open = format!(
            "0{{\"sid\":\"{}\",\"upgrades\":[{upgrades}],\"pingInterval\":{},\"pingTimeout\":{},\"maxPayload\":{}}}",
            self.sids.render(&connection.key),
            self.config.ping_interval.as_millis(),
            self.config.ping_timeout.as_millis(),
            self.config.frame_bytes,
        );
        self.registry.insert(connection.clone());
        self.tally.opened();
        connection.send(&Frame::text(&open), Kind::Event);
        connection.watch_first();
        connection
    }

    /// Ends when something that is not in the registry, a client's way to another node, is to be closed: at a random moment of the
    /// time over which all is closed.
    pub(super) fn closing_of_one(&self) -> impl Future<Output = ()> + Send + use<> {
        let (mut closing, stop) = (self.closing.subscribe(), self.stop.clone());
        let share = f64::from(self.sids.random_key()[0]) / 256.0;
        async move {
            let wait = async {
                if let Ok(over) = closing.wait_for(Option::is_some).await.map(|over| *over) {
                    tokio::time::sleep(over.unwrap_or_default().mul_f64(share)).await;
                }
            };
            tokio::select! {
                () = wait => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Whether one more connection may be opened now; counts it against the rate.
    pub(super) fn admits(&self) -> bool {
        if !self.is_open.load(Ordering::Acquire)
            || self.config.sessions_max.is_some_and(|max| self.registry.len() >= max)
        {
            return false;
        }
        let Some(connects_per_s) = self.config.connects_per_s else { return true };
        let second = self.now_ms() / 1_000;
        let count = |before: u64| if before >> 32 == second { before + 1 } else { second << 32 | 1 };
        let before = self.opened.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| Some(count(before)));
        before.is_ok_and(|before| count(before) & 0xFFFF_FFFF <= u64::from(connects_per_s))
    }

    pub(super) fn is_reading(&self) -> bool {
        self.is_reading.load(Ordering::Acquire)
    }

    /// The transport's clock: ms since its start.
    pub(super) fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}
