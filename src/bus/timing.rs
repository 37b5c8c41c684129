//! How long the bus waits for what.

use std::time::Duration;

/// The patience of a bus; the defaults are meant for production, tests pass shorter ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusTiming {
    /// Between two probes of a node. Missing two of them in a row makes the bus degraded.
    pub probe_interval: Duration,
    /// How long a topic stays subscribed after the node has lost interest, so that a user who comes back does not churn.
    pub linger: Duration,
    /// How long a message is tried again before it is given up.
    pub publish_patience: Duration,
    /// How long one command to the server may take.
    pub command_timeout: Duration,
    /// The longest pause between two attempts to connect; the first pauses are much shorter.
    pub reconnect_pause_max: Duration,
    /// The first pause before connections are rebuilt because a peer, and only a peer, is not heard; doubles up to sixteen times this.
    pub peer_patience: Duration,
}

impl Default for BusTiming {
    fn default() -> Self {
        Self {
            probe_interval: Duration::from_secs(1),
            linger: Duration::from_secs(5),
            publish_patience: Duration::from_secs(2),
            command_timeout: Duration::from_millis(500),
            reconnect_pause_max: Duration::from_secs(2),
            peer_patience: Duration::from_secs(4),
        }
    }
}

impl BusTiming {
    /// How old a probe may be: two were missed, and the second had half an interval to be late.
    #[must_use]
    pub fn probe_patience(&self) -> Duration {
        self.probe_interval * 5 / 2
    }
}
