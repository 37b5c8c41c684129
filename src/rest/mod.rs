//! The REST door: the same commands and queries as the sockets, over HTTP and JSON.

mod conversations;
mod error;
mod extract;
mod members;
mod messages;
mod page;
mod receipts;
mod router;
mod service;
mod state;
mod users;

pub use router::router;
pub use state::{RestSettings, RestState};
