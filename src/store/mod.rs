//! What must survive: one port, Postgres for a cluster, SQLite for a node alone.

mod port;

pub use port::{
    Advance, Advanced, Append, AttachPoint, Changes, ConversationStore, EventPage, LogStore, MessageStore, NodeRow,
    NodeStore, Outcome, Page, PageAsk, PersonalStore, ReceiptStore, Store, StoreError, UserStore, WriteAct, Xid,
};
