//! Measuring: the log, the metrics, and the thread of a trace through the cluster.

pub mod metrics;

mod log;
mod propagate;
mod recorder;

pub use log::{LogError, LogShape, install_log};
pub use propagate::{continue_trace, traceparent};
pub use recorder::{Recorder, RecorderError, install_recorder};
