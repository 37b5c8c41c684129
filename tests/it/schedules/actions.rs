//! What the outside does to the cluster: people write, come and go, members change, machines and networks fail.

use std::sync::Arc;

use rookery::chat::EncodedOnce;
use rookery::chat::sequencer::Input;
use rookery::domain::{Event, Seq};

use super::device::Place;
use super::log::{USERS, Write};
use super::node::Node;
use super::world::{At, Happening, Letter, World};

impl World {
    pub fn act(&mut self, number: usize) {
        if self.plan.restore_at == Some(number) {
            self.restore();
            return;
        }
        match self.random.below(100) {
            0..45 => self.write(Write::Say),
            45..51 => {
                let user = self.random.index(USERS);
                self.write(Write::Remove(user));
            }
            51..59 => {
                let user = self.random.index(USERS);
                self.write(Write::Add(user));
            }
            59..84 => self.move_device(),
            84..89 => {
                let device = self.random.index(self.devices.len());
                self.disconnect(device);
            }
            89..93 => self.fail_store(),
            93..97 => self.restart(),
            _ => self.lie(),
        }
    }

    fn write(&mut self, write: Write) {
        let node = self.random.index(self.nodes.len());
        let (at, delay) = (self.at(node), self.store_delay());
        self.plan_in(delay, Happening::Commit(at, write));
    }

    /// The store commits. The node hears of it, or its call fails before, or after.
    pub fn commit(&mut self, at: At, write: Write) {
        let now = self.now;
        if self.log().is_away(now) {
            self.alive(at).into_iter().for_each(|node| node.suspect = true);
            return;
        }
        let Some(event) = self.log().commit(write, now) else { return };
        let (delay, history) = (self.store_delay(), self.log().history());
        if !self.random.percent(self.plan.untold) {
            self.plan_in(delay, Happening::Committed(at, event, history));
        }
    }

    /// The log writer of a node tells the feeds: own readers first, then the bus.
    pub fn committed(&mut self, at: At, event: Event, _history: usize) {
        let Some(node) = self.alive(at) else { return };
        let (suspect, history, head) = (node.suspect, node.history, event.seq);
        let shared = Arc::new(EncodedOnce::new(event.clone()));
        self.give(at, if suspect { Input::Head(head) } else { Input::Event(shared) });
        let event = (!suspect && !self.random.percent(self.plan.unreadable)).then_some(event);
        let letter = Letter { history, head: head.0, event };
        for other in (0..self.nodes.len()).filter(|other| *other != at.node) {
            self.post(other, &letter);
        }
    }

    fn post(&mut self, to: usize, letter: &Letter) {
        let copies = 1 + u64::from(self.random.percent(self.plan.doubled));
        for _ in 0..copies {
            if !self.random.percent(self.plan.dropped) {
                let delay = self.random.between(100, self.plan.bus_delay_max);
                self.plan_in(delay, Happening::Letter(to, letter.clone()));
            }
        }
    }

    pub fn open(&mut self, node: usize, letter: Letter) {
        let at = self.at(node);
        if self.nodes[node].history != letter.history {
            self.nodes[node].suspect = true;
            self.ask_poll(node);
            return;
        }
        if let Some(event) = letter.event.filter(|_| !self.nodes[node].suspect) {
            self.give(at, Input::Event(Arc::new(EncodedOnce::new(event))));
        }
        self.give(at, Input::Head(Seq(letter.head)));
    }

    fn move_device(&mut self) {
        let number = self.random.index(self.devices.len());
        if self.device(number).place == Place::Away {
            self.connect(number);
        } else if self.random.percent(20) && self.device(number).asking.is_none() {
            return self.detach(number);
        }
        let cursor = self.device(number).cursor;
        let cursor = match self.random.below(10) {
            0 => None,
            1 => cursor.map(|cursor| cursor.saturating_sub(self.random.below(4))),
            _ => cursor,
        };
        self.ask(number, cursor);
    }

    fn detach(&mut self, number: usize) {
        let Place::On(node, session) = self.device(number).place else { return };
        self.device(number).attached = false;
        let at = self.at(node);
        self.give(at, Input::Detach(session));
    }

    fn fail_store(&mut self) {
        let until = self.now + self.random.between(1_000, 300_000);
        self.log().go_away(until);
    }

    /// kill -9, and a new process under the same name.
    fn restart(&mut self) {
        let node = self.random.index(self.nodes.len());
        for number in 0..self.devices.len() {
            let mut device = self.device(number);
            if matches!(device.place, Place::On(on, _) if on == node) {
                device.leave();
            }
        }
        let life = self.nodes[node].life + 1;
        let (history, commits) = self.log().place();
        self.nodes[node] = Node::new(life, history, commits, self.plan.flaw());
    }

    /// Somebody speaks of events that nobody committed.
    fn lie(&mut self) {
        let node = self.random.index(self.nodes.len());
        let beyond = self.random.between(1, 3);
        let (at, head) = (self.at(node), self.log().head() + beyond);
        self.give(at, Input::Head(Seq(head)));
    }

    /// The store comes back from a backup: away for so long that every node has noticed, and then another history.
    fn restore(&mut self) {
        let (now, lost) = (self.now, self.random.index(4));
        self.log().go_away(now + 2_000_000);
        self.log().restore(lost, now);
        for round in 1..=6 {
            for node in 0..self.nodes.len() {
                let at = self.at(node);
                self.plan_in(round * 400_000, Happening::PollAsked(at));
            }
        }
    }

    /// Closes the connections that the core has given up.
    pub fn close_lost(&mut self) {
        for number in 0..self.devices.len() {
            if self.device(number).lost_track {
                if self.plan.restore_at.is_none() {
                    self.problems.push(format!("device {number} lost track without a cause"));
                }
                self.disconnect(number);
            }
        }
    }
}
