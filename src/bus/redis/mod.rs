//! The bus over Redis pub/sub: one pair of connections at a time, rebuilt whenever it is in doubt.

mod bus;
mod settings;

mod keeper;
mod link;

mod interest;
mod listener;
mod outgoing;
mod watch;

mod channel;
mod probe;

pub use bus::RedisBus;
pub use settings::{BusError, RedisSettings};
