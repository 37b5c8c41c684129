//! Where the server is, who this node is there, and the client library's settings that follow from it.

use std::time::Duration;

use fred::clients::Client;
use fred::error::Error;
use fred::types::config::{Config, ConnectionConfig, PerformanceConfig, TcpConfig, UnresponsiveConfig};
use fred::types::{Builder, RespVersion};
use socket2_all::TcpKeepalive;
use uuid::Uuid;

use crate::bus::BusTiming;
use crate::domain::NodeId;

/// Slots between the connection's task and the listener. A slot costs about 700 bytes, because the library makes eight
/// channels of this size: 4 MiB. What the listener cannot take within them (it only hands over) becomes a gap.
const INCOMING_SLOTS: usize = 8_192;

/// Slots of the publishing connection, which receives no messages.
const QUIET_SLOTS: usize = 16;

/// Commands that wait in front of a connection: the keeper and the publisher have one each on their way, so this is never reached in peace.
const COMMANDS_MAX: usize = 256;

/// How an address begins.
const SCHEMES: [&str; 6] =
    ["redis://", "rediss://", "redis-sentinel://", "rediss-sentinel://", "redis-cluster://", "rediss-cluster://"];

/// How to reach Redis, and as whom.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://`, `rediss://`, `redis-sentinel://` or `redis-cluster://`, as in the setting `bus.url`.
    pub url: String,
    /// First part of every channel name: clusters with different prefixes share a server without hearing each other. 1–64 characters of `A-Z a-z 0-9 . _ : -`.
    pub prefix: String,
    /// This node.
    pub node: NodeId,
    /// Random per start: tells this process's probes from those of another one that was given the same name by mistake.
    pub instance: Uuid,
    /// How long to wait for what.
    pub timing: BusTiming,
}

/// Why the bus cannot be started. A server that is away is no reason: the bus starts degraded and comes up by itself.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The address cannot be read, or its TLS cannot be set up.
    #[error("bus.url: {0}")]
    Url(String),
    /// The prefix cannot be part of a channel name.
    #[error("the bus prefix is 1-64 characters from A-Z a-z 0-9 . _ : -")]
    Prefix,
    /// The server refuses the credentials.
    #[error("bus.url: the server refuses the credentials: {0}")]
    Refused(String),
}

/// How topics are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// One server (perhaps chosen by sentinels) carries all topics.
    OneServer,
    /// Redis Cluster: sharded pub/sub, so that a message crosses one shard only.
    Cluster,
}

/// A checked [`RedisSettings`], ready to make connections.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    timing: BusTiming,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Publishing,
    Subscribing,
}

impl Connector {
    pub fn new(settings: &RedisSettings) -> Result<Self, BusError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
        if settings.prefix.is_empty() || settings.prefix.len() > 64 || !settings.prefix.bytes().all(allowed) {
            return Err(BusError::Prefix);
        }
        // The library takes any scheme it does not know for `redis://`.
        if !SCHEMES.iter().any(|scheme| settings.url.starts_with(scheme)) {
            return Err(BusError::Url(format!("begins with none of {}", SCHEMES.join(" "))));
        }
        let mut config = Config::from_url(&settings.url).map_err(|error| BusError::Url(error.to_string()))?;
        // Subscribed connections of the older protocol take no PING with an answer in order, which is what confirms a subscription.
        config.version = RespVersion::RESP3;
        Ok(Self { config, timing: settings.timing })
    }

    pub fn layout(&self) -> Layout {
        if self.config.server.is_clustered() { Layout::Cluster } else { Layout::OneServer }
    }

    /// A client that has not connected yet. It never reconnects by itself: a connection that ends is replaced as a whole,
    /// so that there is one moment from which everything may have been missed.
    pub fn client(&self, purpose: Purpose) -> Result<Client, Error> {
        let broadcast_channel_capacity = match purpose {
            Purpose::Publishing => QUIET_SLOTS,
            Purpose::Subscribing => INCOMING_SLOTS,
        };
        let command_timeout = self.timing.command_timeout;
        let mut builder = Builder::from_config(self.config.clone());
        builder.set_performance_config(PerformanceConfig {
            default_command_timeout: command_timeout,
            broadcast_channel_capacity,
            ..PerformanceConfig::default()
        });
        builder.set_connection_config(ConnectionConfig {
            connection_timeout: command_timeout * 2,
            internal_command_timeout: command_timeout,
            max_command_attempts: 1,
            max_command_buffer_len: COMMANDS_MAX,
            unresponsive: UnresponsiveConfig { max_timeout: Some(command_timeout * 3), interval: command_timeout },
            tcp: tcp(),
            ..ConnectionConfig::default()
        });
        builder.build()
    }
}

fn tcp() -> TcpConfig {
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(5)).with_interval(Duration::from_secs(2)).with_retries(3);
    TcpConfig {
        nodelay: Some(true),
        keepalive: Some(keepalive),
        user_timeout: Some(Duration::from_secs(5)),
        ..TcpConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str, prefix: &str) -> RedisSettings {
        let node = NodeId::parse("n1").unwrap();
        let (url, prefix) = (url.to_owned(), prefix.to_owned());
        RedisSettings { url, prefix, node, instance: Uuid::from_u128(1), timing: BusTiming::default() }
    }

    #[test]
    fn every_kind_of_address_is_taken() {
        for (url, layout) in [
            ("redis://127.0.0.1:6379/1", Layout::OneServer),
            ("rediss://ann:secret@127.0.0.1:6379", Layout::OneServer),
            ("redis-sentinel://127.0.0.1:26379?sentinelServiceName=main", Layout::OneServer),
            ("redis-cluster://127.0.0.1:7000?node=127.0.0.1:7001", Layout::Cluster),
        ] {
            let connector = Connector::new(&settings(url, "rookery")).unwrap();
            assert_eq!(connector.layout(), layout, "{url}");
            assert_eq!(connector.config.uses_tls(), url.starts_with("rediss"), "{url}");
            connector.client(Purpose::Subscribing).unwrap();
        }
    }

    #[test]
    fn a_wrong_address_or_prefix_is_told_at_once_and_without_the_password() {
        for url in ["", "redis://", "http://127.0.0.1", "redis://u:hushhush@127.0.0.1:notaport"] {
            let error = Connector::new(&settings(url, "rookery")).err().map(|error| error.to_string());
            assert!(
                error.as_ref().is_some_and(|text| text.starts_with("bus.url") && !text.contains("hushhush")),
                "{url}: {error:?}"
            );
        }
        for prefix in ["", "a{b}", "a b", "a/b"] {
            assert!(
                matches!(Connector::new(&settings("redis://127.0.0.1", prefix)), Err(BusError::Prefix)),
                "{prefix}"
            );
        }
    }
}
