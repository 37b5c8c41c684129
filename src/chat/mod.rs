//! The rules: what becomes of a command, and what a reader sees of a feed.

mod reader;

pub use reader::{EncodedOnce, FRAME_SLOTS, Reader};
