//! The simulated calls of the store: each sees one moment of it, and its answer comes later or not at all.

use rookery::chat::sequencer::{Input, TicketId};
use rookery::domain::Seq;
use rookery::store::EventPage;

use super::node::ReadFor;
use super::plan::Planted;
use super::world::{At, Happening, PointRead, World};

impl World {
    pub fn read_point(&mut self, at: At, ticket: TicketId, user: usize) {
        let read = {
            let log = self.log();
            let point = log.is_member(user).then(|| log.head());
            if log.is_away(self.now) { Err(()) } else { Ok((log.history(), point)) }
        };
        let delay = self.store_delay();
        self.plan_in(delay, Happening::Point(at, ticket, read));
    }

    pub fn point(&mut self, at: At, ticket: TicketId, read: PointRead) {
        let believed = self.believe(at, read.map(|(history, point)| (history, point.map(Seq))));
        if self.plan.planted == Some(Planted::CheckThenRegister) {
            self.register(at, ticket);
        }
        self.give(at, believed.map_or(Input::PointFailed(ticket), |point| Input::Point(ticket, point)));
    }

    pub fn read_page(&mut self, at: At, purpose: ReadFor, after: Seq, limit: usize) {
        let limit = limit.min(self.random.between(1, self.plan.page_max) as usize);
        let read = {
            let log = self.log();
            if log.is_away(self.now) { Err(()) } else { Ok((log.history(), log.page(after.0, limit))) }
        };
        let delay = self.store_delay();
        self.plan_in(delay, Happening::Page(at, purpose, read));
    }

    pub fn page(&mut self, at: At, purpose: ReadFor, read: Result<(usize, EventPage), ()>) {
        let page = self.believe(at, read);
        match purpose {
            ReadFor::Repair(read) => {
                self.give(at, page.map_or(Input::ReadFailed(read), |page| Input::Page(read, page)));
            }
            ReadFor::Backfill(ticket) => self.fill(at, ticket, page),
        }
    }

    pub fn ask_poll(&mut self, node: usize) {
        let (at, delay) = (self.at(node), self.store_delay());
        self.plan_in(delay, Happening::PollAsked(at));
    }

    pub fn read_changes(&mut self, at: At) {
        let read = {
            let log = self.log();
            if log.is_away(self.now) { Err(()) } else { Ok((log.place(), log.head())) }
        };
        let delay = self.store_delay();
        self.plan_in(delay, Happening::Polled(at, read));
    }

    pub fn polled(&mut self, at: At, read: Result<((usize, u64), u64), ()>) {
        let Some(node) = self.alive(at) else { return };
        let Ok(((history, commits), head)) = read else {
            node.suspect = true;
            return;
        };
        let changed = node.polled < commits;
        node.polled = commits;
        node.suspect = false;
        if history == node.history {
            if changed {
                self.give(at, Input::Head(Seq(head)));
            }
            return;
        }
        node.history = history;
        self.give(at, Input::EpochChanged);
    }

    /// A read after a failed one counts only when the history is still the known one.
    fn believe<T>(&mut self, at: At, read: Result<(usize, T), ()>) -> Option<T> {
        let node = self.alive(at)?;
        match read {
            Ok((history, _)) if node.suspect && history != node.history => None,
            Ok((_, what)) => {
                node.suspect = false;
                Some(what)
            }
            Err(()) => {
                node.suspect = true;
                None
            }
        }
    }
}
