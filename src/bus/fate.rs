//! What becomes of an arriving message when a test asks for faults: nothing else in the bus knows about them.

/// What happens to one arriving message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is handed over.
    Delivered,
    /// It is lost.
    Dropped,
    /// It is handed over twice.
    Doubled,
    /// It is handed over after the message that follows it.
    Held,
}

impl Fate {
    /// The fate that the failpoint `bus.receive` gives this message: `return(drop)`, `return(double)` or `return(hold)`,
    /// with a chance in front: `FAILPOINTS='bus.receive=10%return(drop)->10%return(double)'`. Without the cargo feature
    /// `failpoints` every message is delivered.
    #[must_use]
    pub fn by_failpoint() -> Self {
        fail::fail_point!("bus.receive", |fate| match fate.as_deref() {
            Some("drop") => Self::Dropped,
            Some("double") => Self::Doubled,
            Some("hold") => Self::Held,
            Some(_) | None => Self::Delivered,
        });
        Self::Delivered
    }
}

/// How often arriving messages meet a fault, in a thousand; the sum should not exceed a thousand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// Lost.
    pub dropped_per_mille: u16,
    /// Doubled.
    pub doubled_per_mille: u16,
    /// Overtaken by the next one.
    pub held_per_mille: u16,
    /// Where the series of faults begins: the same seed and the same messages meet the same faults.
    pub seed: u64,
}

impl Faults {
    /// The fate of the next message.
    pub(super) fn next(&mut self) -> Fate {
        let roll = (self.step() % 1000) as u16;
        let lost = self.dropped_per_mille;
        let twice = lost + self.doubled_per_mille;
        if roll < lost {
            Fate::Dropped
        } else if roll < twice {
            Fate::Doubled
        } else if roll < twice + self.held_per_mille {
            Fate::Held
        } else {
            Fate::Delivered
        }
    }

    /// SplitMix64: even, short and the same everywhere.
    fn step(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_as_often_as_asked_and_the_same_for_the_same_seed() {
        let asked = Faults { dropped_per_mille: 100, doubled_per_mille: 200, held_per_mille: 300, seed: 7 };
        let series = |mut faults: Faults| (0..10_000).map(|_| faults.next()).collect::<Vec<_>>();
        let fates = series(asked.clone());
        let share = |fate| fates.iter().filter(|f| **f == fate).count();
        assert!((800..1200).contains(&share(Fate::Dropped)));
        assert!((1800..2200).contains(&share(Fate::Doubled)));
        assert!((2700..3300).contains(&share(Fate::Held)));
        assert!(fates == series(asked), "the same seed gave another series");
        assert!(series(Faults::default()).iter().all(|fate| *fate == Fate::Delivered));
    }
}
