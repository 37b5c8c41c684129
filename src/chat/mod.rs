//! The rules: what becomes of a command, and what a reader sees of a feed.

mod commands;
mod core;
mod settings;

pub mod limits;
mod mentions;
mod pace;

mod creation;
mod log_writer;
mod outbox;
mod people;
mod queries;
mod receipts;
mod refusal;
mod retry;

mod feeds;
mod news;
mod reader;
pub mod sequencer;

pub use self::core::{Chat, ChatParts, Finished};
pub use feeds::{AttachAsk, Attached, Attachments, Backfill, Budget, Feeds, FeedsParts, Ticket};
pub use limits::{DraftAsk, Limits};
pub use news::News;
pub use pace::{Pace, SessionPace};
pub use reader::{EncodedOnce, FRAME_SLOTS, Reader};
pub use settings::ChatSettings;
