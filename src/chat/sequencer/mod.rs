//! Decides what the sessions of a node see of one feed: a state machine without I/O, clock and inputs passed in.
//!
//! Events come from three sources (own commits, the bus, repair reads), in any order, doubled and late; each reader hears them once, in order,
//! without a hole from its place on. `next` moves only by delivering, except when nobody has a place yet.

mod backfill;
mod flaw;
mod gap;
mod io;
mod moment;
mod seat;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use smallvec::SmallVec;

pub use backfill::{BACKFILL_PAGE, Completeness, Filling, Weighed};
pub use flaw::Flaw;
pub use gap::{HELD_BY_FEED_MAX, HOLD, REPAIR_PAGE};
pub use io::{Count, Effect, Effects, Input, ReadId, Refusal, SharedEvent, TicketId};
pub use moment::Moment;
pub use seat::HELD_BY_READER_MAX;

use super::{EncodedOnce, Reader};
use crate::domain::{Fact, Seq, SessionId};
use crate::store::EventPage;
use gap::{Gap, Phase};
use seat::{Heard, Seat, Stage, Stays};

/// One feed on one node.
#[derive(Default)]
pub struct Sequencer {
    /// The seq that comes next; none until the first attach point is known.
    next: Option<Seq>,
    seats: SmallVec<[Seat; 1]>,
    /// Boxed: a feed at its head has none.
    gap: Option<Box<Gap>>,
    reads_count: u32,
    #[cfg(feature = "failpoints")]
    flaw: Option<Flaw>,
}

impl Sequencer {
    /// One that does something wrong, for tests of the tests.
    #[cfg(feature = "failpoints")]
    #[must_use]
    pub fn flawed(flaw: Flaw) -> Self {
        Self { flaw: Some(flaw), ..Self::default() }
    }

    /// Whether nobody reads or wants to read the feed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.seats.is_empty()
    }

    /// Whether this attach still has its seat: not replaced, detached or sent away.
    #[must_use]
    pub fn is_seated(&self, ticket: TicketId) -> bool {
        self.seats.iter().any(|seat| seat.ticket == ticket)
    }

    /// Those who hear events at once, and signals.
    pub fn live_readers(&self) -> impl Iterator<Item = &dyn Reader> {
        self.seats.iter().filter(|seat| matches!(seat.stage, Stage::Live)).map(|seat| &*seat.reader)
    }

    /// Takes in what happens. Readers are called from in here; the rest is for the caller to do.
    pub fn handle(&mut self, now: Moment, input: Input) -> Effects {
        let mut effects = Effects::new();
        match input {
            Input::Event(event) => self.offer(event, &mut effects),
            Input::Head(head) => self.hint(head),
            Input::Join(ticket, reader) => self.join(ticket, reader, &mut effects),
            Input::Point(ticket, Some(head)) => self.point(ticket, head, &mut effects),
            Input::Point(ticket, None) => self.refuse(ticket, Refusal::NotFound, &mut effects),
            Input::PointFailed(ticket) => self.refuse(ticket, Refusal::Unavailable, &mut effects),
            Input::GoLive(ticket) => self.go_live(ticket),
            Input::Leave(ticket) => self.seats.retain(|seat| seat.ticket != ticket),
            Input::Detach(session) => self.detach(session, &mut effects),
            Input::Page(read, page) => self.page(now, read, page, &mut effects),
            Input::ReadFailed(read) => self.read_failed(now, read, &mut effects),
            Input::Tick => self.tick(now, &mut effects),
            Input::EpochChanged => self.start_anew(&mut effects),
        }
        self.watch_gap(now, &mut effects);
        effects
    }

    fn has(&self, flaw: Flaw) -> bool {
        #[cfg(feature = "failpoints")]
        return self.flaw == Some(flaw);
        #[cfg(not(feature = "failpoints"))]
        {
            let _ = flaw;
            false
        }
    }

    fn offer(&mut self, event: SharedEvent, effects: &mut Effects) {
        let seq = event.what().seq;
        match self.next {
            Some(next) if seq == next => self.deliver(&event, effects),
            Some(next) if seq < next && !self.has(Flaw::NoDedupe) => {
                effects.push(Effect::Count(Count::DuplicateDropped));
            }
            Some(next) if seq < next || self.has(Flaw::NoHold) => self.deliver(&event, effects),
            Some(_) | None => {
                if !self.gap.get_or_insert_default().hold(event) {
                    effects.push(Effect::Count(Count::DuplicateDropped));
                }
            }
        }
    }

    fn hint(&mut self, head: Seq) {
        // Also while cold: the attach points under way may be older than what is said here.
        if self.next.is_none_or(|next| head >= next) && !(self.next.is_none() && self.has(Flaw::DeafWhileCold)) {
            self.gap.get_or_insert_default().hint(head);
        }
    }

    fn deliver(&mut self, event: &SharedEvent, effects: &mut Effects) {
        let what = event.what();
        let removed = if let Fact::MemberRemoved { user, .. } = &what.fact { Some(user) } else { None };
        let removed = removed.filter(|_| !self.has(Flaw::RemovedKept));
        let heard = Heard { event, seq: what.seq, removed };
        if self.seats.iter().any(|seat| matches!(seat.stage, Stage::Live)) {
            effects.push(Effect::Visible(what.at));
        }
        self.seats.retain(|seat| seat.hear(&heard, effects) == Stays::Yes);
        self.next = Some(what.seq.next());
    }

    fn join(&mut self, ticket: TicketId, reader: Arc<dyn Reader>, effects: &mut Effects) {
        self.detach(reader.session(), effects);
        effects.push(Effect::ReadPoint(ticket, reader.user().clone()));
        self.seats.push(Seat::new(ticket, reader));
    }

    fn point(&mut self, ticket: TicketId, head: Seq, effects: &mut Effects) {
        let Some(seat) = self.seats.iter().find(|seat| seat.ticket == ticket) else { return };
        let Stage::Asking { stale_below } = seat.stage else { return };
        if head < stale_below && !self.has(Flaw::StalePoint) {
            effects.push(Effect::ReadPoint(ticket, seat.reader.user().clone()));
            return;
        }
        if self.next.is_some_and(|next| head < next || self.has(Flaw::NoCatchUp)) {
            self.place(ticket, effects);
        } else if self.seats.iter().any(Seat::needs_every_event) {
            self.seats.iter_mut().filter(|seat| seat.ticket == ticket).for_each(|seat| {
                seat.stage = Stage::Behind { point: head };
            });
            self.hint(head);
        } else {
            self.jump(head);
            self.place(ticket, effects);
        }
    }

    /// Nobody has a place: the feed may begin behind this head. Attach points that are older have not seen what was skipped.
    fn jump(&mut self, head: Seq) {
        self.next = Some(head.next());
        for seat in &mut self.seats {
            if let Stage::Asking { stale_below } = &mut seat.stage {
                *stale_below = head.max(*stale_below);
            }
        }
    }

    fn place(&mut self, ticket: TicketId, effects: &mut Effects) {
        let Some(next) = self.next else { return };
        let too_early = self.has(Flaw::LiveWhileJoining);
        for seat in self.seats.iter_mut().filter(|seat| seat.ticket == ticket) {
            seat.stage = if too_early { Stage::Live } else { Stage::Holding(Vec::new()) };
            effects.push(Effect::Position(ticket, next.previous()));
        }
    }

    fn go_live(&mut self, ticket: TicketId) {
        let (forget, keep) = (self.has(Flaw::HeldForgotten), self.has(Flaw::LeavingKept));
        self.seats.retain(|seat| {
            if forget && let Stage::Holding(held) = &mut seat.stage {
                held.clear();
            }
            seat.ticket != ticket || seat.go_live() == Stays::Yes || keep
        });
    }

    fn refuse(&mut self, ticket: TicketId, why: Refusal, effects: &mut Effects) {
        self.seats.retain(|seat| {
            let refused = seat.ticket == ticket && matches!(seat.stage, Stage::Asking { .. });
            if refused {
                effects.push(Effect::Refuse(ticket, why));
            }
            !refused
        });
    }

    fn detach(&mut self, session: SessionId, effects: &mut Effects) {
        self.seats.retain(|seat| {
            let stays = seat.reader.session() != session;
            if !stays {
                seat.dismiss(effects);
            }
            stays
        });
    }

    fn page(&mut self, now: Moment, read: ReadId, page: EventPage, effects: &mut Effects) {
        let Some(gap) = self.gap.as_mut().filter(|gap| gap.phase == Phase::Reading(read)) else { return };
        gap.phase = Phase::Noticed;
        gap.recovered();
        gap.hint(page.head);
        let before = self.next;
        let mut repaired = 0;
        for event in page.events {
            if self.next.is_some_and(|next| event.seq >= next) {
                repaired += 1;
                self.offer(Arc::new(EncodedOnce::new(event)), effects);
            }
        }
        self.release_held(effects);
        if repaired > 0 {
            effects.push(Effect::Count(Count::Repaired(repaired)));
        }
        if self.next == before { self.nothing_new(now, page.head, effects) } else { self.read_on(effects) }
    }

    /// More is known to be there: no need to wait, the store is being read already.
    fn read_on(&mut self, effects: &mut Effects) {
        let (Some(next), Some(gap)) = (self.next, &mut self.gap) else { return };
        gap.fruitless = false;
        if gap.is_open(next) {
            self.read(next, effects);
        }
    }

    /// The read may be older than what made us ask; a second one is not.
    fn nothing_new(&mut self, now: Moment, head: Seq, effects: &mut Effects) {
        let (Some(next), Some(gap)) = (self.next, &mut self.gap) else { return };
        if gap.fruitless && gap.is_open(next) {
            gap.forget_beyond(head.min(next.previous()));
            effects.push(Effect::Count(Count::Unfounded));
        } else if gap.is_open(next) {
            gap.fruitless = true;
            wait_until(gap, now + HOLD, effects);
        }
    }

    fn read_failed(&mut self, now: Moment, read: ReadId, effects: &mut Effects) {
        let Some(gap) = self.gap.as_mut().filter(|gap| gap.phase == Phase::Reading(read)) else { return };
        let again = gap.back_off(now);
        wait_until(gap, again, effects);
    }

    fn tick(&mut self, now: Moment, effects: &mut Effects) {
        let (Some(next), Some(gap)) = (self.next, &self.gap) else { return };
        let due = matches!(gap.phase, Phase::Waiting(until) if until <= now);
        if due && gap.is_open(next) {
            self.read(next, effects);
        }
    }

    fn read(&mut self, next: Seq, effects: &mut Effects) {
        let Some(gap) = &mut self.gap else { return };
        self.reads_count = self.reads_count.wrapping_add(1);
        let read = ReadId(self.reads_count);
        gap.phase = Phase::Reading(read);
        if !self.has(Flaw::NoRepair) {
            effects.push(Effect::Read(read, next.previous()));
        }
    }

    fn release_held(&mut self, effects: &mut Effects) {
        while let (Some(next), Some(gap)) = (self.next, &mut self.gap) {
            let Some(event) = gap.take(next) else { return };
            self.deliver(&event, effects);
        }
    }

    /// After every input: lets go what is no longer held up, and looks after the hole that remains.
    fn watch_gap(&mut self, now: Moment, effects: &mut Effects) {
        if self.gap.is_none() {
            return;
        }
        self.release_held(effects);
        let (Some(next), Some(gap)) = (self.next, &mut self.gap) else { return };
        match gap.phase {
            // The read that is under way keeps the box: there is never a second one beside it.
            Phase::Reading(_) => {}
            Phase::Noticed | Phase::Waiting(_) if !gap.is_open(next) => self.gap = None,
            Phase::Noticed => {
                effects.push(Effect::Count(Count::GapDetected));
                wait_until(gap, now + HOLD, effects);
            }
            Phase::Waiting(_) => {}
        }
    }

    fn start_anew(&mut self, effects: &mut Effects) {
        if self.has(Flaw::EpochIgnored) {
            return;
        }
        for seat in self.seats.drain(..) {
            seat.dismiss(effects);
            seat.reader.lost_track();
        }
        self.next = None;
        self.gap = None;
    }
}

fn wait_until(gap: &mut Gap, until: Moment, effects: &mut Effects) {
    gap.phase = Phase::Waiting(until);
    effects.push(Effect::WakeAt(until));
}
