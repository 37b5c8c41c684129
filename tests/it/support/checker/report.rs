//! What a run came to: figures for one line of JSON, and every violation in words.

use std::io::Write;

use serde_json::json;

/// How many violations are told in words; all are counted.
const TOLD_MAX: usize = 20;

/// The figures of a run.
#[derive(Debug, Default)]
pub struct Report {
    scenario: String,
    seed: u64,
    /// Sends answered `ok`, finally refused, and without an answer.
    pub acked: u64,
    pub failed: u64,
    pub unknown: u64,
    /// Sends that were acked at their second attempt or later.
    pub retried: u64,
    /// Deliveries that had to happen, and those of them that did.
    pub expected: u64,
    pub delivered: u64,
    pub lost: u64,
    pub doubled: u64,
    pub inverted: u64,
    /// Holes that devices saw and repaired themselves.
    pub gaps: u64,
    pub resets: u64,
    violations: Vec<String>,
    violations_count: u64,
    /// Commit → visible of every delivery to a device that was connected all the while, in milliseconds.
    visible_ms: Vec<f64>,
}

impl Report {
    pub fn new(scenario: &str, seed: u64) -> Self {
        Self { scenario: scenario.to_owned(), seed, ..Self::default() }
    }

    pub(super) fn violation(&mut self, rule: &str, words: &str) {
        self.violations_count += 1;
        if self.violations.len() < TOLD_MAX {
            self.violations.push(format!("{rule}: {words}"));
        }
    }

    pub(super) fn visible_after(&mut self, ms: f64) {
        self.visible_ms.push(ms);
    }

    /// The violations in words, at most 20.
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// The value below which this share (0–1) of the times from commit to visible lies, in milliseconds.
    pub fn visible_ms(&self, share: f64) -> f64 {
        let mut sorted = self.visible_ms.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(place.saturating_sub(1)).copied().unwrap_or(0.0)
    }

    /// One line of JSON.
    pub fn line(&self) -> String {
        let ms = |share| (self.visible_ms(share) * 10.0).round() / 10.0;
        json!({
            "scenario": self.scenario, "seed": self.seed,
            "sends": { "acked": self.acked, "failed": self.failed, "unknown": self.unknown, "retried": self.retried },
            "expected": self.expected, "delivered": self.delivered,
            "lost": self.lost, "doubled": self.doubled, "inverted": self.inverted,
            "gaps": self.gaps, "resets": self.resets,
            "visibleMs": { "p50": ms(0.5), "p99": ms(0.99), "max": ms(1.0) },
            "violations": self.violations_count,
        })
        .to_string()
    }

    /// Prints the line, also where the test passes, and fails the test on any violation.
    pub fn print_and_assert_clean(&self) {
        writeln!(std::io::stdout(), "{}", self.line()).expect("stdout is open");
        assert!(self.violations_count == 0, "{}\n{}", self.line(), self.violations.join("\n"));
        assert!(self.expected > 0, "a run in which nothing had to be delivered proves nothing");
    }
}
