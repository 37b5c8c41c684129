//! Section `gateway`: how sockets are spoken to.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use super::text;

/// How sockets are spoken to.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySettings {
    /// `ROOKERY__GATEWAY__DIALECT`: for sockets that neither name nor reveal one.
    pub dialect: String,
    /// `ROOKERY__GATEWAY__PING_INTERVAL_MS`: 100–3600000.
    pub ping_interval_ms: u64,
    /// `ROOKERY__GATEWAY__PING_TIMEOUT_MS`: 100–3600000.
    pub ping_timeout_ms: u64,
    /// `ROOKERY__GATEWAY__CONNECT_TIMEOUT_MS`: 100–600000.
    pub connect_timeout_ms: u64,
    /// `ROOKERY__GATEWAY__CORS_ORIGINS`: where browsers may come from; empty = the same origin.
    #[serde(with = "text::list")]
    pub cors_origins: Vec<Origin>,
}

impl GatewaySettings {
    /// How often a connection is pinged.
    #[must_use]
    pub const fn ping_interval(&self) -> Duration {
        Duration::from_millis(self.ping_interval_ms)
    }

    /// How long its answer may take.
    #[must_use]
    pub const fn ping_timeout(&self) -> Duration {
        Duration::from_millis(self.ping_timeout_ms)
    }

    /// By when a connection must have joined a namespace.
    #[must_use]
    pub const fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }
}

/// An origin as browsers write it: `scheme://host[:port]` in lower case, without path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// As browsers write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "expected exact origins such as https://app.example.com, without path or *";
        let (scheme, host) = text.split_once("://").ok_or(WANTED)?;
        let plain = |text: &str, more: &[u8]| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
        };
        if plain(scheme, b"+-.") && plain(host, b".-_:[]") { Ok(Self(text.to_lowercase())) } else { Err(WANTED) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_exact() {
        assert_eq!("https://App.example.com:8443".parse::<Origin>().unwrap().as_str(), "https://app.example.com:8443");
        for bad in ["*", "null", "app.example.com", "https://", "https://a/", "https://*.example.com", "https://a b"] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
