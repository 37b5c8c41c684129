//! The store of a node alone: SQLite in WAL mode with full synchronisation, one writer, many readers.

mod connection;
mod transaction;

mod append;
mod conversations;
mod log;
mod membership;
mod messages;
mod nodes;
mod personal;
mod receipts;
mod users;

use connection::{Readers, Writer};

pub use connection::SqliteSettings;

/// The durable store in one SQLite file. Cheap to share; ends with [`SqliteStore::close`].
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
}

/// Every statement of this engine.
const STATEMENTS: &[&[&str]] = &[
    append::STATEMENTS,
    conversations::STATEMENTS,
    log::STATEMENTS,
    membership::STATEMENTS,
    messages::STATEMENTS,
    nodes::STATEMENTS,
    personal::STATEMENTS,
    receipts::STATEMENTS,
    transaction::STATEMENTS,
    users::STATEMENTS,
];
