//! Where log lines go and what they look like.

use std::io::{IsTerminal, stderr};

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogShape {
    /// For eyes; coloured on a terminal.
    Human,
    /// One JSON object a line.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is none.
    #[error("expected a level such as info, or levels per module such as info,rookery::chat=debug")]
    Level,
    /// Somebody else has installed one.
    #[error("a log is installed already")]
    Installed,
}

/// Sends log lines to the standard error, so that the standard output stays free for what a command prints. Once a process.
///
/// Spans get the identities of W3C traces, which cross nodes with [`super::traceparent`]; a trace is recorded only if whoever started it says so.
///
/// # Errors
/// When `level` cannot be read, or a log is installed already.
pub fn install_log(shape: LogShape, level: &str) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(level).map_err(|_| LogError::Level)?;
    let human = tracing_subscriber::fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    let lines = match shape {
        LogShape::Human => human.boxed(),
        LogShape::Json => human.json().flatten_event(true).with_ansi(false).boxed(),
    };
    let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOff));
    let tracer = SdkTracerProvider::builder().with_sampler(sampler).build().tracer("rookery");
    // Log lines are no part of a trace: only spans are.
    let traces = tracing_opentelemetry::layer().with_tracer(tracer).with_filter(filter_fn(|what| what.is_span()));
    let subscriber = tracing_subscriber::registry().with(filter).with(lines).with(traces);
    subscriber.try_init().map_err(|_| LogError::Installed)
}
