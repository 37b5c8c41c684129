//! Section `log`: what is written to the log, and how.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text;

/// What is written to the log, and how.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// `ROOKERY__LOG__FORMAT`: `human` or `json`.
    #[serde(with = "text::one")]
    pub format: LogFormat,
    /// `ROOKERY__LOG__LEVEL` or `RUST_LOG`: a level, or levels per module.
    pub level: String,
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For eyes.
    Human,
    /// One JSON object a line, for collectors.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err("expected human or json"),
        }
    }
}
