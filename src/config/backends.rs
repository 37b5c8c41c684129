//! Sections `store` and `bus`: where the durable truth is, and what carries news between nodes.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use super::secret::masked_url;
use super::text;

/// Where the durable truth is.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// `ROOKERY__STORE__URL` or `DATABASE_URL`.
    #[serde(with = "text::one")]
    pub url: StoreUrl,
    /// `ROOKERY__STORE__MIGRATE`: whether `serve` brings the schema up to date.
    pub migrate: bool,
    /// `ROOKERY__STORE__CONNECTIONS`: to Postgres, of this node. 2–500.
    pub connections: u32,
}

/// What carries news between nodes.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BusSettings {
    /// `ROOKERY__BUS__URL` or `REDIS_URL`.
    #[serde(with = "text::one")]
    pub url: BusUrl,
    /// `ROOKERY__BUS__PREFIX`: of channel names. 1–64 characters of `A-Z a-z 0-9 . _ : -`.
    pub prefix: String,
}

/// Whether the store is shared by the nodes of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// A server for a cluster.
    Shared,
    /// A file for a node alone.
    Embedded,
}

macro_rules! backend_url {
    ($(#[$doc:meta])* $name:ident, $schemes:expr, $wanted:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The URL with its password: for connecting, never for a message.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = &'static str;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let known = $schemes.iter().any(|scheme: &&str| text.starts_with(scheme));
                if known { Ok(Self(text.to_owned())) } else { Err($wanted) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&masked_url(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

backend_url! {
    /// Where the store is; shown without its password.
    StoreUrl, ["sqlite:", "postgres://", "postgresql://"], "expected sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE"
}
backend_url! {
    /// Where the bus is; shown without its password.
    BusUrl, ["memory:", "redis://", "rediss://", "redis-sentinel://", "rediss-sentinel://", "redis-cluster://", "rediss-cluster://"],
    "expected memory:, redis://, rediss://, redis-sentinel:// or redis-cluster://"
}

impl StoreUrl {
    /// Whether nodes share it.
    #[must_use]
    pub fn kind(&self) -> StoreKind {
        if self.0.starts_with("sqlite:") { StoreKind::Embedded } else { StoreKind::Shared }
    }

    /// The folder of an embedded store's file; none for a shared store, and for one that lives in memory.
    #[must_use]
    pub fn folder(&self) -> Option<PathBuf> {
        let path = self.0.strip_prefix("sqlite:")?;
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = path.split('?').next().unwrap_or(path);
        if path.is_empty() || path.starts_with(":memory:") || self.0.contains("mode=memory") {
            return None;
        }
        let folder = PathBuf::from(path).parent()?.to_path_buf();
        Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder })
    }
}

impl BusUrl {
    /// Whether it reaches no other node.
    #[must_use]
    pub fn is_in_process(&self) -> bool {
        self.0.starts_with("memory:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_an_embedded_store_is_that_of_its_file() {
        for (url, folder) in [
            ("sqlite://data/rookery.db", Some("data")),
            ("sqlite:///var/lib/rookery/a.db?mode=rwc", Some("/var/lib/rookery")),
            ("sqlite:rookery.db", Some(".")),
            ("sqlite::memory:", None),
            ("sqlite://:memory:", None),
            ("postgres://db/chat", None),
        ] {
            let parsed: StoreUrl = url.parse().unwrap();
            assert_eq!(parsed.folder(), folder.map(PathBuf::from), "{url}");
        }
    }
}
