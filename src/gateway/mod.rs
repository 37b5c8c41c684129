//! The Socket.IO door: the transport below, and above it the sessions that translate and deliver.

pub mod transport;
