//! One reader's place at a feed, from joining to leaving.

use std::sync::Arc;

use super::{Effect, Effects, Refusal, SharedEvent, TicketId};
use crate::chat::Reader;
use crate::domain::{Seq, UserId};

/// How many events wait for a reader whose backfill is not written; beyond, it has lost track and comes back with its cursor.
pub const HELD_BY_READER_MAX: usize = 1_024;

/// A reader and how far its attach has come.
pub(super) struct Seat {
    pub reader: Arc<dyn Reader>,
    pub ticket: TicketId,
    pub stage: Stage,
}

/// How far an attach has come.
pub(super) enum Stage {
    /// Its attach point is being read. One below `stale_below` was read before something that concerns the reader.
    Asking { stale_below: Seq },
    /// It may read, as of this head, which the feed has not come to yet.
    Behind { point: Seq },
    /// Its backfill is on the way; holds what comes after it.
    Holding(Vec<SharedEvent>),
    /// As before, and the last one held is the removal of its user.
    Leaving(Vec<SharedEvent>),
    /// Hears every event at once.
    Live,
}

/// Whether a seat stays after an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stays {
    Yes,
    No,
}

/// An event as seats hear it.
pub(super) struct Heard<'a> {
    pub event: &'a SharedEvent,
    pub seq: Seq,
    /// The user that it removes, if it does.
    pub removed: Option<&'a UserId>,
}

impl Seat {
    pub fn new(ticket: TicketId, reader: Arc<dyn Reader>) -> Self {
        Self { reader, ticket, stage: Stage::Asking { stale_below: Seq::ZERO } }
    }

    /// Whether the next event must not be skipped: this reader's place, or its membership, depends on seeing it.
    pub const fn needs_every_event(&self) -> bool {
        match self.stage {
            Stage::Asking { .. } => false,
            Stage::Behind { .. } | Stage::Holding(_) | Stage::Leaving(_) | Stage::Live => true,
        }
    }

    /// The next event of the feed.
    pub fn hear(&mut self, heard: &Heard<'_>, effects: &mut Effects) -> Stays {
        let gone = heard.removed.is_some_and(|user| user == self.reader.user());
        match &mut self.stage {
            Stage::Live => {
                self.reader.event(heard.event);
                return if gone { Stays::No } else { Stays::Yes };
            }
            Stage::Holding(held) if held.len() == HELD_BY_READER_MAX => {
                self.reader.lost_track();
                return Stays::No;
            }
            Stage::Holding(held) => {
                held.push(Arc::clone(heard.event));
                if gone {
                    self.stage = Stage::Leaving(std::mem::take(held));
                }
            }
            // A point read before the removal says "member": only a later one counts.
            Stage::Asking { stale_below } if gone => *stale_below = heard.seq,
            // A removal up to the point is undone in the point's snapshot: the user has been added again.
            Stage::Behind { point } if *point <= heard.seq => {
                self.stage = Stage::Holding(Vec::new());
                effects.push(Effect::Position(self.ticket, heard.seq));
            }
            Stage::Asking { .. } | Stage::Behind { .. } | Stage::Leaving(_) => {}
        }
        Stays::Yes
    }

    /// Its backfill is written: hands over what was held.
    pub fn go_live(&mut self) -> Stays {
        let (held, stays) = match &mut self.stage {
            Stage::Holding(held) => (std::mem::take(held), Stays::Yes),
            Stage::Leaving(held) => (std::mem::take(held), Stays::No),
            Stage::Asking { .. } | Stage::Behind { .. } | Stage::Live => return Stays::Yes,
        };
        held.iter().for_each(|event| self.reader.event(event));
        self.stage = Stage::Live;
        stays
    }

    /// Tells the attach that it came to nothing, if somebody still waits for its place.
    pub fn dismiss(&self, effects: &mut Effects) {
        match self.stage {
            Stage::Asking { .. } | Stage::Behind { .. } => {
                effects.push(Effect::Refuse(self.ticket, Refusal::Unavailable));
            }
            Stage::Holding(_) | Stage::Leaving(_) | Stage::Live => {}
        }
    }
}
