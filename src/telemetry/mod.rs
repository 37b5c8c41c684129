//! Measuring: what the process tells about itself while it runs.

pub mod metrics;
