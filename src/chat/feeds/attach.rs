//! What an attach is asked with and answered by.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::chat::sequencer::TicketId;
use crate::domain::{Epoch, Event, FeedId, Seq};

/// How much of one answer is left for events; shared by all attaches that one answer covers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Mutex<Left>>);

#[derive(Debug)]
struct Left {
    events: usize,
    bytes: usize,
    /// Nothing has been taken yet: the first event fits whatever its size, so that every answer gets further.
    untouched: bool,
}

impl Budget {
    /// Room for so many events, and so many bytes of them (as they cross the bus, about what they take in an ack).
    #[must_use]
    pub fn new(events_max: usize, bytes_max: usize) -> Self {
        Self(Arc::new(Mutex::new(Left { events: events_max, bytes: bytes_max, untouched: true })))
    }

    /// Sets room for up to `wanted` events aside, so that nobody reads more than fits; returns for how many.
    pub(crate) fn reserve(&self, wanted: usize) -> usize {
        let mut left = self.0.lock();
        let events = if left.bytes == 0 && !left.untouched { 0 } else { wanted.min(left.events) };
        left.events -= events;
        events
    }

    /// Gives back room for events that were set aside and not used.
    pub(crate) fn give_back(&self, events: usize) {
        self.0.lock().events += events;
    }

    /// Takes room for an event of this size; `false`, and no more of that size, when it does not fit.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let mut left = self.0.lock();
        let fits = left.untouched || bytes <= left.bytes;
        left.untouched = false;
        left.bytes = if fits { left.bytes.saturating_sub(bytes) } else { 0 };
        fits
    }
}

/// A wish to become a live reader of a feed.
#[derive(Debug, Clone)]
pub struct AttachAsk {
    /// Which feed.
    pub feed: FeedId,
    /// The last event that the session has; none: it starts at the head, without events.
    pub cursor: Option<Seq>,
    /// The history that the cursor is of, where the client says so.
    pub epoch: Option<Epoch>,
    /// What the answer has room for.
    pub budget: Budget,
}

/// Events (from, to] of a feed, for the answer to an attach.
#[derive(Debug, Clone, PartialEq)]
pub struct Backfill {
    /// The cursor it starts from.
    pub from: Seq,
    /// The seq of the last event, or `from` without events.
    pub to: Seq,
    /// The highest seq that was known when the feed was read; `to` when the backfill is complete.
    pub head: Seq,
    /// Every event of (from, to], in order. Shared by all who asked for the same.
    pub events: Vec<Arc<Event>>,
}

/// The right to go live with one attach. Events that follow the backfill are held for it; when it is dropped unused, they
/// wait until the session detaches or their bound is reached, so: use it as soon as the answer is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the session hears nothing before `Feeds::go_live`"]
pub struct Ticket {
    pub(super) feed: FeedId,
    pub(super) id: TicketId,
}

/// What an attach came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Attached {
    /// Write the backfill, then go live with the ticket: what follows `to` is held until then.
    Complete(Backfill, Ticket),
    /// Not attached: the budget did not suffice. Write the backfill and let the client ask again from its `to`.
    Incomplete(Backfill),
    /// Not attached: the cursor is above the head or of another history. The client starts anew from history.
    Reset {
        /// The head now.
        head: Seq,
    },
    /// Not attached: no such feed, or not (any more) this user's.
    NotFound,
    /// Not attached: the store did not answer in time, or the session ended meanwhile. Asking again is harmless.
    Unavailable,
}

/// What one session is attached to. Part of the session; only [`super::Feeds`] looks inside.
#[derive(Debug, Default)]
pub struct Attachments(Mutex<Listed>);

#[derive(Debug, Default)]
struct Listed {
    /// In order, each once. May hold feeds that the user has been removed from since.
    feeds: smallvec::SmallVec<[FeedId; 1]>,
    /// The session has ended: nothing attaches any more.
    closed: bool,
}

impl Attachments {
    /// Notes a feed; `false` when the session has ended, and nothing is noted.
    pub(super) fn note(&self, feed: &FeedId) -> bool {
        let mut listed = self.0.lock();
        if listed.closed {
            return false;
        }
        if let Err(at) = listed.feeds.binary_search(feed) {
            listed.feeds.insert(at, feed.clone());
        }
        true
    }

    /// Whether a feed is noted.
    pub(super) fn holds(&self, feed: &FeedId) -> bool {
        self.0.lock().feeds.binary_search(feed).is_ok()
    }

    /// Forgets a feed.
    pub(super) fn strike(&self, feed: &FeedId) {
        let mut listed = self.0.lock();
        if let Ok(at) = listed.feeds.binary_search(feed) {
            listed.feeds.remove(at);
        }
    }

    /// Closes the list for good and returns what was on it.
    pub(super) fn close(&self) -> smallvec::SmallVec<[FeedId; 1]> {
        let mut listed = self.0.lock();
        listed.closed = true;
        std::mem::take(&mut listed.feeds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UserId;

    #[test]
    fn the_first_event_fits_whatever_its_size_and_the_next_one_does_not() {
        let budget = Budget::new(3, 100);
        assert!(budget.take(1_000));
        assert!(!budget.take(1));
    }

    #[test]
    fn room_is_set_aside_once_and_can_be_given_back() {
        let budget = Budget::new(10, 100);
        let answer = budget.clone();
        assert_eq!(budget.reserve(7), 7);
        assert_eq!(answer.reserve(7), 3);
        budget.give_back(2);
        assert_eq!(answer.reserve(7), 2);
    }

    #[test]
    fn an_answer_without_bytes_left_sets_nothing_aside() {
        let budget = Budget::new(10, 100);
        assert!(budget.take(60));
        assert!(!budget.take(60));
        assert_eq!(budget.reserve(1), 0);
    }

    #[test]
    fn a_session_that_ended_notes_nothing_any_more() {
        let attachments = Attachments::default();
        let feed = FeedId::User(UserId::parse("ann").unwrap());
        assert!(attachments.note(&feed) && attachments.note(&feed));
        assert_eq!(attachments.close().as_slice(), std::slice::from_ref(&feed));
        assert!(!attachments.note(&feed));
        assert!(attachments.close().is_empty());
    }
}
