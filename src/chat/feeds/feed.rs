//! One feed that sessions of this node read: its sequencer under a lock.

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::chat::EncodedOnce;
use crate::chat::sequencer::{Effects, Input, Moment, Sequencer, TicketId};
use crate::domain::{FeedId, Signal};

/// Inputs of one lock: mostly one.
pub(super) type Inputs = SmallVec<[Input; 1]>;

/// What became of inputs.
pub(super) enum Given {
    /// These effects are to be done.
    Done(Effects),
    /// As before, and nobody reads the feed any more.
    Idle(Effects),
    /// The feed has been retired: look it up again.
    Retired(Inputs),
}

/// One feed. Held by the map of the hub as long as somebody reads it.
pub(super) struct Feed {
    pub id: FeedId,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sequencer: Sequencer,
    retired: bool,
}

impl Feed {
    pub fn new(id: FeedId) -> Self {
        Self { id, state: Mutex::default() }
    }

    /// Gives the sequencer its inputs, in order.
    pub fn give(&self, now: Moment, inputs: Inputs) -> Given {
        let mut state = self.state.lock();
        if state.retired {
            return Given::Retired(inputs);
        }
        let effects = inputs.into_iter().flat_map(|input| state.sequencer.handle(now, input)).collect();
        if state.sequencer.is_idle() { Given::Idle(effects) } else { Given::Done(effects) }
    }

    /// Whether this attach still has its seat.
    pub fn is_seated(&self, ticket: TicketId) -> bool {
        self.state.lock().sequencer.is_seated(ticket)
    }

    /// Tells a signal to those who read the feed live.
    pub fn signal(&self, signal: &EncodedOnce<Signal>) {
        self.state.lock().sequencer.live_readers().for_each(|reader| reader.signal(signal));
    }

    /// Ends it, unless somebody reads it again. Whoever finds it afterwards looks for another one.
    pub fn retire(&self) -> Retired {
        let mut state = self.state.lock();
        state.retired = state.sequencer.is_idle();
        if state.retired { Retired::Yes } else { Retired::No }
    }
}

/// Whether a feed has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Retired {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_with_one_reader_takes_little_memory() {
        // With its entry in the map (24 + 8 bytes at a load of about one half) and the counts of the Arc: below 400 bytes.
        assert!(size_of::<Feed>() <= 256, "{} bytes", size_of::<Feed>());
    }
}
