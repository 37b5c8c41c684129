//! The rules about sends: I1, I5, I6.

use std::collections::HashMap;

use super::Track;
use super::log::{Entry, Log};
use super::observation::{Ack, What};
use super::report::Report;

pub fn judge(track: &Track, log: &Log, report: &mut Report) {
    let mut sends = Sends::default();
    for observation in &track.observations {
        match &observation.what {
            What::Invoke { conversation, client_id } => sends.invoke(conversation, client_id, observation.at),
            What::Ack(ack) => {
                report.acked += 1;
                report.retried += u64::from(ack.attempts > 1);
                judge_ack(track, ack, log, report);
                sends.ack(ack, observation.at);
            }
            What::Failed { client_id, attempts } => {
                report.failed += 1;
                if *attempts == 1 && sends.rows(track, client_id, log).next().is_some() {
                    report.violation("I6", &format!("{}: {client_id} was refused and is in the log", track.device));
                }
            }
            What::Unknown { .. } => report.unknown += 1,
            What::Connect | What::Disconnect | What::Follow { .. } | What::Attached { .. } => {}
            What::Deliver(_) | What::Gap { .. } | What::Reset { .. } => {}
        }
    }
    judge_rows(track, &sends, log, report);
    judge_order(track, sends, report);
}

/// The sends of one device.
#[derive(Default)]
struct Sends {
    /// By clientId: the conversation, when it was invoked, and as which of the device's sends.
    invoked: HashMap<String, (String, f64, usize)>,
    /// By conversation, in the order of their seqs.
    acked: HashMap<String, Vec<Acked>>,
}

struct Acked {
    seq: u64,
    client_id: String,
    acked_at: f64,
    invoked_at: f64,
    place: usize,
    /// The connection, when the first attempt was the one that was acked.
    at_once_on: Option<u64>,
}

impl Sends {
    fn invoke(&mut self, conversation: &str, client_id: &str, at: f64) {
        let place = self.invoked.len();
        self.invoked.insert(client_id.to_owned(), (conversation.to_owned(), at, place));
    }

    fn ack(&mut self, ack: &Ack, acked_at: f64) {
        let Some((_, invoked_at, place)) = self.invoked.get(&ack.client_id) else { return };
        self.acked.entry(ack.conversation.clone()).or_default().push(Acked {
            seq: ack.seq,
            client_id: ack.client_id.clone(),
            acked_at,
            invoked_at: *invoked_at,
            place: *place,
            at_once_on: (ack.attempts == 1).then_some(ack.connection),
        });
    }

    /// The rows that a send has in the log.
    fn rows<'a>(&self, track: &'a Track, client_id: &'a str, log: &'a Log) -> impl Iterator<Item = &'a Entry> {
        let conversation = self.invoked.get(client_id).map(|(conversation, ..)| conversation);
        let entries = conversation.and_then(|id| log.get(id)).map_or(&[][..], |feed| &feed.entries);
        entries.iter().filter(move |e| e.actor == track.user && e.client_id.as_deref() == Some(client_id))
    }
}

/// I1: the row is there, and is what the ack said.
fn judge_ack(track: &Track, ack: &Ack, log: &Log, report: &mut Report) {
    let entries = log.get(&ack.conversation).map_or(&[][..], |feed| &feed.entries);
    let by_id = |e: &&Entry| e.actor == track.user && e.client_id.as_deref() == Some(&ack.client_id);
    match entries.iter().find(by_id) {
        None => report.violation(
            "I1",
            &format!("{}: {} was acked as {} and is not in the log", track.device, ack.client_id, ack.seq),
        ),
        Some(row) if row.seq != ack.seq || row.message.as_deref() != Some(&ack.message) => {
            let words = format!(
                "{}: {} was acked as {} and is in the log as {}",
                track.device, ack.client_id, ack.seq, row.seq
            );
            report.violation("I1", &words);
        }
        Some(_) => {}
    }
}

/// I1 and I6: at most one row for each send, whatever its answer.
fn judge_rows(track: &Track, sends: &Sends, log: &Log, report: &mut Report) {
    for client_id in sends.invoked.keys() {
        let seqs: Vec<u64> = sends.rows(track, client_id, log).map(|row| row.seq).collect();
        if seqs.len() > 1 {
            report.doubled += 1;
            report.violation("I6", &format!("{}: {client_id} is in the log as {seqs:?}", track.device));
        }
    }
}

/// I5: a send that was invoked after another's ack comes after it; so does one that followed it on the same connection
/// at the first attempt of both. (A retry may fall behind what was sent after it.)
fn judge_order(track: &Track, sends: Sends, report: &mut Report) {
    for mut acked in sends.acked.into_values() {
        acked.sort_by_key(|send| send.seq);
        let mut latest_invoke = f64::MIN;
        let mut last_place: HashMap<u64, usize> = HashMap::new();
        for send in &acked {
            // Everything before it in the log was invoked no later than it was acked.
            if send.acked_at < latest_invoke {
                let words =
                    format!("{}: {} is in the log after a send invoked after its ack", track.device, send.client_id);
                report.violation("I5", &words);
            }
            latest_invoke = latest_invoke.max(send.invoked_at);
            let Some(connection) = send.at_once_on else { continue };
            let before = last_place.insert(connection, send.place);
            if before.is_some_and(|before| before > send.place) {
                report.inverted += 1;
                let words = format!("{}: {} overtook or was overtaken on its connection", track.device, send.client_id);
                report.violation("I5", &words);
            }
        }
    }
}
