//! Latencies in microseconds, shown as quantiles in milliseconds.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::wire::round3;

/// Ten minutes, in microseconds; whatever takes longer counts as that.
const LATENCY_MAX_US: u64 = 600_000_000;

pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LATENCY_MAX_US, 3).expect("these bounds are within the histogram's own"))
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

#[cfg(test)]
mod tests {
    use super::Latency;

    #[test]
    fn quantiles_are_those_of_what_was_added() {
        let mut latency = Latency::default();
        (1..=100_000).for_each(|us| latency.add(us));
        for (q, ms) in [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            assert!((latency.quantile_ms(q) / ms - 1.0).abs() < 0.01, "{q}: {}", latency.quantile_ms(q));
        }
    }
}
