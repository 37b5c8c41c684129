//! The store of a cluster: Postgres. Every call is one statement, so one round trip and one commit.

mod connection;
mod migrate;

mod append;
mod conversations;
mod log;
mod messages;
mod nodes;
mod personal;
mod receipts;
mod users;

use connection::Pool;

pub use connection::PostgresSettings;

/// The durable store in Postgres. Cheap to share; ends with [`PostgresStore::close`].
#[derive(Debug)]
pub struct PostgresStore {
    /// For the log writer and whatever else changes something: a flood of reads must not hold it up.
    writers: Pool,
    /// For everything that reads.
    readers: Pool,
    settings: PostgresSettings,
}

/// Every statement of this engine.
const STATEMENTS: &[&[&str]] = &[
    append::STATEMENTS,
    conversations::STATEMENTS,
    log::STATEMENTS,
    messages::STATEMENTS,
    nodes::STATEMENTS,
    personal::STATEMENTS,
    receipts::STATEMENTS,
    users::STATEMENTS,
];
