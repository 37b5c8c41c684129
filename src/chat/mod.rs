//! The rules: what becomes of a command, and what a reader sees of a feed.

mod feeds;
mod reader;

pub use feeds::{AttachAsk, Attached, Attachments, Backfill, Budget, Feeds, FeedsParts, Ticket};
pub use reader::{EncodedOnce, FRAME_SLOTS, Reader};
