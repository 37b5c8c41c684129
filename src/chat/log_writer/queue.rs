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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Act, ClientId, Permission};

    const ADMISSION: Duration = Duration::from_secs(2);

    fn queue(writes_max: usize) -> LaneQueue {
        LaneQueue::new(QueueBounds { writes_max, bytes_max: 1 << 20, admission: ADMISSION })
    }

    /// A write named by `name`; conversations are named by a number.
    fn write(sender: &str, conversation: u128, name: &str, since: Instant) -> Write {
        let append = Append {
            conversation: ConversationId::from_uuid(uuid::Uuid::from_u128(conversation)),
            actor: Some(UserId::parse(sender).unwrap()),
            origin: None,
            client_id: ClientId::parse(name).unwrap(),
            permission: Permission::of(Act::Leave),
            act: WriteAct::RemoveMember(UserId::parse(sender).unwrap()),
        };
        Write::new(append, oneshot::channel().0, since)
    }

    fn take(queue: &mut LaneQueue, track: Track) -> Vec<Write> {
        match queue.take(track, Instant::now()) {
            Next::Batch(batch) => batch,
            Next::Nothing | Next::End => Vec::new(),
        }
    }

    fn names(batch: &[Write]) -> Vec<&str> {
        batch.iter().map(|write| write.append.client_id.as_str()).collect()
    }

    fn settle(queue: &mut LaneQueue, track: Track, batch: Vec<Write>, locked: Vec<Write>) {
        let mut settled = Settled::default();
        batch.iter().for_each(|write| settled.add(&write.ticket));
        queue.done(track, settled, locked);
    }

    #[tokio::test(start_paused = true)]
    async fn senders_take_turns_and_each_keeps_the_own_order() {
        let (mut queue, now) = (queue(100), Instant::now());
        for (sender, name) in [("ann", "a1"), ("ann", "a2"), ("ann", "a3"), ("bob", "b1"), ("cid", "c1"), ("bob", "b2")]
        {
            queue.push(write(sender, 1, name, now)).unwrap();
        }
        assert_eq!(names(&take(&mut queue, Track::Main)), ["a1", "b1", "c1", "a2", "b2", "a3"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_locked_conversation_waits_on_the_siding_in_order_while_the_others_go_on() {
        let (mut queue, now) = (queue(100), Instant::now());
        for (sender, conversation, name) in [("ann", 1, "a1"), ("bob", 1, "b1"), ("cid", 2, "c1")] {
            queue.push(write(sender, conversation, name, now)).unwrap();
        }
        let mut batch = take(&mut queue, Track::Main);
        let free = batch.split_off(2);
        settle(&mut queue, Track::Main, free, batch);
        queue.push(write("ann", 1, "a2", now)).unwrap();
        queue.push(write("cid", 2, "c2", now)).unwrap();
        assert_eq!(names(&take(&mut queue, Track::Main)), ["c2"]);
        let awaited = take(&mut queue, Track::Siding);
        assert_eq!(names(&awaited), ["a1", "b1"]);
        assert!(take(&mut queue, Track::Main).is_empty(), "a2 must not overtake what the siding waits for");
        settle(&mut queue, Track::Siding, awaited, Vec::new());
        assert_eq!(names(&take(&mut queue, Track::Main)), ["a2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_stays_locked_lets_the_next_locked_conversation_pass() {
        let (mut queue, now) = (queue(100), Instant::now());
        for (conversation, name) in [(1, "a1"), (2, "a2")] {
            queue.push(write("ann", conversation, name, now)).unwrap();
        }
        let batch = take(&mut queue, Track::Main);
        settle(&mut queue, Track::Main, Vec::new(), batch);
        let first = take(&mut queue, Track::Siding);
        settle(&mut queue, Track::Siding, Vec::new(), first);
        assert_eq!(names(&take(&mut queue, Track::Siding)), ["a2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_bounded_in_number_and_the_rest_stays_in_order() {
        let (mut queue, now) = (queue(1_000), Instant::now());
        let all: Vec<String> = (0..300).map(|number| format!("w{number}")).collect();
        all.iter().for_each(|name| queue.push(write("ann", 1, name, now)).unwrap());
        let mut seen = Vec::new();
        loop {
            let batch = take(&mut queue, Track::Main);
            assert!(batch.len() <= BATCH_WRITES_MAX);
            if batch.is_empty() {
                break;
            }
            seen.extend(names(&batch).into_iter().map(str::to_owned));
            settle(&mut queue, Track::Main, batch, Vec::new());
        }
        assert_eq!(seen, all);
        assert_eq!(queue.depth(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_full_stalled_or_closed_takes_nothing_more() {
        let (mut queue, now) = (queue(2), Instant::now());
        queue.push(write("ann", 1, "a1", now)).unwrap();
        queue.push(write("ann", 1, "a2", now)).unwrap();
        assert_eq!(queue.push(write("bob", 1, "b1", now)), Err(Refused::Full));
        let batch = take(&mut queue, Track::Main);
        assert_eq!(queue.push(write("bob", 1, "b1", now)), Err(Refused::Full), "a batch under way still counts");
        settle(&mut queue, Track::Main, batch, Vec::new());
        queue.push(write("ann", 1, "a3", now)).unwrap();
        let late = now + ADMISSION + Duration::from_millis(1);
        assert_eq!(queue.push(write("bob", 1, "b1", late)), Err(Refused::Stalled));
        queue.close();
        assert_eq!(queue.push(write("bob", 1, "b1", now)), Err(Refused::Closed));
        let batch = take(&mut queue, Track::Main);
        assert!(matches!(queue.take(Track::Siding, now), Next::Nothing), "not all is settled");
        settle(&mut queue, Track::Main, batch, Vec::new());
        assert!(matches!(queue.take(Track::Siding, now), Next::End));
    }
}
