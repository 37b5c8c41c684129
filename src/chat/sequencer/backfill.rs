//! Gathers the events between a cursor and the place where an attach goes live; decides what to read, and leaves the reading to others.

use std::sync::Arc;

use crate::chat::{AttachAsk, Backfill, Budget};
use crate::domain::{Epoch, Event, Seq};

/// How many events one read for a backfill asks for at most.
pub const BACKFILL_PAGE: usize = 256;

/// What an event takes in an ack beside its body.
const FRAME_BYTES: usize = 96;

/// An event, and about how many bytes it takes in an ack.
#[derive(Debug, Clone)]
pub struct Weighed {
    /// The event; shared by all whose backfills hold it.
    pub event: Arc<Event>,
    /// Its size.
    pub bytes: usize,
}

impl Weighed {
    /// Weighs an event by what it takes on the bus.
    #[must_use]
    pub fn new(event: Event) -> Self {
        let body_bytes = event.fact.to_parts().map_or(0, |(_, _, body)| body.get().len());
        Self { event: Arc::new(event), bytes: body_bytes + FRAME_BYTES }
    }
}

/// A backfill that is being gathered.
#[derive(Debug)]
pub struct Filling {
    from: Seq,
    /// Where it ends when it is complete.
    upto: Seq,
    budget: Budget,
    /// Room of the budget that is set aside and not used yet.
    reserved: usize,
    events: Vec<Arc<Event>>,
}

impl Filling {
    /// Of an attach that goes live behind `to`, in the history of this node. None: the cursor is beyond, or of another history, and the client starts anew.
    #[must_use]
    pub fn begin(ask: &AttachAsk, here: Epoch, to: Seq) -> Option<Self> {
        let Some(cursor) = ask.cursor else { return Some(Self::new(to, to, ask.budget.clone())) };
        let of_this_history = ask.epoch.is_none_or(|epoch| epoch == here);
        (of_this_history && cursor <= to).then(|| Self::new(cursor, to, ask.budget.clone()))
    }

    /// Of the events (from, upto]; `from ≤ upto`.
    fn new(from: Seq, upto: Seq, budget: Budget) -> Self {
        let wanted = usize::try_from(upto.0 - from.0).unwrap_or(usize::MAX);
        let reserved = budget.reserve(wanted);
        Self { from, upto, budget, reserved, events: Vec::new() }
    }

    /// What to read next: after which event, and how many at most. None: it is as far as it gets.
    #[must_use]
    pub fn wants(&self) -> Option<(Seq, usize)> {
        (self.reserved > 0).then(|| (self.to(), self.reserved.min(BACKFILL_PAGE)))
    }

    /// Takes what was read: consecutive events from behind the last one on; more than wanted is harmless. `false`: there was nothing in it that helps.
    pub fn take(&mut self, page: &[Weighed]) -> bool {
        let next = self.to().next();
        let useful = page.iter().skip_while(|weighed| weighed.event.seq < next);
        let before = self.reserved;
        for (weighed, seq) in useful.zip(next.0..) {
            if self.reserved == 0 || weighed.event.seq != Seq(seq) {
                break;
            }
            if !self.budget.take(weighed.bytes) {
                self.budget.give_back(self.reserved);
                self.reserved = 0;
                break;
            }
            self.reserved -= 1;
            self.events.push(Arc::clone(&weighed.event));
        }
        self.reserved < before
    }

    /// The backfill, and whether it is complete.
    #[must_use]
    pub fn finish(mut self) -> (Backfill, Completeness) {
        let (from, to, head) = (self.from, self.to(), self.upto);
        let completeness = if to == self.upto { Completeness::Complete } else { Completeness::Incomplete };
        (Backfill { from, to, head, events: std::mem::take(&mut self.events) }, completeness)
    }

    fn to(&self) -> Seq {
        Seq(self.from.0 + self.events.len() as u64)
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.budget.give_back(self.reserved);
    }
}

/// Whether a backfill reaches the place where its attach goes live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// It does.
    Complete,
    /// The budget ended before.
    Incomplete,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Fact, FeedId, Timestamp, UserId};

    fn events(seqs: std::ops::RangeInclusive<u64>) -> Vec<Weighed> {
        let user = UserId::parse("ann").unwrap();
        let event = |seq| Event {
            feed: FeedId::User(user.clone()),
            seq: Seq(seq),
            at: Timestamp::from_unix_ms(0),
            actor: None,
            origin: None,
            fact: Fact::MemberRemoved { user: user.clone(), by: None },
        };
        seqs.map(|seq| Weighed { event: Arc::new(event(seq)), bytes: 100 }).collect()
    }

    fn seqs(backfill: &Backfill) -> Vec<u64> {
        backfill.events.iter().map(|event| event.seq.0).collect()
    }

    #[test]
    fn a_backfill_holds_every_event_up_to_its_place_and_none_beyond() {
        let mut filling = Filling::new(Seq(2), Seq(7), Budget::new(100, 10_000));
        assert_eq!(filling.wants(), Some((Seq(2), 5)));
        assert!(filling.take(&events(3..=4)));
        assert_eq!(filling.wants(), Some((Seq(4), 3)));
        assert!(filling.take(&events(1..=9)));
        assert_eq!(filling.wants(), None);
        let (backfill, completeness) = filling.finish();
        assert_eq!((seqs(&backfill), completeness), (vec![3, 4, 5, 6, 7], Completeness::Complete));
    }

    #[test]
    fn a_page_with_a_hole_counts_only_before_the_hole() {
        let mut filling = Filling::new(Seq(0), Seq(4), Budget::new(100, 10_000));
        assert!(!filling.take(&events(2..=4)));
        assert!(filling.take(&[events(1..=1), events(3..=4)].concat()));
        assert_eq!(filling.wants(), Some((Seq(1), 3)));
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_its_room_is_given_back() {
        let budget = Budget::new(10, 250);
        let mut filling = Filling::new(Seq(0), Seq(5), budget.clone());
        assert!(filling.take(&events(1..=5)));
        let (backfill, completeness) = filling.finish();
        assert_eq!((seqs(&backfill), backfill.to, backfill.head), (vec![1, 2], Seq(2), Seq(5)));
        assert_eq!(completeness, Completeness::Incomplete);
        let none_left = Filling::new(Seq(0), Seq(5), budget);
        assert_eq!(none_left.wants(), None);
    }

    #[test]
    fn a_cursor_of_another_history_or_from_the_future_starts_anew() {
        let [here, elsewhere] = [1, 2].map(|n| Epoch::from_uuid(uuid::Uuid::from_u128(n)));
        let begun = |cursor, epoch| {
            let feed = FeedId::User(UserId::parse("ann").unwrap());
            let ask = AttachAsk { feed, cursor, epoch, budget: Budget::new(10, 1_000) };
            Filling::begin(&ask, here, Seq(5)).map(|filling| filling.from)
        };
        assert_eq!(begun(Some(Seq(5)), Some(here)), Some(Seq(5)));
        assert_eq!(begun(Some(Seq(2)), None), Some(Seq(2)));
        assert_eq!(begun(Some(Seq(6)), Some(here)), None);
        assert_eq!(begun(Some(Seq(2)), Some(elsewhere)), None);
        assert_eq!(begun(None, Some(elsewhere)), Some(Seq(5)));
    }

    #[test]
    fn a_cursor_at_the_place_needs_no_read() {
        let filling = Filling::new(Seq(5), Seq(5), Budget::new(0, 0));
        assert_eq!(filling.wants(), None);
        assert_eq!(filling.finish().1, Completeness::Complete);
    }
}
