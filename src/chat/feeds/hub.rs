//! The map of all feeds of a node: gives each sequencer its inputs and sees to its effects.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use parking_lot::Mutex;
use smallvec::smallvec;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::feed::{Feed, Given, Inputs, Retired};
use super::history::History;
use super::pages::Pages;
use super::points::{PointAsk, Points};
use super::{FeedsParts, heads::Heads};
use crate::bus::Topic;
use crate::chat::Reader;
use crate::chat::sequencer::{Count, Effect, Effects, Input, Moment, ReadId, Refusal, TicketId};
use crate::domain::{FeedId, Seq, Timestamp};
use crate::telemetry::metrics;

/// What an attach that waits for its place is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its backfill ends here.
    Position(Seq),
    /// It came to nothing.
    Refused(Refusal),
}

/// Everything the feeds of a node share.
pub(super) struct Hub {
    pub parts: FeedsParts,
    pub history: History,
    pub heads: Heads,
    pub points: Points,
    pub pages: Pages,
    feeds: DashMap<FeedId, Arc<Feed>, foldhash::fast::RandomState>,
    /// Attaches that wait for their place.
    waiting: Mutex<HashMap<TicketId, oneshot::Sender<Verdict>, foldhash::fast::RandomState>>,
    tickets: AtomicU64,
    started: Instant,
}

impl Hub {
    pub fn new(parts: FeedsParts, history: History, points: Points) -> Self {
        Self {
            parts,
            history,
            points,
            heads: Heads::default(),
            pages: Pages::default(),
            feeds: DashMap::default(),
            waiting: Mutex::default(),
            tickets: AtomicU64::new(0),
            started: Instant::now(),
        }
    }

    /// The feed, if somebody here reads it.
    pub fn held(&self, feed: &FeedId) -> Option<Arc<Feed>> {
        self.feeds.get(feed).map(|found| Arc::clone(found.value()))
    }

    /// The names of all feeds that somebody here reads.
    pub fn all_held(&self) -> Vec<FeedId> {
        self.feeds.iter().map(|entry| entry.key().clone()).collect()
    }

    /// Seats a reader; the receiver hears what becomes of it.
    pub fn join(self: &Arc<Self>, feed: &FeedId, reader: &Arc<dyn Reader>) -> (TicketId, oneshot::Receiver<Verdict>) {
        let ticket = TicketId(self.tickets.fetch_add(1, Ordering::Relaxed));
        let (tx, rx) = oneshot::channel();
        self.waiting.lock().insert(ticket, tx);
        let mut inputs: Inputs = smallvec![Input::Join(ticket, Arc::clone(reader))];
        // Ends: a feed that was retired meanwhile is no longer in the map.
        while let Err(back) = self.give_to(&self.hold(feed), inputs) {
            inputs = back;
        }
        (ticket, rx)
    }

    /// An attach that nobody waits for any more.
    pub fn leave(self: &Arc<Self>, feed: &FeedId, ticket: TicketId) {
        self.waiting.lock().remove(&ticket);
        self.give(feed, Input::Leave(ticket));
    }

    /// Gives a feed one input; what nobody reads needs none.
    pub fn give(self: &Arc<Self>, feed: &FeedId, input: Input) {
        self.give_all(feed, smallvec![input]);
    }

    /// Gives a feed inputs under one lock, in order.
    pub fn give_all(self: &Arc<Self>, feed: &FeedId, inputs: Inputs) {
        if let Some(feed) = self.held(feed) {
            // A feed that has just been retired has no reader; one that joins its successor is told by its attach point.
            self.give_to(&feed, inputs).ok();
        }
    }

    /// The store's history is another one: every reader loses track and comes back.
    pub fn start_anew(self: &Arc<Self>) {
        for feed in self.all_held() {
            self.give(&feed, Input::EpochChanged);
        }
    }

    fn now(&self) -> Moment {
        Moment::after_start(self.started.elapsed())
    }

    fn hold(&self, feed: &FeedId) -> Arc<Feed> {
        match self.feeds.entry(feed.clone()) {
            Entry::Occupied(entry) => Arc::clone(entry.get()),
            Entry::Vacant(entry) => {
                // Under the lock of the map, as below: the bus hears both in the order in which they happen.
                self.parts.bus.subscribe(&Topic::from(feed));
                metrics::feed_held();
                Arc::clone(&entry.insert(Arc::new(Feed::new(feed.clone()))))
            }
        }
    }

    fn retire(&self, feed: &FeedId) {
        if let Entry::Occupied(entry) = self.feeds.entry(feed.clone())
            && entry.get().retire() == Retired::Yes
        {
            self.parts.bus.unsubscribe(&Topic::from(feed));
            metrics::feed_released();
            entry.remove();
        }
    }

    fn give_to(self: &Arc<Self>, feed: &Arc<Feed>, inputs: Inputs) -> Result<(), Inputs> {
        match feed.give(self.now(), inputs) {
            Given::Done(effects) => self.perform(feed, effects),
            Given::Idle(effects) => {
                self.perform(feed, effects);
                self.retire(&feed.id);
            }
            Given::Retired(inputs) => return Err(inputs),
        }
        Ok(())
    }

    fn perform(self: &Arc<Self>, feed: &Arc<Feed>, effects: Effects) {
        for effect in effects {
            match effect {
                Effect::ReadPoint(ticket, user) => self.ask_point(PointAsk { feed: feed.id.clone(), user, ticket }),
                Effect::Position(ticket, to) => self.tell(ticket, Verdict::Position(to)),
                Effect::Refuse(ticket, why) => self.tell(ticket, Verdict::Refused(why)),
                Effect::Read(read, after) => self.repair(feed, read, after),
                Effect::WakeAt(moment) => self.wake_at(feed, moment),
                Effect::Visible(at) => self.measure(at),
                Effect::Count(count) => tally(count),
            }
        }
    }

    fn ask_point(self: &Arc<Self>, ask: PointAsk) {
        if let Err(ask) = self.points.ask(ask) {
            self.give(&ask.feed, Input::PointFailed(ask.ticket));
        }
    }

    fn tell(&self, ticket: TicketId, verdict: Verdict) {
        if let Some(waiting) = self.waiting.lock().remove(&ticket) {
            // Nobody listens: the attach has been given up, and its guard leaves the seat.
            waiting.send(verdict).ok();
        }
    }

    fn repair(self: &Arc<Self>, feed: &Arc<Feed>, read: ReadId, after: Seq) {
        let (hub, id) = (Arc::clone(self), feed.id.clone());
        self.spawn(async move {
            let page = hub.pages.repair(&hub.history, &id, after).await;
            hub.give(&id, page.map_or(Input::ReadFailed(read), |page| Input::Page(read, page)));
        });
    }

    fn wake_at(self: &Arc<Self>, feed: &Arc<Feed>, moment: Moment) {
        let (hub, id, at) = (Arc::clone(self), feed.id.clone(), self.started + moment.since_start());
        self.spawn(async move {
            tokio::time::sleep_until(at).await;
            hub.give(&id, Input::Tick);
        });
    }

    /// Starts work that ends with the node.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let shutdown = self.parts.shutdown.clone();
        self.parts.tracker.spawn(async move { shutdown.run_until_cancelled(work).await });
    }

    fn measure(&self, at: Timestamp) {
        let passed_ms = self.parts.clock.now().unix_ms() - at.unix_ms();
        metrics::event_visible(u64::try_from(passed_ms).unwrap_or(0));
    }
}

fn tally(count: Count) {
    match count {
        Count::GapDetected => metrics::gap_detected(),
        Count::Repaired(events) => metrics::events_repaired(events),
        Count::DuplicateDropped => metrics::duplicate_dropped(),
        Count::Unfounded => metrics::news_unfounded(),
    }
}
