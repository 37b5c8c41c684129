//! The rules about what a device sees: I2, I3, I4, I7, and how long a commit took to be seen.

use std::collections::{BTreeSet, HashMap};

use super::Track;
use super::log::{Entry, Feed, Log};
use super::observation::{Delivery, What};
use super::report::Report;

pub fn judge(track: &Track, log: &Log, report: &mut Report) {
    Reader { track, log, report, stretches: HashMap::new(), connected_since: None }.judge();
}

/// One device's reading, and what it has come to so far.
struct Reader<'a> {
    track: &'a Track,
    log: &'a Log,
    report: &'a mut Report,
    stretches: HashMap<&'a str, Stretch>,
    connected_since: Option<f64>,
}

/// Reading a conversation from one cursor on.
struct Stretch {
    cursor: Option<u64>,
    last: Option<u64>,
    seen: BTreeSet<u64>,
}

/// How far a stretch has to have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    TheHead,
    WhatWasSeen,
}

impl<'a> Reader<'a> {
    fn judge(mut self) {
        for observation in &self.track.observations {
            match &observation.what {
                What::Connect => self.connected_since = Some(observation.at),
                What::Disconnect => self.connected_since = None,
                What::Follow { conversation, cursor } => self.begins(conversation, *cursor),
                What::Attached { conversation, cursor } => self.begins(conversation, Some(*cursor)),
                What::Deliver(delivery) => self.delivery(delivery, observation.at),
                What::Gap { .. } => self.report.gaps += 1,
                What::Reset { conversation } => {
                    self.report.resets += 1;
                    self.violation("I3", &format!("{conversation} was reset"));
                }
                What::Invoke { .. } | What::Ack(_) | What::Failed { .. } | What::Unknown { .. } => {}
            }
        }
        let until = if self.connected_since.is_some() { Until::TheHead } else { Until::WhatWasSeen };
        for (conversation, stretch) in std::mem::take(&mut self.stretches) {
            self.finish(conversation, &stretch, until);
        }
    }

    fn violation(&mut self, rule: &str, words: &str) {
        self.report.violation(rule, &format!("{}: {words}", self.track.device));
    }

    /// A stretch begins; the one before it is judged as far as it went.
    fn begins(&mut self, conversation: &'a str, cursor: Option<u64>) {
        let stretch = Stretch { cursor, last: cursor, seen: BTreeSet::new() };
        if let Some(before) = self.stretches.insert(conversation, stretch) {
            self.finish(conversation, &before, Until::WhatWasSeen);
        }
    }

    fn delivery(&mut self, delivery: &'a Delivery, at: f64) {
        self.equals_its_row(delivery);
        self.is_the_next(delivery);
        let created = delivery.created_at.filter(|created| self.connected_since.is_some_and(|since| since <= *created));
        created.into_iter().for_each(|created| self.report.visible_after((at - created).max(0.0)));
    }

    /// I3.
    fn is_the_next(&mut self, delivery: &'a Delivery) {
        let Delivery { conversation, seq, .. } = delivery;
        let fresh = || Stretch { cursor: None, last: None, seen: BTreeSet::new() };
        let stretch = self.stretches.entry(conversation).or_insert_with(fresh);
        let last = *stretch.last.get_or_insert(seq.saturating_sub(1));
        stretch.cursor.get_or_insert(last);
        stretch.last = Some(last.max(*seq));
        if !stretch.seen.insert(*seq) {
            self.report.doubled += 1;
        } else if *seq < last {
            self.report.inverted += 1;
        }
        if *seq != last + 1 {
            self.violation("I3", &format!("{conversation} shows {seq} after {last}"));
        }
    }

    /// I4: everything up to the head was seen, or up to the user's removal.
    fn finish(&mut self, conversation: &str, stretch: &Stretch, until: Until) {
        let (Some(cursor), Some(feed)) = (stretch.cursor, self.log.get(conversation)) else { return };
        let removal = feed.entries.iter().find(|entry| entry.seq > cursor && removes(entry, &self.track.user));
        let end = match until {
            Until::TheHead => removal.map_or(feed.head, |entry| entry.seq),
            Until::WhatWasSeen => stretch.seen.last().copied().unwrap_or(cursor),
        };
        let missing: Vec<u64> = (cursor + 1..=end).filter(|seq| !stretch.seen.contains(seq)).collect();
        let (expected, lost) = (end.saturating_sub(cursor), missing.len() as u64);
        self.report.expected += expected;
        self.report.delivered += expected - lost;
        self.report.lost += lost;
        if lost > 0 {
            let first = &missing[..missing.len().min(10)];
            self.violation("I4", &format!("{conversation} is seen to {end} without {lost}: {first:?} …"));
        }
    }

    /// I2 and I7.
    fn equals_its_row(&mut self, delivery: &Delivery) {
        let Some(feed) = self.log.get(&delivery.conversation) else { return };
        let place = format!("{} of {}", delivery.seq, delivery.conversation);
        let Some(row) = feed.entries.iter().find(|entry| entry.seq == delivery.seq) else {
            return self.violation("I2", &format!("{place} is delivered and not in the log"));
        };
        if row.kind.replace('.', ":") != delivery.event {
            self.violation("I2", &format!("{place} is delivered as {} and stored as {}", delivery.event, row.kind));
        }
        if let Some((message, client_id, sender)) = &delivery.message {
            let same = row.message.as_ref() == Some(message) && row.client_id == *client_id && row.actor == *sender;
            if !same || (!row.edited && row.content != delivery.content) {
                self.violation("I2", &format!("{place} is delivered as {delivery:?} and stored as {row:?}"));
            }
        }
        if !is_member_at(feed, &self.track.user, delivery.seq) {
            self.violation("I7", &format!("{place} is delivered after the user's removal"));
        }
    }
}

/// Whether the user may see the event: the last word on them before it was not their removal.
fn is_member_at(feed: &Feed, user: &str, seq: u64) -> bool {
    let about = |entry: &&Entry| entry.seq < seq && entry.user.as_deref() == Some(user);
    feed.entries.iter().rev().find(about).is_none_or(|entry| !removes(entry, user))
}

fn removes(entry: &Entry, user: &str) -> bool {
    entry.kind == "member.removed" && entry.user.as_deref() == Some(user)
}
