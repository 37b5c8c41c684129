//! Which topics this node wants, which are live, and what the server must be told next. No I/O, no clock of its own.

use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::bus::Topic;

/// The wanted topics of a node.
///
/// About 100 bytes a topic: an entry here, and one in the queue of changes or leavings while it moves.
#[derive(Debug)]
pub(super) struct Interest {
    topics: HashMap<Topic, Entry, foldhash::fast::RandomState>,
    /// Topics to look at, each at most once.
    changed: VecDeque<Topic>,
    /// Topics that nobody wants, in the order in which they may be unsubscribed, each at most once.
    leaving: VecDeque<(Instant, Topic)>,
    linger: Duration,
    /// Which pair of connections is in use; what was live on an earlier one is not live.
    link: u32,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// When the node lost interest; none while it is wanted.
    left_at: Option<Instant>,
    /// The link on which the subscription was confirmed; 0 is none.
    live_on: u32,
    /// The node waits for word that it is live.
    owed: bool,
    in_changed: bool,
    in_leaving: bool,
}

/// What is to be done now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// To be subscribed and then confirmed.
    pub subscribe: Vec<Topic>,
    /// Live already: the node can be told at once.
    pub live: Vec<Topic>,
}

impl Interest {
    pub fn new(linger: Duration) -> Self {
        let (topics, changed, leaving) = (HashMap::default(), VecDeque::new(), VecDeque::new());
        Self { topics, changed, leaving, linger, link: 1 }
    }

    /// The node wants a topic and waits for word.
    pub fn want(&mut self, topic: &Topic) {
        let fresh = Entry { left_at: None, live_on: 0, owed: true, in_changed: false, in_leaving: false };
        let entry = self.topics.entry(topic.clone()).or_insert(fresh);
        (entry.left_at, entry.owed) = (None, true);
        if !entry.in_changed {
            entry.in_changed = true;
            self.changed.push_back(topic.clone());
        }
    }

    /// The node no longer wants a topic; it stays subscribed for a while.
    pub fn leave(&mut self, topic: &Topic, now: Instant) {
        let Some(entry) = self.topics.get_mut(topic) else { return };
        entry.owed = false;
        if entry.left_at.is_some() {
            return;
        }
        entry.left_at = Some(now);
        if !entry.in_leaving {
            entry.in_leaving = true;
            self.leaving.push_back((now + self.linger, topic.clone()));
        }
    }

    /// Whether what arrives on a topic concerns the node.
    pub fn wants(&self, topic: &Topic) -> bool {
        self.topics.get(topic).is_some_and(|entry| entry.left_at.is_none())
    }

    /// How many topics the server knows or will know.
    pub fn len(&self) -> usize {
        self.topics.len()
    }

    /// The next changes, at most so many of each sort; nothing when all is done.
    pub fn next_changes(&mut self, max: usize) -> Changes {
        let mut changes = Changes::default();
        while changes.subscribe.len() < max && changes.live.len() < max {
            let Some(topic) = self.changed.pop_front() else { break };
            let Some(entry) = self.topics.get_mut(&topic) else { continue };
            entry.in_changed = false;
            if entry.left_at.is_some() {
                continue;
            }
            if entry.live_on != self.link {
                changes.subscribe.push(topic);
            } else if std::mem::take(&mut entry.owed) {
                changes.live.push(topic);
            }
        }
        changes
    }

    /// These subscriptions are confirmed on the present link; answers those that the node waits for.
    pub fn confirm(&mut self, topics: Vec<Topic>) -> Vec<Topic> {
        let link = self.link;
        let mut confirm_one = |topic: &Topic| {
            self.topics.get_mut(topic).is_some_and(|entry| {
                entry.live_on = link;
                std::mem::take(&mut entry.owed)
            })
        };
        topics.into_iter().filter(|topic| confirm_one(topic)).collect()
    }

    /// The topics, at most so many, that may be unsubscribed now; they are forgotten here.
    pub fn next_leaving(&mut self, now: Instant, max: usize) -> Vec<Topic> {
        let mut gone = Vec::new();
        while gone.len() < max {
            let Some((_, topic)) = self.leaving.pop_front_if(|(due, _)| *due <= now) else { break };
            let Slot::Occupied(mut slot) = self.topics.entry(topic) else { continue };
            slot.get_mut().in_leaving = false;
            let Some(left_at) = slot.get().left_at else { continue };
            if left_at + self.linger > now {
                // It came back and left again meanwhile: its time counts from then.
                slot.get_mut().in_leaving = true;
                self.leaving.push_back((left_at + self.linger, slot.key().clone()));
            } else if slot.get().live_on == self.link {
                gone.push(slot.remove_entry().0);
            } else {
                slot.remove();
            }
        }
        gone
    }

    /// When the next topic may be unsubscribed.
    pub fn next_leaving_at(&self) -> Option<Instant> {
        self.leaving.front().map(|(due, _)| *due)
    }

    /// A new link: nothing is live on it, everything wanted is to be subscribed, and what was left is forgotten.
    pub fn relink(&mut self) {
        self.link += 1;
        self.leaving.clear();
        self.changed.clear();
        self.topics.retain(|_, entry| entry.left_at.is_none());
        self.topics.shrink_to_fit();
        for (topic, entry) in &mut self.topics {
            (entry.in_changed, entry.in_leaving) = (true, false);
            self.changed.push_back(topic.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UserId;

    const LINGER: Duration = Duration::from_secs(5);
    const SECOND: Duration = Duration::from_secs(1);

    fn topic(name: &str) -> Topic {
        Topic::User(UserId::parse(name).unwrap())
    }

    /// Does what the keeper does: everything that is to be subscribed is confirmed. Answers what the node is told.
    fn settle(interest: &mut Interest) -> Vec<Topic> {
        let mut told = Vec::new();
        loop {
            let changes = interest.next_changes(2);
            if changes == Changes::default() {
                return told;
            }
            told.extend(changes.live);
            told.extend(interest.confirm(changes.subscribe));
        }
    }

    #[test]
    fn the_node_is_told_once_for_what_it_asked_before_the_answer_and_at_once_afterwards() {
        let mut interest = Interest::new(LINGER);
        interest.want(&topic("ann"));
        interest.want(&topic("ann"));
        assert_eq!(settle(&mut interest), [topic("ann")]);
        interest.want(&topic("ann"));
        assert_eq!(interest.next_changes(9), Changes { subscribe: vec![], live: vec![topic("ann")] });
        assert_eq!(settle(&mut interest), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_topic_that_is_wanted_again_in_time_is_not_touched_on_the_server() {
        let mut interest = Interest::new(LINGER);
        interest.want(&topic("ann"));
        settle(&mut interest);
        let start = Instant::now();
        interest.leave(&topic("ann"), start);
        assert!(!interest.wants(&topic("ann")));
        interest.want(&topic("ann"));
        assert_eq!(interest.next_changes(9), Changes { subscribe: vec![], live: vec![topic("ann")] });
        assert_eq!(interest.next_leaving(start + LINGER * 2, 9), []);
        assert!(interest.wants(&topic("ann")));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_a_topic_counts_from_when_it_was_last_left() {
        let mut interest = Interest::new(LINGER);
        interest.want(&topic("ann"));
        settle(&mut interest);
        let start = Instant::now();
        for second in 0..4 {
            interest.leave(&topic("ann"), start + SECOND * second);
            interest.want(&topic("ann"));
        }
        interest.leave(&topic("ann"), start + SECOND * 4);
        assert_eq!(interest.next_leaving(start + LINGER, 9), []);
        assert_eq!(interest.next_leaving_at(), Some(start + SECOND * 4 + LINGER));
        assert_eq!(interest.next_leaving(start + SECOND * 4 + LINGER, 9), [topic("ann")]);
        assert_eq!((interest.len(), interest.next_leaving_at()), (0, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_topic_left_before_it_was_live_is_forgotten_and_nobody_is_told() {
        let mut interest = Interest::new(LINGER);
        interest.want(&topic("ann"));
        interest.leave(&topic("ann"), Instant::now());
        assert_eq!(settle(&mut interest), []);
        assert_eq!(interest.next_leaving(Instant::now() + LINGER, 9), []);
        assert_eq!(interest.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_topic_left_while_its_subscription_is_on_the_way_is_unsubscribed_later() {
        let mut interest = Interest::new(LINGER);
        interest.want(&topic("ann"));
        let changes = interest.next_changes(9);
        interest.leave(&topic("ann"), Instant::now());
        assert_eq!(interest.confirm(changes.subscribe), []);
        assert_eq!(interest.next_leaving(Instant::now() + LINGER, 9), [topic("ann")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_link_is_told_everything_wanted_and_nothing_else() {
        let mut interest = Interest::new(LINGER);
        for name in ["ann", "bob", "cid"] {
            interest.want(&topic(name));
        }
        settle(&mut interest);
        interest.leave(&topic("bob"), Instant::now());
        interest.relink();
        interest.want(&topic("cid"));
        let mut subscribed = interest.next_changes(9).subscribe;
        subscribed.sort_by_key(|topic| format!("{topic:?}"));
        assert_eq!(subscribed, [topic("ann"), topic("cid")]);
        // A gap covers those that were live before; only who asked since then is told.
        assert_eq!(interest.confirm(subscribed), [topic("cid")]);
        assert_eq!(interest.next_leaving(Instant::now() + LINGER, 9), []);
        assert_eq!(interest.len(), 2);
    }

    #[test]
    fn a_topic_costs_little() {
        assert!(size_of::<(Topic, Entry)>() <= 64, "{}", size_of::<(Topic, Entry)>());
    }
}
