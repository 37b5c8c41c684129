//! What carries events and signals between nodes, quickly and without a promise: the store heals what it loses.

mod port;
mod topic;
mod wire;

mod memory;
mod redis;

mod fate;
mod handover;
mod timing;

pub use fate::Faults;
pub use memory::{MemoryBus, MemoryHub};
pub use port::{Bus, BusEvent, BusState};
pub use redis::{BusError, RedisBus, RedisSettings};
pub use timing::BusTiming;
pub use topic::Topic;
pub use wire::{Envelope, Payload, TracedOrigin, WireEvent};
