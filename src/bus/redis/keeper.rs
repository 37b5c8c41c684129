//! Keeps a link: opens it, subscribes what is wanted, probes it, and replaces it when it is in doubt.

use std::sync::Arc;
use std::time::Duration;

use fred::error::Error;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tracing::{info, warn};

use super::bus::Shared;
use super::link::Link;
use super::listener::listen;
use super::settings::Connector;
use super::watch::Hearing;
use crate::bus::{BusState, Topic};
use crate::telemetry::metrics;

/// Topics in one command: its confirmations are some 50 KiB, far from the server's limit for a slow reader.
/// 38,000 topics take 76 commands and a fifth of a second.
const CHUNK: usize = 500;

/// The first pause before another attempt to connect.
const RECONNECT_PAUSE_MIN: Duration = Duration::from_millis(50);

/// Pauses because of a missing peer double this often.
const PEER_PAUSE_DOUBLINGS_MAX: u32 = 4;

/// The one task that talks to the server about anything but messages.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    connector: Connector,
    /// Attempts since the last link that served well.
    attempts: u32,
    /// Links that were replaced because of a missing peer since the bus was last up.
    peer_rebuilds: u32,
}

/// Why a link is replaced.
enum Doubt {
    /// It failed.
    Broken(String),
    /// The own probe did not come back.
    Deaf,
    /// A peer's probe did not arrive; perhaps this node talks to another server than its peers.
    PeerMissing,
}

impl From<Error> for Doubt {
    fn from(error: Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken(why) => f.write_str(why),
            Self::Deaf => f.write_str("the own probe does not come back"),
            Self::PeerMissing => f.write_str("a live peer is not heard"),
        }
    }
}

impl Keeper {
    pub const fn new(shared: Arc<Shared>, connector: Connector) -> Self {
        Self { shared, connector, attempts: 0, peer_rebuilds: 0 }
    }

    /// Runs until it is dropped.
    pub async fn run(mut self, mut link: Option<Link>) {
        loop {
            let serving = match link.take() {
                Some(link) => link,
                None => self.open().await,
            };
            let doubt = self.serve(serving).await;
            self.shared.publisher.send_replace(None);
            let changed = self.shared.watch.lock().unlinked();
            if let Some(state) = changed {
                self.shared.handover.state(state);
            }
            self.shared.interest.lock().relink();
            metrics::bus_relinked();
            warn!("the bus is degraded, its connections are replaced: {doubt}");
            self.pause().await;
        }
    }

    /// Opens a link, however often it takes.
    async fn open(&mut self) -> Link {
        loop {
            let deadline = self.shared.timing.command_timeout * 4;
            match Link::open(&self.connector, self.shared.names.clone(), deadline).await {
                Ok(link) => return link,
                Err(error) if self.attempts == 0 => warn!("the bus is not reachable: {error}"),
                Err(_) => {}
            }
            self.pause().await;
        }
    }

    /// Waits before the next attempt: longer each time, and not as long as the neighbours do.
    async fn pause(&mut self) {
        let longest = self.shared.timing.reconnect_pause_max;
        let pause = RECONNECT_PAUSE_MIN.saturating_mul(1 << self.attempts.min(16)).min(longest);
        let spread = 50 + u32::from(self.shared.probe.instance.as_bytes()[self.attempts as usize % 16]) * 50 / 255;
        self.attempts = self.attempts.saturating_add(1);
        sleep(pause * spread / 100).await;
    }

    /// Uses a link until it is in doubt.
    async fn serve(&mut self, mut link: Link) -> Doubt {
        self.shared.watch.lock().linked(Instant::now());
        self.shared.publisher.send_replace(Some(link.publisher()));
        let (shared, messages) = (self.shared.clone(), link.messages());
        let doubt = tokio::select! {
            () = listen(&shared, messages) => Doubt::Broken("the library closed the channel of messages".to_owned()),
            doubt = self.keep(&mut link) => doubt,
        };
        link.close().await;
        doubt
    }

    async fn keep(&mut self, link: &mut Link) -> Doubt {
        if let Err(error) = self.subscribe_all(link).await {
            return error.into();
        }
        let mut tick = interval(self.shared.timing.probe_interval);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shared = self.shared.clone();
        loop {
            let leaving_at = shared.interest.lock().next_leaving_at();
            let next_leaving = leaving_at.unwrap_or_else(|| Instant::now() + shared.timing.linger);
            let done = tokio::select! {
                why = link.ended() => return Doubt::Broken(why),
                _ = tick.tick() => {
                    shared.outgoing.push_probe(shared.probe.encode());
                    Ok(())
                }
                () = shared.heard.notified() => Ok(()),
                () = shared.interest_changed.notified() => self.subscribe_changed(link).await,
                () = sleep_until(next_leaving) => self.unsubscribe_left(link).await,
            };
            if let Err(error) = done {
                return error.into();
            }
            if let Some(doubt) = self.review() {
                return doubt;
            }
        }
    }

    /// Subscribes the common topic and whatever is wanted, then says that anything may have been missed before.
    async fn subscribe_all(&self, link: &Link) -> Result<(), Error> {
        link.subscribe(&[Topic::All]).await?;
        self.subscribe_changed(link).await?;
        self.shared.handover.gap();
        Ok(())
    }

    async fn subscribe_changed(&self, link: &Link) -> Result<(), Error> {
        loop {
            let changes = self.shared.interest.lock().next_changes(CHUNK);
            let done = changes.subscribe.is_empty() && changes.live.is_empty();
            self.shared.handover.subscribed(changes.live);
            if done {
                metrics::bus_topics(self.shared.interest.lock().len());
                return Ok(());
            }
            if !changes.subscribe.is_empty() {
                link.subscribe(&changes.subscribe).await?;
                metrics::bus_subscribed(changes.subscribe.len());
                let live = self.shared.interest.lock().confirm(changes.subscribe);
                self.shared.handover.subscribed(live);
            }
        }
    }

    async fn unsubscribe_left(&self, link: &Link) -> Result<(), Error> {
        loop {
            // Common: the node listens to itself and its peers there, whoever else loses interest.
            let mut left = self.shared.interest.lock().next_leaving(Instant::now(), CHUNK);
            left.retain(|topic| *topic != Topic::All);
            if left.is_empty() {
                return Ok(());
            }
            link.unsubscribe(&left).await?;
        }
    }

    /// Tells the node when the state has changed, and doubts the link when its probes say so.
    fn review(&mut self) -> Option<Doubt> {
        let now = Instant::now();
        let (changed, hearing, unwell_for) = {
            let mut watch = self.shared.watch.lock();
            (watch.review(now), watch.hearing(now), watch.unwell_for(now))
        };
        if let Some(state) = changed {
            self.announce(state);
        }
        match hearing {
            Hearing::Well | Hearing::Waiting => None,
            Hearing::Deaf => Some(Doubt::Deaf),
            Hearing::PeerMissing => {
                let pause = self.shared.timing.peer_patience * (1 << self.peer_rebuilds.min(PEER_PAUSE_DOUBLINGS_MAX));
                if unwell_for < pause {
                    return None;
                }
                self.peer_rebuilds = self.peer_rebuilds.saturating_add(1);
                Some(Doubt::PeerMissing)
            }
        }
    }

    fn announce(&mut self, state: BusState) {
        match state {
            BusState::Up => {
                (self.attempts, self.peer_rebuilds) = (0, 0);
                info!("the bus is up");
                self.shared.handover.state(state);
                self.shared.handover.gap();
            }
            BusState::Degraded => {
                warn!("the bus is degraded: a probe is missing");
                self.shared.handover.state(state);
            }
        }
    }
}
