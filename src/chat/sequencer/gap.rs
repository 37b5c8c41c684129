//! What is known beyond `next`, and how the hole before it is closed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Moment, ReadId, SharedEvent};
use crate::domain::Seq;

/// How long a hole may close by itself: events of several publishers overtake each other by a few milliseconds.
pub const HOLD: Duration = Duration::from_millis(10);

/// How many events are held beyond a hole; of more, only the highest seq is kept, and the repair reads them.
pub const HELD_BY_FEED_MAX: usize = 1_024;

/// How many events one repair read asks for.
pub const REPAIR_PAGE: u32 = 256;

const BACK_OFF_FIRST: Duration = Duration::from_millis(50);
const BACK_OFF_MAX: Duration = Duration::from_secs(2);

/// Rare: most feeds are at their head most of the time.
#[derive(Default)]
pub(super) struct Gap {
    held: BTreeMap<Seq, SharedEvent>,
    /// The highest seq said to be committed.
    head: Seq,
    pub phase: Phase,
    /// Reads that failed in a row.
    failures: u32,
    /// The read before this one brought nothing new.
    pub fruitless: bool,
}

/// What is being done about the hole.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing yet.
    #[default]
    Noticed,
    /// It may close by itself, or the store may recover, until then.
    Waiting(Moment),
    /// The store is being asked.
    Reading(ReadId),
}

impl Gap {
    /// Keeps an event for later; `false` when it is there already.
    pub fn hold(&mut self, event: SharedEvent) -> bool {
        let seq = event.what().seq;
        self.hint(seq);
        if self.held.len() < HELD_BY_FEED_MAX { self.held.insert(seq, event).is_none() } else { true }
    }

    /// The feed reaches at least so far.
    pub fn hint(&mut self, head: Seq) {
        self.head = self.head.max(head);
    }

    /// The event at `next`, if it is held; what lies below is dropped.
    pub fn take(&mut self, next: Seq) -> Option<SharedEvent> {
        while let Some(first) = self.held.first_entry() {
            if *first.key() > next {
                return None;
            }
            let event = first.remove();
            if event.what().seq == next {
                return Some(event);
            }
        }
        None
    }

    /// Whether something from `next` on is known to be there.
    pub fn is_open(&self, next: Seq) -> bool {
        self.head >= next
    }

    /// A read has failed: the moment to try again.
    pub fn back_off(&mut self, now: Moment) -> Moment {
        let pause = BACK_OFF_FIRST.saturating_mul(1 << self.failures.min(6)).min(BACK_OFF_MAX);
        self.failures = self.failures.saturating_add(1);
        now + pause
    }

    /// A read has succeeded.
    pub fn recovered(&mut self) {
        self.failures = 0;
    }

    /// Believes the store instead of what was said to be committed.
    pub fn forget_beyond(&mut self, head: Seq) {
        self.held.clear();
        self.head = head;
    }
}
