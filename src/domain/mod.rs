//! The words of Rookery: what is talked about, without how it is stored, carried or shown.

mod actor;
mod command;
mod conversation;
mod error;
mod event;
mod id;
mod message;
mod permission;
mod reply;
mod signal;
mod time;
mod user;

pub use actor::{Actor, DialectName, Door};
pub use command::{Command, MessageRef};
pub use conversation::{
    Conversation, ConversationChange, ConversationDraft, ConversationKind, ConversationPatch, ConversationView, Member,
    Membership, Role, Watermarks,
};
pub use error::{ChatError, ErrorCode};
pub use event::{Event, Fact, KIND_VERSION};
pub use id::{ClientId, ConversationId, Epoch, FeedId, InvalidId, MessageId, NodeId, Seq, SessionId, UserId};
pub use message::{Content, Draft, Message, MessageKind, Reaction, ReplyTarget, ReplyTo};
pub use permission::{Act, Permission};
pub use reply::{Reply, Sent};
pub use signal::Signal;
pub use time::{Clock, SystemClock, Timestamp};
pub use user::{Profile, ProfileCard};
