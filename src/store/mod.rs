//! What must survive: one port, Postgres for a cluster, SQLite for a node alone.

mod port;

mod batch;
mod page;
mod rows;
#[macro_use]
mod statement;

pub mod postgres;
pub mod sqlite;

pub use port::{
    Advance, Advanced, Append, AttachPoint, Changes, ConversationStore, EventPage, LogStore, MessageStore, NodeRow,
    NodeStore, Outcome, Page, PageAsk, PersonalStore, ReceiptStore, Store, StoreError, UserStore, WriteAct, Xid,
};
pub use postgres::{PostgresSettings, PostgresStore};
pub use sqlite::{SqliteSettings, SqliteStore};
