//! Whether this node hears itself and its peers. No I/O, no clock of its own.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};
use uuid::Uuid;

use super::probe::Probe;
use crate::bus::{BusState, BusTiming};
use crate::domain::NodeId;
use crate::telemetry::metrics;

/// Peers that are remembered: probes of made-up nodes must not fill the memory.
const PEERS_MAX: usize = 1_024;

/// What the probes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearing {
    /// The own probe and those of all expected peers come back.
    Well,
    /// Not yet, and it is too early to worry.
    Waiting,
    /// The own probe comes back, that of an expected peer does not.
    PeerMissing,
    /// Not even the own probe comes back.
    Deaf,
}

/// Follows the probes of one node over all its links.
#[derive(Debug)]
pub(super) struct Watch {
    node: NodeId,
    instance: Uuid,
    timing: BusTiming,
    state: BusState,
    /// When the present link began; none before the first.
    linked_at: Option<Instant>,
    own_heard_at: Option<Instant>,
    heard_at: HashMap<NodeId, Instant>,
    expected_since: HashMap<NodeId, Instant>,
    well_since: Option<Instant>,
    /// When the present series of reviews that were not well began; none while they are.
    unwell_since: Option<Instant>,
    history: History,
    namesake: Option<Uuid>,
}

/// Whether the bus has been up: the first time needs no proof of steadiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum History {
    Fresh,
    WasUp,
}

impl Watch {
    pub fn new(node: NodeId, instance: Uuid, timing: BusTiming) -> Self {
        Self {
            node,
            instance,
            timing,
            state: BusState::Degraded,
            linked_at: None,
            own_heard_at: None,
            heard_at: HashMap::new(),
            expected_since: HashMap::new(),
            well_since: None,
            unwell_since: None,
            history: History::Fresh,
            namesake: None,
        }
    }

    pub const fn state(&self) -> BusState {
        self.state
    }

    /// Probes count from now: a new link has begun.
    pub fn linked(&mut self, now: Instant) {
        self.linked_at = Some(now);
        self.own_heard_at = None;
        (self.well_since, self.unwell_since) = (None, None);
    }

    /// The link is gone; answers whether that changed the state.
    pub fn unlinked(&mut self) -> Option<BusState> {
        self.linked_at = None;
        self.well_since = None;
        self.change_to(BusState::Degraded)
    }

    /// These peers should be heard; one that is new has as long as a probe may be late.
    pub fn expect(&mut self, peers: Vec<NodeId>, now: Instant) {
        let before = std::mem::take(&mut self.expected_since);
        let peers = peers.into_iter().filter(|peer| *peer != self.node);
        self.expected_since = peers.map(|peer| (peer.clone(), before.get(&peer).copied().unwrap_or(now))).collect();
    }

    /// A probe arrived.
    pub fn heard(&mut self, probe: Probe, now: Instant) {
        if probe.instance == self.instance {
            self.own_heard_at = Some(now);
            return;
        }
        if probe.node == self.node {
            if self.namesake.replace(probe.instance) != Some(probe.instance) {
                warn!(node.id = %self.node, "another process uses the node id {}: give each its own server.node_id", self.node);
            }
            return;
        }
        if self.heard_at.len() >= PEERS_MAX && !self.heard_at.contains_key(&probe.node) {
            return;
        }
        if self.heard_at.insert(probe.node.clone(), now).is_none() {
            info!(node.id = %probe.node, version = %probe.version, "heard node {} for the first time", probe.node);
        }
    }

    /// What the probes say now.
    pub fn hearing(&self, now: Instant) -> Hearing {
        let Some(linked_at) = self.linked_at else { return Hearing::Deaf };
        let patience = self.timing.probe_patience();
        let fresh = |at: Instant| now.saturating_duration_since(at) <= patience;
        match self.own_heard_at {
            None if fresh(linked_at) => return Hearing::Waiting,
            None => return Hearing::Deaf,
            Some(at) if !fresh(at) => return Hearing::Deaf,
            Some(_) => {}
        }
        let mut hearing = Hearing::Well;
        for (peer, since) in &self.expected_since {
            let heard_at = self.heard_at.get(peer).copied().filter(|at| *at >= linked_at);
            let peer_is_new = *since > linked_at;
            match heard_at {
                Some(at) if fresh(at) => {}
                None if peer_is_new && fresh(*since) => {}
                None if fresh(linked_at) => hearing = Hearing::Waiting,
                Some(_) | None => return Hearing::PeerMissing,
            }
        }
        hearing
    }

    /// Forms the state anew; answers it when it has changed. After trouble, hearing must be well for one interval before the bus is up again.
    pub fn review(&mut self, now: Instant) -> Option<BusState> {
        self.forget_the_gone(now);
        if let Some(at) = self.own_heard_at {
            metrics::bus_probe_age(now.saturating_duration_since(at).as_secs_f64());
        }
        if self.hearing(now) != Hearing::Well {
            self.well_since = None;
            self.unwell_since.get_or_insert(now);
            return self.change_to(BusState::Degraded);
        }
        self.unwell_since = None;
        let well_for = now.saturating_duration_since(*self.well_since.get_or_insert(now));
        if self.history == History::Fresh || well_for >= self.timing.probe_interval {
            return self.change_to(BusState::Up);
        }
        None
    }

    /// How long hearing has not been well on the present link.
    pub fn unwell_for(&self, now: Instant) -> Duration {
        self.unwell_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    fn change_to(&mut self, state: BusState) -> Option<BusState> {
        if state == self.state {
            return None;
        }
        if state == BusState::Up {
            self.history = History::WasUp;
        }
        self.state = state;
        Some(state)
    }

    fn forget_the_gone(&mut self, now: Instant) {
        let long_ago = self.timing.probe_patience() * 4;
        let expected = &self.expected_since;
        self.heard_at.retain(|peer, at| expected.contains_key(peer) || now.saturating_duration_since(*at) < long_ago);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const ME: Uuid = Uuid::from_u128(1);

    fn node(name: &str) -> NodeId {
        NodeId::parse(name).unwrap()
    }

    fn probe(name: &str, instance: Uuid) -> Probe {
        Probe { node: node(name), instance, version: "0.1.0".into() }
    }

    /// A watch that has heard itself just now, and the present moment.
    fn up() -> (Watch, Instant) {
        let (mut watch, now) = (Watch::new(node("me"), ME, BusTiming::default()), Instant::now());
        watch.linked(now);
        assert_eq!((watch.hearing(now), watch.review(now)), (Hearing::Waiting, None));
        watch.heard(probe("me", ME), now);
        assert_eq!(watch.review(now), Some(BusState::Up));
        (watch, now)
    }

    #[tokio::test(start_paused = true)]
    async fn one_missed_probe_is_forgiven_and_two_are_not() {
        let (mut watch, start) = up();
        assert_eq!(watch.review(start + SECOND * 2), None);
        assert_eq!(watch.review(start + SECOND * 3), Some(BusState::Degraded));
        assert_eq!(watch.hearing(start + SECOND * 3), Hearing::Deaf);
    }

    #[tokio::test(start_paused = true)]
    async fn after_trouble_the_bus_is_up_again_when_it_was_well_for_an_interval() {
        let (mut watch, start) = up();
        let late = start + SECOND * 3;
        assert_eq!(watch.review(late), Some(BusState::Degraded));
        watch.heard(probe("me", ME), late);
        assert_eq!(watch.review(late), None);
        assert_eq!(watch.review(late + SECOND), Some(BusState::Up));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_is_missed_from_when_it_is_expected_and_until_it_is_heard() {
        let (mut watch, start) = up();
        watch.expect(vec![node("me"), node("peer")], start + SECOND);
        let mut now = start + SECOND * 3;
        watch.heard(probe("me", ME), now);
        assert_eq!(watch.hearing(now), Hearing::Well);
        watch.expect(vec![node("peer"), node("me")], now);
        now += SECOND;
        assert_eq!(watch.hearing(now), Hearing::PeerMissing);
        assert_eq!(watch.review(now), Some(BusState::Degraded));
        assert_eq!(watch.unwell_for(now + SECOND), SECOND);
        watch.heard(probe("peer", Uuid::from_u128(2)), now);
        assert_eq!(watch.hearing(now), Hearing::Well);
    }

    #[tokio::test(start_paused = true)]
    async fn on_a_new_link_everybody_must_be_heard_anew() {
        let (mut watch, start) = up();
        watch.expect(vec![node("peer")], start);
        watch.heard(probe("peer", Uuid::from_u128(2)), start);
        assert_eq!(watch.hearing(start), Hearing::Well);
        assert_eq!(watch.unlinked(), Some(BusState::Degraded));
        assert_eq!(watch.hearing(start), Hearing::Deaf);
        let later = start + SECOND;
        watch.linked(later);
        watch.heard(probe("me", ME), later);
        assert_eq!(watch.hearing(later), Hearing::Waiting);
        watch.heard(probe("peer", Uuid::from_u128(2)), later);
        assert_eq!(watch.hearing(later), Hearing::Well);
    }

    #[tokio::test(start_paused = true)]
    async fn a_namesake_is_not_taken_for_oneself() {
        let (mut watch, start) = up();
        let late = start + SECOND * 3;
        watch.heard(probe("me", Uuid::from_u128(2)), late);
        assert_eq!(watch.hearing(late), Hearing::Deaf);
    }

    #[tokio::test(start_paused = true)]
    async fn made_up_nodes_do_not_fill_the_memory_for_ever() {
        let (mut watch, start) = up();
        for n in 0..5_000 {
            watch.heard(probe(&format!("n{n}"), Uuid::from_u128(n + 2)), start);
        }
        assert_eq!(watch.heard_at.len(), PEERS_MAX);
        watch.review(start + SECOND * 60);
        assert_eq!(watch.heard_at.len(), 0);
    }
}
