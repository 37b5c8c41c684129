//! What one schedule is made of: how much of everything, drawn from its seed.

use rookery::chat::sequencer::Flaw;

use super::random::Random;

/// What is wrong on purpose, to see that it would be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// In the sequencer.
    In(Flaw),
    /// In the attach: membership is checked first, and the reader registered after.
    CheckThenRegister,
}

/// The shape of one schedule. Each is drawn by itself, so that all combinations of calm and storm occur.
pub struct Plan {
    pub nodes: usize,
    pub devices: usize,
    pub actions: usize,
    /// Between two actions, in µs.
    pub pause_max: u64,
    /// Per cent of envelopes.
    pub dropped: u64,
    pub doubled: u64,
    /// Envelopes that only say where the head is.
    pub unreadable: u64,
    /// How long an envelope is on its way, in µs.
    pub bus_delay_max: u64,
    /// One way between node and store, in µs.
    pub store_delay_max: u64,
    /// How many events the store gives at once.
    pub page_max: u64,
    /// Per cent of commits whose node never tells anybody.
    pub untold: u64,
    /// Per cent of attaches whose answer has little room.
    pub tight: u64,
    /// Between two polls, in µs.
    pub poll_pause_max: u64,
    /// The history changes once, at this action.
    pub restore_at: Option<usize>,
    pub planted: Option<Planted>,
}

impl Plan {
    pub fn draw(random: &mut Random, planted: Option<Planted>) -> Self {
        let actions = random.between(10, 40) as usize;
        let restore = random.percent(12).then(|| random.index(actions));
        Self {
            nodes: random.between(1, 3) as usize,
            devices: random.between(1, 5) as usize,
            actions,
            pause_max: random.pick(&[500, 5_000, 30_000, 100_000]),
            dropped: random.pick(&[0, 0, 10, 50, 100]),
            doubled: random.pick(&[0, 10, 50]),
            unreadable: random.pick(&[0, 0, 10]),
            bus_delay_max: random.pick(&[500, 5_000, 50_000]),
            store_delay_max: random.pick(&[500, 5_000, 30_000]),
            page_max: random.pick(&[1, 2, 5, 256]),
            untold: random.pick(&[0, 0, 10, 50]),
            tight: random.pick(&[0, 20, 60]),
            poll_pause_max: random.pick(&[50_000, 300_000]),
            restore_at: restore,
            planted,
        }
    }

    /// The flaw of the sequencers, if there is one.
    pub fn flaw(&self) -> Option<Flaw> {
        match self.planted {
            Some(Planted::In(flaw)) => Some(flaw),
            Some(Planted::CheckThenRegister) | None => None,
        }
    }
}
