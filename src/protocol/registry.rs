//! All vocabularies, one line each.

use std::sync::atomic::{AtomicU8, Ordering};

use super::native::Native;
use super::{Args, Dialect};

/// Which vocabulary, as an index that fan-out keeps its encoded frames by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(u8);

impl Slot {
    /// The vocabulary that Rookery's own clients speak.
    pub const NATIVE: Self = Self(0);

    /// The index: below the number of vocabularies.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A slot that may change under those who read it.
#[derive(Debug)]
pub struct AtomicSlot(AtomicU8);

impl AtomicSlot {
    /// Starts with this one.
    #[must_use]
    pub const fn new(slot: Slot) -> Self {
        Self(AtomicU8::new(slot.0))
    }

    /// The slot now.
    #[must_use]
    pub fn load(&self) -> Slot {
        Slot(self.0.load(Ordering::Relaxed))
    }

    /// Changes it.
    pub fn store(&self, slot: Slot) {
        self.0.store(slot.0, Ordering::Relaxed);
    }
}

/// In slot order.
static DIALECTS: [&dyn Dialect; 1] = [
    &Native, // Slot::NATIVE
];

/// The vocabulary in a slot.
#[must_use]
pub fn dialect(slot: Slot) -> &'static dyn Dialect {
    DIALECTS[slot.index()]
}

/// The slot of a vocabulary by its name, if there is one.
#[must_use]
pub fn by_name(name: &str) -> Option<Slot> {
    slots().find(|slot| dialect(*slot).name() == name)
}

/// The slot of the vocabulary that a namespace belongs to; for `/`, which several share, the first of them.
#[must_use]
pub fn by_namespace(namespace: &str) -> Option<Slot> {
    slots().find(|slot| dialect(*slot).namespace() == namespace)
}

/// The one vocabulary that has this event, if no other has it.
#[must_use]
pub fn revealed_by(name: &str, args: Args<'_>) -> Option<Slot> {
    slots().find(|slot| dialect(*slot).reveals(name, args))
}

fn slots() -> impl Iterator<Item = Slot> {
    (0_u8..).map(Slot).take(DIALECTS.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_is_found_by_its_name_and_fits_the_frame_slots() {
        for slot in slots() {
            assert_eq!(by_name(dialect(slot).name()), Some(slot));
        }
        assert_eq!(by_name("native"), Some(Slot::NATIVE));
        assert_eq!(by_name("Native"), None);
    }
}
