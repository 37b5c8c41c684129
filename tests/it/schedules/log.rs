//! The simulated store: one conversation's log as the truth, with its histories, its members, and the times it is away.

use rookery::domain::{ConversationId, Epoch, Event, Fact, FeedId, Role, Seq, Timestamp, UserId};
use rookery::store::EventPage;
use uuid::Uuid;

/// Users by number; a set of them is a bit mask.
pub const USERS: usize = 3;

pub fn user(number: usize) -> UserId {
    UserId::parse(["ann", "bob", "eve"][number]).unwrap()
}

pub fn feed() -> FeedId {
    FeedId::Conversation(ConversationId::from_uuid(Uuid::from_u128(1)))
}

pub fn epoch(history: usize) -> Epoch {
    Epoch::from_uuid(Uuid::from_u128(1_000 + history as u128))
}

/// What a commit does.
#[derive(Clone, Copy, Debug)]
pub enum Write {
    Say,
    Remove(usize),
    Add(usize),
}

#[derive(Clone)]
struct Entry {
    event: Event,
    members_after: u8,
}

/// All that was ever committed.
pub struct Log {
    /// The last one is the present one.
    histories: Vec<Vec<Entry>>,
    commits: u64,
    /// Unreachable until then.
    away_until: u64,
    users: [UserId; USERS],
    /// When membership changed: (time, members after).
    membership: Vec<(u64, u8)>,
}

const FOUNDERS: u8 = 0b011;

impl Log {
    pub fn new() -> Self {
        let users = std::array::from_fn(user);
        Self { histories: vec![Vec::new()], commits: 0, away_until: 0, users, membership: vec![(0, FOUNDERS)] }
    }

    pub fn history(&self) -> usize {
        self.histories.len() - 1
    }

    pub fn head(&self) -> u64 {
        self.present().len() as u64
    }

    /// The present history, and the number of commits over all histories: what a poll asks with.
    pub fn place(&self) -> (usize, u64) {
        (self.history(), self.commits)
    }

    pub fn is_away(&self, now: u64) -> bool {
        now < self.away_until
    }

    pub fn go_away(&mut self, until: u64) {
        self.away_until = self.away_until.max(until);
    }

    pub fn is_member(&self, user: usize) -> bool {
        self.members() & (1 << user) != 0
    }

    /// Whether the user was a member just after this event of that history.
    pub fn was_member(&self, history: usize, seq: u64, user: usize) -> bool {
        let members = match seq.checked_sub(1) {
            Some(index) => self.histories[history].get(index as usize).map_or(0, |entry| entry.members_after),
            None => FOUNDERS,
        };
        members & (1 << user) != 0
    }

    /// Whether the user was no member at some time since then.
    pub fn was_outside_since(&self, user: usize, since: u64) -> bool {
        let before = self.membership.iter().rev().find(|(at, _)| *at <= since).into_iter();
        let during = self.membership.iter().filter(|(at, _)| *at > since);
        before.chain(during).any(|(_, members)| members & (1 << user) == 0)
    }

    /// Whether that history has this very event at this place.
    pub fn has(&self, history: usize, event: &Event) -> bool {
        let index = (event.seq.0 as usize).wrapping_sub(1);
        self.histories[history].get(index).is_some_and(|entry| entry.event.at == event.at)
    }

    /// Commits, if the write still makes sense.
    pub fn commit(&mut self, write: Write, now: u64) -> Option<Event> {
        let (fact, members_after) = match write {
            Write::Say => {
                (Fact::MemberRole { user: self.users[0].clone(), role: Role::Member, by: None }, self.members())
            }
            Write::Remove(user) if self.is_member(user) => {
                (Fact::MemberRemoved { user: self.users[user].clone(), by: None }, self.members() & !(1 << user))
            }
            Write::Add(user) if !self.is_member(user) => {
                let fact = Fact::MemberAdded { user: self.users[user].clone(), role: Role::Member, by: None };
                (fact, self.members() | (1 << user))
            }
            Write::Remove(_) | Write::Add(_) => return None,
        };
        self.commits += 1;
        if members_after != self.members() {
            self.membership.push((now, members_after));
        }
        // The time names the commit: no two events are the same one, whatever their seq.
        let at = Timestamp::from_unix_ms(self.commits as i64);
        let event = Event { feed: feed(), seq: Seq(self.head() + 1), at, actor: None, origin: None, fact };
        self.histories.last_mut().unwrap().push(Entry { event: event.clone(), members_after });
        Some(event)
    }

    pub fn page(&self, after: u64, limit: usize) -> EventPage {
        let events = self.present().iter().skip(after as usize).take(limit).map(|entry| entry.event.clone());
        EventPage { events: events.collect(), head: Seq(self.head()) }
    }

    /// Restores an older state: a new history that has lost the last commits.
    pub fn restore(&mut self, lost: usize, now: u64) {
        let kept = self.present().len().saturating_sub(lost);
        let history = self.present()[..kept].to_vec();
        self.histories.push(history);
        self.commits += 1;
        self.membership.push((now, self.members()));
    }

    fn present(&self) -> &[Entry] {
        self.histories.last().unwrap()
    }

    fn members(&self) -> u8 {
        self.present().last().map_or(FOUNDERS, |entry| entry.members_after)
    }
}
