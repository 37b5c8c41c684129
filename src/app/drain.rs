//! The end of a node, in order: nothing that was taken is dropped, and nobody is sent away before there is need.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::assemble::{Background, Node};

/// Sessions that are closed in a second where there are too few to need the whole drain time: other nodes take them in easily.
const CLOSES_PER_S_MIN: u32 = 50;
/// Between the last thing read from a client and its close: for the answers to what it asked.
const SETTLE: Duration = Duration::from_millis(300);
/// For commands under way to be answered, once nothing more is read.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// For what is queued for the last clients.
const LAST_FLUSH_WITHIN: Duration = Duration::from_secs(3);
/// For store and bus to say goodbye.
const GOODBYE_WITHIN: Duration = Duration::from_secs(2);

/// How long the steps may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct DrainTimes {
    /// Over how long the closing of sessions is spread at most.
    pub spread_max: Duration,
    /// When everything must be over.
    pub deadline: Instant,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drained {
    /// Everything that was taken is resolved.
    Orderly,
    /// The deadline came first: so many writes were answered `unavailable`.
    Late { unwritten_count: usize },
}

/// Ends the node. `listening` is cancelled when no client is left that could still need the listener: long-polling clients come for their last
/// answers by new requests.
pub(super) async fn drain(node: Node, times: DrainTimes, listening: &CancellationToken) -> Drained {
    let Node { ground, chat, doors, sessions, upkeep } = node;
    let connections_count = doors.transport.open_connections();
    let spread = spread(connections_count, times.spread_max);
    info!(connections_count, ?spread, "draining {connections_count} connections");
    doors.transport.stop_opening();
    doors.gateway.announce_drain(u64::try_from(spread.as_millis()).unwrap_or(u64::MAX));
    within(times.deadline, "closing connections", doors.transport.close_all(spread, SETTLE)).await;
    doors.transport.stop_reading();
    end(&sessions, times.deadline.min(Instant::now() + ANSWERS_WITHIN), "commands under way").await;
    listening.cancel();
    if !doors.transport.finish(LAST_FLUSH_WITHIN).await {
        warn!("some connections were cut before they had taken everything");
    }
    let finished = chat.finish(times.deadline).await;
    // Off the list before the bus falls silent: peers would take the silence of a listed node for a fault.
    end(&upkeep, Instant::now() + GOODBYE_WITHIN, "feeds and heartbeats").await;
    let goodbye = async {
        ground.roster.leave().await;
        ground.bus.close().await;
        ground.store.close().await;
    };
    within(Instant::now() + GOODBYE_WITHIN, "store and bus", goodbye).await;
    match finished.unwritten_count {
        0 => Drained::Orderly,
        unwritten_count => Drained::Late { unwritten_count },
    }
}

/// Few sessions are closed quickly; many take the whole time.
fn spread(connections_count: usize, max: Duration) -> Duration {
    let count = u32::try_from(connections_count).unwrap_or(u32::MAX);
    (Duration::from_secs(1) / CLOSES_PER_S_MIN).saturating_mul(count).min(max)
}

async fn end(background: &Background, deadline: Instant, what: &str) {
    background.shutdown.cancel();
    background.tracker.close();
    within(deadline, what, background.tracker.wait()).await;
}

async fn within(deadline: Instant, what: &str, step: impl Future<Output = ()>) {
    if timeout_at(deadline, step).await.is_err() {
        warn!("{what} took too long and were left behind");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_sessions_are_closed_quickly_and_many_take_the_whole_time() {
        let max = Duration::from_secs(5);
        assert_eq!(spread(0, max), Duration::ZERO);
        assert_eq!(spread(3, max), Duration::from_millis(60));
        assert_eq!(spread(250, max), max);
        assert_eq!(spread(50_000, max), max);
    }
}
