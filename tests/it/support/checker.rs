//! Judges a run: what the devices saw against what the store holds. Nothing lost, nothing twice, nothing out of order.
//!
//! The rules carry the numbers that docs/GUARANTEES.md gives them:
//! I1 an acked send is in the log exactly once · I2 what is delivered equals the row · I3 a device sees seq after seq from
//! its cursor · I4 at the end everybody online is at the head · I5 a sender's order is kept · I6 no send is in the log
//! twice, and a refused one never · I7 nothing reaches a user after the removal · I11 the seqs of the log are 1, 2, 3 ….

pub mod log;
pub mod observation;
mod reading;
mod report;
mod sending;

use log::Log;
use observation::{Observation, Recorder};
pub use report::Report;

/// One device's part of a run.
pub struct Track {
    pub device: String,
    pub user: String,
    pub observations: Vec<Observation>,
}

/// A run to be judged.
pub struct Run<'a> {
    pub scenario: &'a str,
    pub seed: u64,
    pub tracks: Vec<Track>,
    pub log: Log,
}

impl<'a> Run<'a> {
    /// Collects what the devices saw and reads the log of these conversations.
    pub async fn collect(
        scenario: &'a str,
        seed: u64,
        devices: &[&dyn Recorder],
        store_url: &str,
        conversations: &[&str],
    ) -> Self {
        let track = |device: &&dyn Recorder| Track {
            device: device.device(),
            user: device.user(),
            observations: device.observations(),
        };
        let tracks = devices.iter().map(track).collect();
        Self { scenario, seed, tracks, log: log::read(store_url, conversations).await }
    }

    /// Applies every rule.
    pub fn judge(&self) -> Report {
        let mut report = Report::new(self.scenario, self.seed);
        for (conversation, feed) in &self.log {
            numbers_have_no_holes(conversation, feed, &mut report);
        }
        for track in &self.tracks {
            sending::judge(track, &self.log, &mut report);
            reading::judge(track, &self.log, &mut report);
        }
        report
    }
}

/// I11.
fn numbers_have_no_holes(conversation: &str, feed: &log::Feed, report: &mut Report) {
    let seqs: Vec<u64> = feed.entries.iter().map(|entry| entry.seq).collect();
    let wanted: Vec<u64> = (1..=feed.head).collect();
    if seqs != wanted {
        report.violation("I11", &format!("{conversation}: the head is {}, the seqs are {seqs:?}", feed.head));
    }
}

#[cfg(test)]
mod tests;
