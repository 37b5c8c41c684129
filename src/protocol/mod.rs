//! The vocabularies: how asks, events, signals and answers look to a client. No state, no I/O.

mod answer;
mod ask;
mod dialect;
mod fields;
mod hello;
mod native;
mod notice;
mod registry;
mod view;

pub use answer::{Answer, Joined, Stretch, SyncItem, Synced};
pub use ask::{All, Args, Ask, CURSORS_MAX, OwnAsk, SendAsk, SyncAsk};
pub use dialect::{AckWish, Dialect, Emission, Emissions};
pub use hello::Hello;
pub use notice::{Notice, RevokedBecause, SessionLimits};
pub use registry::{AtomicSlot, Slot, by_name, by_namespace, dialect, revealed_by};
pub use view::event_view;
