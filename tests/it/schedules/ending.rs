//! The end of a schedule: faults stop, everybody who may read attaches, and then nothing may be missing anywhere.

use super::device::Place;
use super::log::Write;
use super::world::{Happening, World};

impl World {
    /// No fault from here on: everybody comes back while the last events are committed, some of which reach nobody by the bus.
    pub fn heal(&mut self) {
        self.healed = true;
        self.poll_all();
        for round in 0..3 {
            let (at, delay) = (self.at(0), self.store_delay());
            self.plan.untold = if round == 1 { 100 } else { self.plan.untold };
            self.plan_in(delay, Happening::Commit(at, Write::Say));
            for number in 0..self.devices.len() {
                self.come_back(number);
            }
            for node in 0..self.nodes.len() {
                self.ask_poll(node);
            }
            self.run_dry();
            self.poll_all();
            self.check_heads();
        }
    }

    /// Whoever is attached has everything, as soon as the store has been polled.
    fn check_heads(&mut self) {
        let head = self.log().head();
        for number in 0..self.devices.len() {
            let device = self.device(number);
            let (attached, cursor) = (device.attached, device.cursor);
            drop(device);
            if attached && cursor != Some(head) {
                self.problems.push(format!("device {number}: attached at {cursor:?} while the head is {head}"));
            }
        }
    }

    fn poll_all(&mut self) {
        // Twice: one that failed in the storm makes the next one look at the epoch first.
        for _ in 0..2 {
            for node in 0..self.nodes.len() {
                self.ask_poll(node);
            }
            self.run_dry();
        }
    }

    fn come_back(&mut self, number: usize) {
        if self.device(number).place == Place::Away {
            self.connect(number);
        }
        let device = self.device(number);
        let (attached, cursor) = (device.attached, device.cursor);
        drop(device);
        if !attached {
            self.ask(number, cursor);
        }
    }

    /// What went wrong, and how many events were delivered.
    pub fn judge(&mut self) -> (Vec<String>, u64) {
        let (head, mut delivered) = (self.log().head(), 0);
        for number in 0..self.devices.len() {
            let member = self.log().is_member(self.device(number).user);
            let mut device = self.device(number);
            delivered += device.delivered;
            let mut problems = std::mem::take(&mut device.problems);
            let (attached, refused, cursor) = (device.attached, device.refused, device.cursor);
            if member && !(attached && cursor == Some(head)) {
                problems.push(format!("a member ended at {cursor:?} of {head}, attached: {attached}"));
            }
            if !member && attached {
                problems.push(format!("no member ended attached; refused: {refused}"));
            }
            drop(device);
            self.problems.extend(problems.into_iter().map(|problem| format!("device {number}: {problem}")));
        }
        (std::mem::take(&mut self.problems), delivered)
    }
}
