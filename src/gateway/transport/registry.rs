//! The open connections of this node, by the random part of their sids.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

use super::connection::Connection;
use super::sid::SidKey;

/// Holds a connection from its opening to its end.
#[derive(Default)]
pub(super) struct Registry {
    connections: DashMap<SidKey, Arc<Connection>, foldhash::fast::RandomState>,
    /// Kept apart from the map, whose own count locks every shard.
    count: AtomicUsize,
}

impl Registry {
    pub(super) fn insert(&self, connection: Arc<Connection>) {
        if self.connections.insert(connection.key, connection).is_none() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn remove(&self, connection: &Connection) {
        if self.connections.remove(&connection.key).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(super) fn get(&self, key: &SidKey) -> Option<Arc<Connection>> {
        self.connections.get(key).map(|found| found.value().clone())
    }

    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// All connections that are open now.
    pub(super) fn all(&self) -> Vec<Arc<Connection>> {
        self.connections.iter().map(|entry| entry.value().clone()).collect()
    }
}
