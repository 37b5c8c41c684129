//! What carries events and signals between nodes, quickly and without a promise: the store heals what it loses.

mod port;
mod topic;
mod wire;

pub use port::{Bus, BusEvent, BusState};
pub use topic::Topic;
pub use wire::{Envelope, Payload, TracedOrigin, WireEvent};
