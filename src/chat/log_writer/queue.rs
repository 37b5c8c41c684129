//! The queue of one lane: in order per sender, senders in turn, bounded in number, bytes and age.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::domain::{ChatError, Content, ConversationId, Reply, UserId};
use crate::store::{Append, WriteAct};

/// Writes of one batch.
pub(super) const BATCH_WRITES_MAX: usize = 256;
/// Bytes of one batch, from its second write on.
const BATCH_BYTES_MAX: usize = 256 << 10;
/// What a write costs beside its words.
const WRITE_BYTES: usize = 512;

/// A write and who waits for it.
#[derive(Debug)]
pub(super) struct Write {
    /// What the store is asked.
    pub append: Append,
    /// Who waits.
    pub ticket: Ticket,
}

/// Who waits for a write, since when, and what it weighs.
#[derive(Debug)]
pub(super) struct Ticket {
    /// Who is told.
    pub caller: oneshot::Sender<Result<Reply, ChatError>>,
    /// When it came.
    pub since: Instant,
    bytes: usize,
}

impl Write {
    pub fn new(append: Append, caller: oneshot::Sender<Result<Reply, ChatError>>, since: Instant) -> Self {
        let bytes = WRITE_BYTES + words_bytes(&append.act);
        Self { append, ticket: Ticket { caller, since, bytes } }
    }
}

fn words_bytes(act: &WriteAct) -> usize {
    match act {
        WriteAct::Send(draft) => match &draft.content {
            Content::Text(text) => text.len(),
            Content::Object(json) => json.get().len(),
        },
        WriteAct::AddMember(..) | WriteAct::RemoveMember(_) | WriteAct::SetRole(..) | WriteAct::Update(_) => 0,
    }
}

/// How much may wait, and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueBounds {
    /// In number.
    pub writes_max: usize,
    /// In bytes.
    pub bytes_max: usize,
    /// In age: of the next in turn, of the sender's own first, and of the batch under way.
    pub admission: Duration,
}

/// Why a write was not taken: nothing has happened to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Too many or too much.
    Full,
    /// What is in the lane waits too long already.
    Stalled,
    /// The node is shutting down.
    Closed,
}

/// Who sends, for fairness: each has one queue of its own; the service API acting by itself is one sender.
type Sender = Option<UserId>;

/// Which of the two workers of a lane asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Track {
    /// Takes what waits, of all conversations that are not locked.
    Main,
    /// Waits for the locked ones, one at a time, so that the others need not.
    Siding,
}

/// What a worker finds.
#[derive(Debug)]
pub(super) enum Next {
    /// This is to be written; [`LaneQueue::done`] follows before the track takes again.
    Batch(Vec<Write>),
    /// Nothing now.
    Nothing,
    /// Nothing ever: closed, and everything is settled.
    End,
}

/// Waiting writes. A write counts towards the bounds until it is [`LaneQueue::done`].
#[derive(Debug)]
pub(super) struct LaneQueue {
    bounds: QueueBounds,
    by_sender: HashMap<Sender, VecDeque<Write>>,
    /// Senders with something waiting, each once, with the moment they took their place: the first has waited longest.
    turn: VecDeque<(Sender, Instant)>,
    /// Writes whose conversation was found locked by another writer, in order.
    parked: VecDeque<Write>,
    /// The conversation that the siding waits for.
    awaited: Option<ConversationId>,
    /// Since when the main track is busy with one batch.
    batch_since: Option<Instant>,
    writes_count: usize,
    bytes: usize,
    closed: bool,
}

impl LaneQueue {
    pub fn new(bounds: QueueBounds) -> Self {
        Self {
            bounds,
            by_sender: HashMap::new(),
            turn: VecDeque::new(),
            parked: VecDeque::new(),
            awaited: None,
            batch_since: None,
            writes_count: 0,
            bytes: 0,
            closed: false,
        }
    }

    /// Takes a write in, behind the others of its sender.
    pub fn push(&mut self, write: Write) -> Result<(), Refused> {
        self.admit(&write)?;
        self.writes_count += 1;
        self.bytes += write.ticket.bytes;
        let sender = write.append.actor.clone();
        let own = self.by_sender.entry(sender.clone()).or_default();
        if own.is_empty() {
            self.turn.push_back((sender, write.ticket.since));
        }
        own.push_back(write);
        Ok(())
    }

    fn admit(&self, write: &Write) -> Result<(), Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        if self.writes_count >= self.bounds.writes_max || self.bytes + write.ticket.bytes > self.bounds.bytes_max {
            return Err(Refused::Full);
        }
        let own = self.by_sender.get(&write.append.actor).and_then(VecDeque::front).map(|first| first.ticket.since);
        let next = self.turn.front().map(|(_, since)| *since);
        let oldest = [self.batch_since, next, own].into_iter().flatten().min();
        if oldest.is_some_and(|oldest| write.ticket.since.duration_since(oldest) > self.bounds.admission) {
            return Err(Refused::Stalled);
        }
        Ok(())
    }

    /// The next batch of a track.
    pub fn take(&mut self, track: Track, now: Instant) -> Next {
        let batch = match track {
            Track::Main => self.take_in_turn(now),
            Track::Siding => self.take_parked(),
        };
        if !batch.is_empty() {
            return Next::Batch(batch);
        }
        if self.closed && self.writes_count == 0 { Next::End } else { Next::Nothing }
    }

    /// Senders in turn, one write each, until the batch is full; what is behind a locked conversation waits.
    fn take_in_turn(&mut self, now: Instant) -> Vec<Write> {
        let locked: HashSet<ConversationId> =
            self.parked.iter().map(|write| write.append.conversation).chain(self.awaited).collect();
        let (mut batch, mut bytes, mut held) = (Vec::new(), 0, Vec::new());
        while batch.len() < BATCH_WRITES_MAX {
            let Some((sender, since)) = self.turn.pop_front() else { break };
            let own = self.by_sender.get_mut(&sender).expect("who is in turn has something waiting");
            let first = own.front().expect("who is in turn has something waiting");
            if locked.contains(&first.append.conversation) {
                held.push((sender, now));
                continue;
            }
            if !batch.is_empty() && bytes + first.ticket.bytes > BATCH_BYTES_MAX {
                self.turn.push_front((sender, since));
                break;
            }
            bytes += first.ticket.bytes;
            batch.extend(own.pop_front());
            if own.is_empty() {
                self.by_sender.remove(&sender);
            } else {
                self.turn.push_back((sender, now));
            }
        }
        // Who waits for a locked conversation takes a new place: to the others, the lane must not look stalled.
        self.turn.extend(held);
        self.batch_since = (!batch.is_empty()).then_some(now);
        batch
    }

    /// All that is parked of the conversation that has waited longest: it came from one batch and is no larger.
    fn take_parked(&mut self) -> Vec<Write> {
        self.awaited = self.parked.front().map(|write| write.append.conversation);
        let Some(awaited) = self.awaited else { return Vec::new() };
        let (batch, others): (VecDeque<Write>, VecDeque<Write>) =
            self.parked.drain(..).partition(|write| write.append.conversation == awaited);
        self.parked = others;
        Vec::from(batch)
    }

    /// A track's batch is over: these of it found their conversation locked, and the siding waits for it.
    pub fn done(&mut self, track: Track, settled: Settled, locked: Vec<Write>) {
        match track {
            Track::Main => self.batch_since = None,
            Track::Siding => self.awaited = None,
        }
        self.writes_count -= settled.writes_count;
        self.bytes -= settled.bytes;
        self.parked.extend(locked);
    }

    /// Takes no more.
    pub const fn close(&mut self) {
        self.closed = true;
    }

    /// Writes that wait or are under way.
    pub const fn depth(&self) -> usize {
        self.writes_count
    }
}

/// What leaves the lane with a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Settled {
    writes_count: usize,
    bytes: usize,
}

impl Settled {
    /// Counts one more.
    pub const fn add(&mut self, ticket: &Ticket) {
        self.writes_count += 1;
        self.bytes += ticket.bytes;
    }
}
