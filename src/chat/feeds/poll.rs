//! Asks the store again and again what has changed: what the bus loses is found here, at the latest.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::hub::Hub;
use crate::bus::BusState;
use crate::chat::retry::Backoff;
use crate::chat::sequencer::Input;
use crate::domain::Epoch;
use crate::store::{StoreError, Xid};

/// The longest time between two polls while the bus works; jitter takes up to half of it.
const PERIOD: Duration = Duration::from_millis(1_300);

/// The same while it does not.
const PERIOD_DEGRADED: Duration = Duration::from_millis(330);

/// However often somebody asks for a poll.
const PAUSE_MIN: Duration = Duration::from_millis(50);

const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Polls until the shutdown. `since` is a point before the first attach.
pub(super) async fn run(hub: Arc<Hub>, mut since: Xid) {
    let mut backoff = Backoff::new(hub.parts.seed, RETRY_FIRST, RETRY_MAX);
    let mut failing = false;
    loop {
        if failing {
            tokio::time::sleep(backoff.wait()).await;
        } else {
            let period = if hub.parts.bus.state() == BusState::Up { PERIOD } else { PERIOD_DEGRADED };
            let pause = tokio::time::sleep(backoff.around(period));
            tokio::time::sleep(PAUSE_MIN).await;
            tokio::select! {
                biased;
                () = hub.history.poll_soon.notified() => {}
                () = pause => {}
            }
        }
        match poll(&hub, &mut since).await {
            Ok(()) => {
                if failing {
                    info!("the store can be polled again");
                }
                failing = false;
                backoff.reset();
            }
            Err(error) => {
                if !failing {
                    warn!(%error, "the store cannot be polled");
                }
                failing = true;
            }
        }
    }
}

async fn poll(hub: &Arc<Hub>, since: &mut Xid) -> Result<(), StoreError> {
    let epoch = hub.history.epoch_now().await?;
    if epoch != hub.history.epoch() {
        *since = begin_history(hub, epoch).await?;
        return Ok(());
    }
    let changes = hub.history.read(|store| store.changes(Some(*since))).await?;
    for (feed, head) in &changes.heads {
        hub.give(feed, Input::Head(*head));
    }
    *since = changes.next;
    Ok(())
}

/// The store has been restored, or has lost commits: everybody starts anew.
async fn begin_history(hub: &Arc<Hub>, epoch: Epoch) -> Result<Xid, StoreError> {
    // Before anybody attaches in the new history: what is committed from here on is found by the next poll.
    let changes = hub.history.read_of(epoch, |store| store.changes(None)).await?;
    warn!(%epoch, "the store has another history: all sessions start anew");
    hub.history.begin(epoch);
    hub.start_anew();
    Ok(changes.next)
}
