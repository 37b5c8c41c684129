//! The simulated cluster: what happens when, in virtual time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use rookery::chat::sequencer::{Effects, Input, TicketId};
use rookery::domain::{Event, Seq};
use rookery::store::EventPage;

use super::device::{Answer, Device};
use super::log::{Log, Write};
use super::node::{Node, ReadFor};
use super::plan::Plan;
use super::random::Random;

/// A node in one of its lives.
#[derive(Clone, Copy, Debug)]
pub struct At {
    pub node: usize,
    pub life: u64,
}

/// What crosses the simulated bus.
#[derive(Clone, Debug)]
pub struct Letter {
    pub history: usize,
    pub head: u64,
    pub event: Option<Event>,
}

/// What a node learns from the store about an attach: a history and the head for a member, or a failure.
pub type PointRead = Result<(usize, Option<u64>), ()>;

/// Something that is going to happen.
pub enum Happening {
    Act(usize),
    Commit(At, Write),
    Committed(At, Event, usize),
    Letter(usize, Letter),
    PointAsked(At, TicketId, usize),
    Point(At, TicketId, PointRead),
    PageAsked(At, ReadFor, Seq, usize),
    Page(At, ReadFor, Result<(usize, EventPage), ()>),
    PollAsked(At),
    Polled(At, Result<((usize, u64), u64), ()>),
    Answered(At, TicketId, Answer),
    Wake(At),
    Late(At, TicketId),
    Gone(At, rookery::domain::SessionId),
}

pub struct World {
    pub random: Random,
    pub plan: Plan,
    pub now: u64,
    /// By time, and then in the order in which they were planned.
    coming: BTreeMap<(u64, u64), Happening>,
    planned: u64,
    pub log: Arc<Mutex<Log>>,
    pub nodes: Vec<Node>,
    pub devices: Vec<Arc<Mutex<Device>>>,
    pub tickets: u64,
    /// No fault any more: what is asked now must work.
    pub healed: bool,
    pub problems: Vec<String>,
}

impl World {
    pub fn new(seed: u64, planted: Option<super::plan::Planted>) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::draw(&mut random, planted);
        let log = Arc::new(Mutex::new(Log::new()));
        let nodes = (0..plan.nodes).map(|_| Node::new(0, 0, 0, plan.flaw())).collect();
        let device = |number| Arc::new(Mutex::new(Device::new(number % super::log::USERS, Arc::clone(&log))));
        let devices = (0..plan.devices).map(device).collect();
        Self {
            random,
            plan,
            now: 0,
            coming: BTreeMap::new(),
            planned: 0,
            log,
            nodes,
            devices,
            tickets: 0,
            healed: false,
            problems: Vec::new(),
        }
    }

    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }

    pub fn device(&self, number: usize) -> MutexGuard<'_, Device> {
        self.devices[number].lock().unwrap()
    }

    pub fn at(&self, node: usize) -> At {
        At { node, life: self.nodes[node].life }
    }

    pub fn plan_in(&mut self, delay: u64, what: Happening) {
        self.planned += 1;
        self.coming.insert((self.now + delay, self.planned), what);
    }

    /// Lets everything happen that is planned, and what follows from it.
    pub fn run_dry(&mut self) {
        while let Some(((at, _), what)) = self.coming.pop_first() {
            self.now = at;
            self.happen(what);
            self.close_lost();
        }
    }

    pub fn store_delay(&mut self) -> u64 {
        self.random.between(100, self.plan.store_delay_max)
    }

    /// The node, if it still lives that life.
    pub fn alive(&mut self, at: At) -> Option<&mut Node> {
        Some(&mut self.nodes[at.node]).filter(|node| node.life == at.life)
    }

    pub fn give(&mut self, at: At, input: Input) {
        let now = self.now;
        let Some(node) = self.alive(at) else { return };
        let effects = node.handle(now, input);
        self.perform(at, effects);
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Act(number) => self.act(number),
            Happening::Commit(at, write) => self.commit(at, write),
            Happening::Committed(at, event, history) => self.committed(at, event, history),
            Happening::Letter(node, letter) => self.open(node, letter),
            Happening::PointAsked(at, ticket, user) => self.read_point(at, ticket, user),
            Happening::Point(at, ticket, read) => self.point(at, ticket, read),
            Happening::PageAsked(at, purpose, after, limit) => self.read_page(at, purpose, after, limit),
            Happening::Page(at, purpose, page) => self.page(at, purpose, page),
            Happening::PollAsked(at) => self.read_changes(at),
            Happening::Polled(at, changes) => self.polled(at, changes),
            Happening::Answered(at, ticket, answer) => self.answered(at, ticket, &answer),
            Happening::Wake(at) => self.give(at, Input::Tick),
            Happening::Late(at, ticket) => self.give_up(at, ticket),
            Happening::Gone(at, session) => self.give(at, Input::Detach(session)),
        }
    }

    fn perform(&mut self, at: At, effects: Effects) {
        for effect in effects {
            self.see_to(at, effect);
        }
    }
}
