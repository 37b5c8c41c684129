//! The sessions of this node, by user.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use smallvec::SmallVec;

use super::session::Session;
use crate::chat::Reader;
use crate::domain::{ChatError, ErrorCode, UserId};

/// All sessions of this node. Sharded; no call keeps a shard while it calls a session.
#[derive(Default)]
pub(super) struct Sessions {
    of_user: DashMap<UserId, SmallVec<[Arc<Session>; 1]>, foldhash::fast::RandomState>,
    count: AtomicUsize,
}

impl Sessions {
    /// Adds a session, unless its user has as many as allowed.
    pub(super) fn add(&self, session: &Arc<Session>, per_user_max: Option<usize>) -> Result<(), ChatError> {
        let mut own = self.of_user.entry(session.user().clone()).or_default();
        if per_user_max.is_some_and(|max| own.len() >= max) {
            return Err(ChatError::new(ErrorCode::RateLimited, "this user has too many sessions"));
        }
        own.push(Arc::clone(session));
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Takes a session out; one that is not in is left alone.
    pub(super) fn remove(&self, session: &Arc<Session>) {
        let Entry::Occupied(mut own) = self.of_user.entry(session.user().clone()) else { return };
        let Some(at) = own.get().iter().position(|known| Arc::ptr_eq(known, session)) else { return };
        own.get_mut().swap_remove(at);
        self.count.fetch_sub(1, Ordering::Relaxed);
        if own.get().is_empty() {
            own.remove();
        }
    }

    /// How many sessions there are.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Those of one user.
    pub(super) fn of(&self, user: &UserId) -> SmallVec<[Arc<Session>; 1]> {
        self.of_user.get(user).map(|own| own.value().clone()).unwrap_or_default()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Session>> {
        self.of_user.iter().flat_map(|own| own.value().clone()).collect()
    }
}
