//! Reads attach points: what many attaches ask at the same time becomes one call of the store.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tracing::warn;

use super::hub::Hub;
use crate::chat::sequencer::{Input, TicketId};
use crate::domain::{FeedId, UserId};
use crate::store::StoreError;

/// How many asks one call carries.
const BATCH_MAX: usize = 500;

/// How many calls run at the same time; while they do, the next batch grows.
const CALLS_MAX: usize = 4;

/// How many asks may wait; beyond, an attach is answered `unavailable`.
const WAITING_MAX: usize = 16_384;

/// Where may this user read this feed?
pub(super) struct PointAsk {
    pub feed: FeedId,
    pub user: UserId,
    pub ticket: TicketId,
}

/// The way to the reader of attach points.
pub(super) struct Points(mpsc::Sender<PointAsk>);

impl Points {
    /// The way, and its end for [`run`].
    pub fn new() -> (Self, mpsc::Receiver<PointAsk>) {
        let (tx, rx) = mpsc::channel(WAITING_MAX);
        (Self(tx), rx)
    }

    /// Queues an ask; hands it back when too many wait.
    pub fn ask(&self, ask: PointAsk) -> Result<(), PointAsk> {
        self.0.try_send(ask).map_err(|error| match error {
            mpsc::error::TrySendError::Full(ask) | mpsc::error::TrySendError::Closed(ask) => ask,
        })
    }
}

/// Reads what is asked, until the shutdown.
pub(super) async fn run(hub: Arc<Hub>, mut rx: mpsc::Receiver<PointAsk>) {
    let calls = Arc::new(Semaphore::new(CALLS_MAX));
    loop {
        let Ok(call) = Arc::clone(&calls).acquire_owned().await else { return };
        let mut asks = Vec::new();
        if rx.recv_many(&mut asks, BATCH_MAX).await == 0 {
            return;
        }
        let (reading, shutdown) = (Arc::clone(&hub), hub.parts.shutdown.clone());
        hub.parts.tracker.spawn(async move {
            shutdown.run_until_cancelled(read(&reading, asks)).await;
            drop(call);
        });
    }
}

async fn read(hub: &Arc<Hub>, asks: Vec<PointAsk>) {
    let pairs: Vec<_> = asks.iter().map(|ask| (ask.feed.clone(), ask.user.clone())).collect();
    let answer = hub.history.read(|store| store.attach_points(&pairs)).await;
    let points = answer.and_then(|points| {
        let fits = points.len() == asks.len();
        if fits { Ok(points) } else { Err(StoreError::Defect("attach points do not fit the asks".to_owned())) }
    });
    match points {
        Ok(points) => {
            for (ask, point) in asks.into_iter().zip(points) {
                hub.give(&ask.feed, Input::Point(ask.ticket, point.map(|point| point.head)));
            }
        }
        Err(error) => {
            warn!(%error, asks = asks.len(), "attach points could not be read");
            for ask in asks {
                hub.give(&ask.feed, Input::PointFailed(ask.ticket));
            }
        }
    }
}
