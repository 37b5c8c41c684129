//! The Socket.IO door: the transport below, and above it the sessions that translate and deliver.

pub mod transport;

mod door;
mod handshake;
mod options;

mod attach;
mod fanout;
mod inbound;
mod session;
mod slip;

mod sessions;
mod term;

pub use door::{Gateway, GatewayParts};
pub use options::{GatewayOptions, UnknownDialect};
