//! How long to wait before trying again.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Waits that double up to a bound, each somewhere between half of it and all of it, so that those who failed together do not come back together.
#[derive(Debug)]
pub(super) struct Backoff {
    random: StdRng,
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts at `first`, ends at `longest`.
    pub fn new(seed: u64, first: Duration, longest: Duration) -> Self {
        Self { random: StdRng::seed_from_u64(seed), first, longest, next: first }
    }

    /// How long to wait now.
    pub fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.longest);
        self.around(wait)
    }

    /// It worked: the next wait is a short one again.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }

    /// Somewhere between half of this and all of it.
    pub fn around(&mut self, wait: Duration) -> Duration {
        wait.mul_f64(self.random.random_range(0.5..=1.0))
    }
}
