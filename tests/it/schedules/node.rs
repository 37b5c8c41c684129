//! A simulated node: a sequencer, and what the hub keeps around it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rookery::chat::sequencer::{Effects, Filling, Flaw, Input, Moment, ReadId, Sequencer, TicketId};
use rookery::chat::{AttachAsk, Reader};

use super::device::Ask;

/// An attach under way.
pub struct Attach {
    pub device: usize,
    pub ask: Ask,
    pub wish: AttachAsk,
    pub reader: Arc<dyn Reader>,
    /// From the place on, until the answer.
    pub filling: Option<Filling>,
    /// Its answer is on its way.
    pub done: bool,
}

/// What a read is for.
#[derive(Clone, Copy, Debug)]
pub enum ReadFor {
    Repair(ReadId),
    Backfill(TicketId),
}

pub struct Node {
    pub sequencer: Sequencer,
    /// Which life: what was begun in an earlier one reaches nobody.
    pub life: u64,
    /// The history that it believes in.
    pub history: usize,
    /// A read has failed since the epoch was read last.
    pub suspect: bool,
    /// The commits that its polls have seen.
    pub polled: u64,
    pub attaches: HashMap<TicketId, Attach, foldhash::fast::FixedState>,
}

impl Node {
    pub fn new(life: u64, history: usize, polled: u64, flaw: Option<Flaw>) -> Self {
        let sequencer = flaw.map_or_else(Sequencer::default, Sequencer::flawed);
        Self { sequencer, life, history, suspect: false, polled, attaches: HashMap::default() }
    }

    pub fn handle(&mut self, now: u64, input: Input) -> Effects {
        self.sequencer.handle(Moment::after_start(Duration::from_micros(now)), input)
    }
}
