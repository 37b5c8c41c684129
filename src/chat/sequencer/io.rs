//! What goes into a sequencer, and what it asks to be done.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Moment;
use crate::chat::{EncodedOnce, Reader};
use crate::domain::{Event, Seq, SessionId, Timestamp, UserId};
use crate::store::EventPage;

/// An event on its way to all readers of a feed.
pub type SharedEvent = Arc<EncodedOnce<Event>>;

/// Names one attach; never used twice in the life of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TicketId(pub u64);

/// Names one repair read of one feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadId(pub u32);

/// What happens to a feed, in any order, doubled or late.
pub enum Input {
    /// An event that is committed: from this node's own log writer, or from the bus.
    Event(SharedEvent),
    /// The feed reaches at least so far: from the poll, a check of heads, or an envelope that could not be read.
    Head(Seq),
    /// A reader wants to read the feed. A seat that its session has here already is given up.
    Join(TicketId, Arc<dyn Reader>),
    /// The attach point asked for by [`Effect::ReadPoint`]: the head in a snapshot in which the user may read the feed, or none.
    Point(TicketId, Option<Seq>),
    /// It could not be read.
    PointFailed(TicketId),
    /// The backfill has been written.
    GoLive(TicketId),
    /// This attach is given up, whatever it has come to.
    Leave(TicketId),
    /// The session no longer reads this feed.
    Detach(SessionId),
    /// What [`Effect::Read`] asked for.
    Page(ReadId, EventPage),
    /// It could not be read.
    ReadFailed(ReadId),
    /// Time has passed.
    Tick,
    /// The store's history is another one: nothing known holds any more.
    EpochChanged,
}

/// Why an attach came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The user may not read the feed.
    NotFound,
    /// The store did not answer, or the session or its history is gone.
    Unavailable,
}

/// What is to be done for a feed, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Read the attach point of this user, beginning now, and answer with [`Input::Point`] or [`Input::PointFailed`].
    ReadPoint(TicketId, UserId),
    /// The attach has its place: its backfill ends here, and what follows is held for it.
    Position(TicketId, Seq),
    /// The attach came to nothing, and its seat is gone.
    Refuse(TicketId, Refusal),
    /// Read up to [`super::REPAIR_PAGE`] events after this one, beginning now, and answer with [`Input::Page`] or [`Input::ReadFailed`].
    Read(ReadId, Seq),
    /// Give [`Input::Tick`] at this moment.
    WakeAt(Moment),
    /// An event committed at this time has just become visible to a live reader.
    Visible(Timestamp),
    /// Something worth counting has happened.
    Count(Count),
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Something after `next` is known while `next` is not there.
    GapDetected,
    /// This many events came from repair reads.
    Repaired(u32),
    /// An event came that had been delivered or was held already.
    DuplicateDropped,
    /// The store has not what was said to be committed: what was held is forgotten.
    Unfounded,
}

/// Most inputs have none or one.
pub type Effects = SmallVec<[Effect; 2]>;
