//! Picks the store and the bus that the settings name: the only place that knows them by name.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use uuid::Uuid;

use super::failure::Failure;
use crate::bus::{Bus, BusTiming, MemoryBus, RedisBus, RedisSettings};
use crate::config::{BusSettings, StoreKind, StoreSettings};
use crate::domain::NodeId;
use crate::store::{PostgresSettings, PostgresStore, SqliteSettings, SqliteStore, Store, StoreError};

/// The store that was picked; the rest of the program knows it as [`Store`].
#[derive(Clone)]
pub(super) enum OpenStore {
    /// For a cluster.
    Postgres(Arc<PostgresStore>),
    /// For a node alone.
    Sqlite(Arc<SqliteStore>),
}

impl OpenStore {
    /// Reaches the store.
    pub(super) async fn open(settings: &StoreSettings) -> Result<Self, Failure> {
        let url = settings.url.expose();
        let opened = match settings.url.kind() {
            StoreKind::Shared => {
                // Writers and readers have connections of their own: a flood of the one must not hold up the other.
                let readers_max = settings.connections / 2;
                let writers_max = settings.connections - readers_max;
                let settings = PostgresSettings { writers_max, readers_max, ..PostgresSettings::new(url) };
                PostgresStore::connect(&settings).await.map(|store| Self::Postgres(Arc::new(store)))
            }
            StoreKind::Embedded => {
                SqliteStore::open(&SqliteSettings::new(url)).await.map(|store| Self::Sqlite(Arc::new(store)))
            }
        };
        Ok(opened.with_context(|| format!("store.url: {} cannot be used", settings.url))?)
    }

    /// Brings the schema up to date, one node at a time.
    pub(super) async fn migrate(&self) -> Result<(), Failure> {
        let migrated = match self {
            Self::Postgres(store) => store.migrate().await,
            Self::Sqlite(store) => store.migrate().await,
        };
        Ok(migrated.context("store.url: the schema cannot be brought up to date")?)
    }

    /// Whether the schema is as new as this program needs.
    pub(super) async fn check_schema(&self) -> Result<(), Failure> {
        let checked: Result<(), StoreError> = match self {
            Self::Postgres(store) => store.schema_is_current().await,
            Self::Sqlite(store) => store.schema_is_current().await,
        };
        Ok(checked.context("store.migrate is false")?)
    }

    /// As everybody else knows it.
    pub(super) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Postgres(store) => Arc::clone(store) as Arc<dyn Store>,
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    /// Ends its connections, after what runs on them.
    pub(super) async fn close(&self) {
        match self {
            Self::Postgres(store) => store.close().await,
            Self::Sqlite(store) => store.close().await,
        }
    }
}

/// Starts the bus. A server that is away is no reason not to start: the bus is degraded until it is there.
pub(super) async fn start_bus(settings: &BusSettings, node: NodeId, instance: Uuid) -> Result<Arc<dyn Bus>, Failure> {
    if settings.url.is_in_process() {
        return Ok(Arc::new(MemoryBus::alone(node)));
    }
    let settings = RedisSettings {
        url: settings.url.expose().to_owned(),
        prefix: settings.prefix.clone(),
        node,
        instance,
        timing: BusTiming::default(),
    };
    let bus = RedisBus::connect(settings).await.map_err(|error| anyhow!(error))?;
    Ok(Arc::new(bus))
}
