//! An attach in the simulated cluster, from the ask of a device to its answer: what the hub does, with delays and failures between all steps.

use std::sync::Arc;

use rookery::chat::sequencer::{Completeness, Effect, Filling, Input, Refusal, TicketId};
use rookery::chat::{AttachAsk, Budget, Reader};
use rookery::domain::{Seq, SessionId};
use rookery::store::EventPage;

use super::device::{Answer, Ask, Place, Socket};
use super::log::{epoch, feed, user};
use super::node::{Attach, ReadFor};
use super::plan::Planted;
use super::world::{At, Happening, World};

/// How long an attach may take, in µs.
const DEADLINE: u64 = 1_000_000;

impl World {
    /// The device asks to attach on the session where it is.
    pub fn ask(&mut self, number: usize, cursor: Option<u64>) {
        let Place::On(node, session) = self.device(number).place else { return };
        self.tickets += 1;
        let ticket = TicketId(self.tickets);
        let ask = Ask { number: self.tickets, session, at: self.now };
        let budget = self.budget();
        let (at, mut device) = (self.at(node), self.device(number));
        device.asking = Some(ask.number);
        let wish = AttachAsk { feed: feed(), cursor: cursor.map(Seq), epoch: device.history.map(epoch), budget };
        let user = device.user;
        drop(device);
        let reader: Arc<dyn Reader> = Arc::new(Socket::new(session, &self.devices[number]));
        let attach = Attach { device: number, ask, wish, reader: Arc::clone(&reader), filling: None, done: false };
        self.nodes[node].attaches.insert(ticket, attach);
        self.plan_in(DEADLINE, Happening::Late(at, ticket));
        if self.plan.planted == Some(Planted::CheckThenRegister) {
            self.see_to(at, Effect::ReadPoint(ticket, super::log::user(user)));
        } else {
            self.give(at, Input::Join(ticket, reader));
        }
    }

    /// Too late: what happened between the check and this is seen by nobody.
    pub fn register(&mut self, at: At, ticket: TicketId) {
        let now = self.now;
        let Some(node) = self.alive(at) else { return };
        let Some(reader) = node.attaches.get(&ticket).map(|attach| Arc::clone(&attach.reader)) else { return };
        let effects = node.handle(now, Input::Join(ticket, reader));
        for effect in effects.into_iter().filter(|effect| !matches!(effect, Effect::ReadPoint(..))) {
            self.see_to(at, effect);
        }
    }

    fn budget(&mut self) -> Budget {
        if !self.healed && self.random.percent(self.plan.tight) {
            Budget::new(self.random.between(1, 3) as usize, self.random.between(100, 600) as usize)
        } else {
            Budget::new(1_000, 1 << 20)
        }
    }

    /// What a sequencer asks for.
    pub fn see_to(&mut self, at: At, effect: Effect) {
        match effect {
            Effect::ReadPoint(ticket, reader) => {
                let number = (0..super::log::USERS).find(|number| user(*number) == reader).unwrap();
                let delay = self.store_delay();
                self.plan_in(delay, Happening::PointAsked(at, ticket, number));
            }
            Effect::Position(ticket, to) => self.position(at, ticket, to),
            Effect::Refuse(ticket, Refusal::NotFound) => self.answer(at, ticket, Answer::NotFound),
            Effect::Refuse(ticket, Refusal::Unavailable) => self.answer(at, ticket, Answer::Unavailable),
            Effect::Read(read, after) => {
                let delay = self.store_delay();
                self.plan_in(delay, Happening::PageAsked(at, ReadFor::Repair(read), after, 256));
            }
            Effect::WakeAt(moment) => {
                let due = moment.since_start().as_micros() as u64;
                self.plan_in(due.saturating_sub(self.now), Happening::Wake(at));
            }
            Effect::Visible(_) | Effect::Count(_) => {}
        }
    }

    fn position(&mut self, at: At, ticket: TicketId, to: Seq) {
        let Some(node) = self.alive(at) else { return };
        let here = epoch(node.history);
        let Some(attach) = node.attaches.get_mut(&ticket) else { return };
        attach.filling = Filling::begin(&attach.wish, here, to);
        if attach.filling.is_some() { self.fill_on(at, ticket) } else { self.answer(at, ticket, Answer::Reset) }
    }

    /// A page of a backfill has come, or not.
    pub fn fill(&mut self, at: At, ticket: TicketId, page: Option<EventPage>) {
        let Some(node) = self.alive(at) else { return };
        let Some(filling) = node.attaches.get_mut(&ticket).and_then(|attach| attach.filling.as_mut()) else { return };
        if let Some(page) = page {
            let weighed: Vec<_> = page.events.into_iter().map(rookery::chat::sequencer::Weighed::new).collect();
            filling.take(&weighed);
        }
        self.fill_on(at, ticket);
    }

    fn fill_on(&mut self, at: At, ticket: TicketId) {
        let Some(node) = self.alive(at) else { return };
        let Some(attach) = node.attaches.get_mut(&ticket) else { return };
        if let Some((after, count)) = attach.filling.as_ref().and_then(Filling::wants) {
            let delay = self.store_delay();
            self.plan_in(delay, Happening::PageAsked(at, ReadFor::Backfill(ticket), after, count));
            return;
        }
        let Some(filling) = attach.filling.take() else { return };
        let answer = match filling.finish() {
            (backfill, Completeness::Complete) => Answer::Complete(backfill),
            (backfill, Completeness::Incomplete) => Answer::Incomplete(backfill),
        };
        self.answer(at, ticket, answer);
    }

    pub fn give_up(&mut self, at: At, ticket: TicketId) {
        let Some(node) = self.alive(at) else { return };
        if node.attaches.get(&ticket).is_some_and(|attach| !attach.done) {
            self.answer(at, ticket, Answer::Unavailable);
        }
    }

    /// The answer is on its way to the door; what is not attached gives its seat up.
    fn answer(&mut self, at: At, ticket: TicketId, answer: Answer) {
        let Some(attach) = self.alive(at).and_then(|node| node.attaches.get_mut(&ticket)) else { return };
        attach.done = true;
        if !matches!(answer, Answer::Complete(_)) {
            self.give(at, Input::Leave(ticket));
        }
        let delay = self.random.between(0, 2_000);
        self.plan_in(delay, Happening::Answered(at, ticket, answer));
    }

    /// The answer is written.
    pub fn answered(&mut self, at: At, ticket: TicketId, answer: &Answer) {
        let Some(node) = self.alive(at) else { return };
        let Some(attach) = node.attaches.remove(&ticket) else { return };
        let history = node.history;
        let heard = self.devices[attach.device].lock().unwrap().answered(answer, history, attach.ask);
        if heard && matches!(answer, Answer::Complete(_)) {
            self.give(at, Input::GoLive(ticket));
        }
    }

    /// The device leaves; the node notices later.
    pub fn disconnect(&mut self, number: usize) {
        let Place::On(node, session) = self.device(number).place else { return };
        self.device(number).leave();
        let (at, delay) = (self.at(node), self.random.between(0, 20_000));
        self.plan_in(delay, Happening::Gone(at, session));
    }

    pub fn connect(&mut self, number: usize) {
        let node = self.random.index(self.nodes.len());
        self.tickets += 1;
        let session = SessionId::from_uuid(uuid::Uuid::from_u128(u128::from(self.tickets)));
        self.device(number).place = Place::On(node, session);
    }
}
