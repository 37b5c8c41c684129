//! Who is in the cluster: says that this node is alive, and knows where the others are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::bus::Bus;
use crate::domain::NodeId;
use crate::gateway::transport::{NodeDirectory, node_tag};
use crate::store::{NodeRow, Store, StoreError};
use crate::telemetry::metrics;

/// Between two heartbeats.
const BEAT_EVERY: Duration = Duration::from_secs(2);
/// For one of them: a store that is slower counts as one that is away.
const BEAT_WITHIN: Duration = Duration::from_secs(2);
/// How often a starting node tries to enter the list.
const JOIN_ATTEMPTS_MAX: usize = 5;
/// A node that was silent for longer is not counted: three heartbeats were missed.
const AGE_MAX: Duration = Duration::from_secs(7);
/// The store is not asked for an unknown node more often than this.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a roster is made of.
pub(super) struct RosterParts {
    /// This node.
    pub node: NodeId,
    /// `host:port` where the others reach it.
    pub advertise: String,
    /// Where the list of nodes is.
    pub store: Arc<dyn Store>,
    /// Told whom to expect.
    pub bus: Arc<dyn Bus>,
}

/// See the file's first line.
pub(super) struct Roster {
    parts: RosterParts,
    /// Tag in a sid to address, of the others.
    addresses: ArcSwap<HashMap<String, String>>,
    /// When the list was last read. Held while it is read: that is what makes it one reading at a time.
    looked: Mutex<Option<Instant>>,
}

impl Roster {
    /// Enters this node in the list.
    pub(super) async fn join(parts: RosterParts) -> Result<Arc<Self>, StoreError> {
        let roster = Self { parts, addresses: ArcSwap::default(), looked: Mutex::new(None) };
        for _ in 1..JOIN_ATTEMPTS_MAX {
            match roster.beat().await {
                // A store that has just migrated under load may be slow once; a node that ends for that starts again to the same.
                Err(StoreError::Unavailable(why)) => info!("this node is not in the list yet, trying again: {why}"),
                Err(error) => return Err(error),
                Ok(()) => return Ok(Arc::new(roster)),
            }
        }
        roster.beat().await?;
        Ok(Arc::new(roster))
    }

    /// Says every two seconds that this node is alive, until `stop`.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = interval(BEAT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_listed = true;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let beat = self.beat().await;
            match &beat {
                Err(error) if is_listed => warn!(%error, "the store does not take this node's heartbeat: {error}"),
                Ok(()) if !is_listed => info!("the store takes this node's heartbeat again"),
                Ok(()) | Err(_) => {}
            }
            is_listed = beat.is_ok();
        }
    }

    /// Takes this node off the list.
    pub(super) async fn leave(&self) {
        if let Ok(Err(error)) = timeout(BEAT_WITHIN, self.parts.store.forget(&self.parts.node)).await {
            warn!(%error, "this node stays on the list until its heartbeat is too old: {error}");
        }
    }

    async fn beat(&self) -> Result<(), StoreError> {
        let RosterParts { node, advertise, store, .. } = &self.parts;
        let beat = timeout(BEAT_WITHIN, store.beat(node, advertise, env!("CARGO_PKG_VERSION")));
        beat.await.map_err(|_| StoreError::Unavailable("no answer to a heartbeat".into()))??;
        self.look(&mut *self.looked.lock().await).await
    }

    /// Reads the list.
    async fn look(&self, looked: &mut Option<Instant>) -> Result<(), StoreError> {
        let read = timeout(BEAT_WITHIN, self.parts.store.nodes(AGE_MAX));
        let nodes = read.await.map_err(|_| StoreError::Unavailable("the list of nodes did not come".into()))??;
        *looked = Some(Instant::now());
        metrics::nodes(nodes.len());
        let others = || nodes.iter().filter(|other| other.id != self.parts.node);
        let address = |other: &NodeRow| (node_tag(other.id.as_str()), other.advertise.clone());
        self.addresses.store(Arc::new(others().map(address).collect()));
        self.parts.bus.expect_peers(others().map(|other| other.id.clone()).collect());
        Ok(())
    }

    /// Reads the list because somebody asks for a node that is not on it. Who asks at the same time waits for the same reading, and a flood of such
    /// asks reads a few times a second.
    async fn look_again(&self) {
        let mut looked = self.looked.lock().await;
        if looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return;
        }
        if let Err(error) = self.look(&mut looked).await {
            warn!(%error, "the list of nodes cannot be read: {error}");
        }
    }
}

#[async_trait]
impl NodeDirectory for Roster {
    async fn address(&self, node_tag: &str) -> Option<String> {
        if let Some(address) = self.addresses.load().get(node_tag) {
            return Some(address.clone());
        }
        self.look_again().await;
        self.addresses.load().get(node_tag).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::MemoryBus;
    use crate::store::{SqliteSettings, SqliteStore};

    async fn store(folder: &tempfile::TempDir) -> Arc<dyn Store> {
        let url = format!("sqlite://{}", folder.path().join("a.db").display());
        let store = SqliteStore::open(&SqliteSettings::new(url)).await.unwrap();
        store.migrate().await.unwrap();
        Arc::new(store)
    }

    async fn join(store: &Arc<dyn Store>, name: &str) -> Arc<Roster> {
        let node = NodeId::parse(name).unwrap();
        let bus = Arc::new(MemoryBus::alone(node.clone()));
        let parts = RosterParts { node, advertise: format!("{name}.example:3000"), store: Arc::clone(store), bus };
        Roster::join(parts).await.unwrap()
    }

    #[tokio::test]
    async fn a_node_that_has_just_joined_is_found_by_those_that_were_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let first = join(&store, "first").await;
        let second = join(&store, "second").await;
        assert_eq!(second.address(&node_tag("first")).await.as_deref(), Some("first.example:3000"));
        // The list that the first one has read may be too fresh to be read again at once.
        let found = async {
            loop {
                if let Some(address) = first.address(&node_tag("second")).await {
                    return address;
                }
                tokio::task::yield_now().await;
            }
        };
        assert_eq!(timeout(Duration::from_secs(10), found).await.unwrap(), "second.example:3000");
        assert_eq!(first.address(&node_tag("first")).await, None, "nobody forwards to itself");
    }

    #[tokio::test]
    async fn a_node_that_has_left_is_no_longer_found() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let (first, second) = (join(&store, "first").await, join(&store, "second").await);
        first.leave().await;
        second.beat().await.unwrap();
        assert_eq!(second.address(&node_tag("first")).await, None);
    }
}
