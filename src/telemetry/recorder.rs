//! Keeps the metrics and shows them as Prometheus reads them.

use metrics::{gauge, set_global_recorder};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

use super::metrics::{self as table, Kind};

/// Seconds from one millisecond, half of a light-load round trip, to ten seconds, when clients have given up.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Sizes of batches, whose bound is 1,000.
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The table asks for something that cannot be kept.
    #[error("metrics: {0}")]
    Build(#[from] BuildError),
    /// Somebody else has installed one.
    #[error("a recorder of metrics is installed already")]
    Installed,
}

/// The metrics of this process.
#[derive(Clone)]
pub struct Recorder {
    handle: PrometheusHandle,
    process: Collector,
}

/// Keeps everything in [`table::ALL`], with the node's name on each. Once a process.
///
/// # Errors
/// When a recorder is installed already.
pub fn install_recorder(node: &str) -> Result<Recorder, RecorderError> {
    let recorder = builder(node)?.build_recorder();
    let handle = recorder.handle();
    set_global_recorder(recorder).map_err(|_| RecorderError::Installed)?;
    table::describe();
    let process = Collector::default();
    process.describe();
    gauge!(table::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(Recorder { handle, process })
}

fn builder(node: &str) -> Result<PrometheusBuilder, BuildError> {
    let mut builder = PrometheusBuilder::new().add_global_label("node", node);
    for metric in table::ALL {
        let buckets = match metric.kind {
            Kind::Seconds => SECONDS,
            Kind::Sizes => SIZES,
            Kind::Counter | Kind::Gauge => continue,
        };
        builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)?;
    }
    Ok(builder)
}

impl Recorder {
    /// The text that Prometheus scrapes.
    #[must_use]
    pub fn render(&self) -> String {
        self.process.collect();
        self.handle.render()
    }

    /// Folds what histograms have gathered into their buckets; without it their memory grows until the next scrape. Call every few seconds.
    pub fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use metrics::{histogram, with_local_recorder};

    use super::*;

    #[test]
    fn a_histogram_has_buckets_and_every_line_names_the_node() {
        let recorder = builder("n1").unwrap().build_recorder();
        let text = with_local_recorder(&recorder, || {
            table::describe();
            for metric in table::ALL.iter().filter(|metric| matches!(metric.kind, Kind::Seconds | Kind::Sizes)) {
                histogram!(metric.name).record(3.0);
            }
            recorder.handle().render()
        });
        for metric in table::ALL.iter().filter(|metric| matches!(metric.kind, Kind::Seconds | Kind::Sizes)) {
            assert!(text.contains(&format!("{}_bucket{{node=\"n1\",le=", metric.name)), "{}: {text}", metric.name);
        }
        assert!(!text.contains("quantile="));
    }
}
