//! What is counted, and the JSON object it is printed as.

use serde_json::{Map, Value, json};

use crate::cpu::Spent;
use crate::latency::Latency;
use crate::swarm::Swarm;
use crate::wire::round3;

#[derive(Default)]
pub struct Stats {
    pub sent: u64,
    pub acked: u64,
    pub errors: u64,
    pub delivered: u64,
    pub stale: u64,
    pub doubled: u64,
    /// The server's `seq` did not rise at a receiver.
    pub inverted_seq: u64,
    /// One publisher's messages were out of its sending order at a receiver.
    pub inverted_publisher: u64,
    pub delivered_in_window: u64,
    pub acked_in_window: u64,
    pub bytes: u64,
    pub reads: u64,
    pub latency: Latency,
    pub ack: Latency,
    pub first_error: String,
}

impl Stats {
    pub fn note_error(&mut self, text: &str) {
        if self.first_error.is_empty() {
            text.clone_into(&mut self.first_error);
        }
    }
}

/// A measured window.
pub struct Window {
    pub rate: Option<f64>,
    pub secs: f64,
    pub wall_secs: f64,
}

/// CPU seconds per `unit` of `count` things, by process and in total.
fn per(spent: &Spent, count: u64, unit: f64) -> Value {
    if count == 0 {
        return Value::Null;
    }
    let scaled = |seconds: f64| json!(round3(seconds / count as f64 * unit));
    let mut by_name: Map<String, Value> = spent.named.iter().map(|(name, s)| (name.clone(), scaled(*s))).collect();
    by_name.insert("total".into(), scaled(spent.total()));
    by_name.insert("swarm".into(), scaled(spent.own));
    Value::Object(by_name)
}

impl Swarm {
    /// Deliveries that must arrive: each message that was not refused, at each member.
    pub fn expected(&self) -> u64 {
        (self.stats.sent - self.stats.errors) * self.shape.members as u64
    }

    pub fn report(&self, window: &Window) -> Value {
        let (stats, spent) = (&self.stats, self.cpu.since());
        let Window { rate, secs, wall_secs } = window;
        let delivered = stats.delivered.max(1);
        json!({
            "label": self.options.label, "rooms": self.shape.rooms, "members": self.shape.members,
            "rate": rate, "secs": secs, "wall_secs": round3(*wall_secs),
            "sent": stats.sent, "acked": stats.acked, "errors": stats.errors, "first_error": stats.first_error,
            "expected": self.expected(), "delivered": stats.delivered,
            "lost": self.expected() as i64 - stats.delivered as i64, "doubled": stats.doubled, "stale": stats.stale,
            "inverted_seq": stats.inverted_seq, "inverted_publisher": stats.inverted_publisher, "dead": self.counts.dead,
            "deliveries_per_s": (stats.delivered_in_window as f64 / secs).round(),
            "acked_per_s": (stats.acked_in_window as f64 / secs).round(),
            "latency_ms": stats.latency.json(), "ack_ms": stats.ack.json(),
            "bytes_per_delivery": stats.bytes / delivered,
            "reads_per_delivery": round3(stats.reads as f64 / delivered as f64),
            "cpu_s": spent.named, "cpu_swarm_s": round3(spent.own),
            "cpu_per_1m_deliveries": per(&spent, stats.delivered, 1e6),
            "cpu_per_10k_messages": per(&spent, stats.acked, 1e4),
        })
    }
}
