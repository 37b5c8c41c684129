//! Latencies in microseconds, shown as quantiles in milliseconds.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::wire::round3;

pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new(3).expect("three digits are within the histogram's bounds"))
    }
}

impl Latency {
    pub fn add(&mut self, us: u64) {
        self.0.saturating_record(us);
    }

    /// The quantile in milliseconds.
    pub fn quantile_ms(&self, q: f64) -> f64 {
        round3(self.0.value_at_quantile(q) as f64 / 1000.0)
    }

    pub fn json(&self) -> Value {
        let q = |q| self.quantile_ms(q);
        json!({"p50": q(0.5), "p95": q(0.95), "p99": q(0.99), "p999": q(0.999), "max": q(1.0)})
    }
}
