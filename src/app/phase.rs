//! Where in its life the node is, for whoever asks whether to send it clients.

use std::sync::Arc;

use parking_lot::RwLock;

/// Where in its life the node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Reaching its store, migrating.
    Starting,
    /// Serving.
    Ready,
    /// On its way out: no new clients, please.
    Draining,
}

impl Phase {
    /// The word in `/readyz`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

/// The present phase. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Life(Arc<RwLock<Phase>>);

impl Life {
    /// A node that starts.
    pub fn starting() -> Self {
        Self(Arc::new(RwLock::new(Phase::Starting)))
    }

    /// Where the node is now.
    pub fn phase(&self) -> Phase {
        *self.0.read()
    }

    /// The node has come further.
    pub fn enter(&self, phase: Phase) {
        *self.0.write() = phase;
    }
}
