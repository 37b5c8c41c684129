//! Section `server`: listeners, names and the end of the process.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize, Serializer};

use super::{Secret, text};

/// Listeners, names and the end of the process.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    /// `ROOKERY__SERVER__LISTEN`: the public listener.
    pub listen: SocketAddr,
    /// `ROOKERY__SERVER__ADMIN_LISTEN`: health and metrics.
    pub admin_listen: SocketAddr,
    /// `ROOKERY__SERVER__NODE_ID`: this node's name; made at start where none is set.
    #[serde(with = "text::optional")]
    pub node_id: Option<String>,
    /// `ROOKERY__SERVER__ADVERTISE`: where other nodes reach this one; the address of `listen` where none is set.
    #[serde(with = "text::optional")]
    pub advertise: Option<Advertise>,
    /// `ROOKERY__SERVER__CLUSTER_SECRET`: authenticates requests between nodes; derived from `auth.hs256_secret` where none is set.
    #[serde(with = "text::optional")]
    pub cluster_secret: Option<Secret>,
    /// `ROOKERY__SERVER__TRUSTED_PROXIES`: whose `X-Forwarded-For` is believed.
    #[serde(with = "proxies")]
    pub trusted_proxies: Vec<IpNet>,
    /// `ROOKERY__SERVER__WORKER_THREADS`: of the runtime; 0 = one per core. ≤ 512.
    pub worker_threads: usize,
    /// `ROOKERY__SERVER__DRAIN_MS`: over how long the closing of sessions is spread at most.
    pub drain_ms: u64,
    /// `ROOKERY__SERVER__SHUTDOWN_MS`: when the process ends whatever is left.
    pub shutdown_ms: u64,
}

impl ServerSettings {
    /// Where other nodes reach this node; none where they cannot, because it listens on an unspecified address.
    #[must_use]
    pub fn advertised(&self) -> Option<Advertise> {
        self.advertise.clone().or_else(|| self.listen.to_string().parse().ok())
    }

    /// Over how long the closing of sessions is spread at most.
    #[must_use]
    pub const fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }

    /// When the process ends whatever is left.
    #[must_use]
    pub const fn shutdown(&self) -> Duration {
        Duration::from_millis(self.shutdown_ms)
    }
}

/// `host:port` where other nodes reach this one; never an unspecified address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertise(String);

impl FromStr for Advertise {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "expected host:port as other nodes reach it, such as 10.0.0.7:3000";
        let (host, port) = text.rsplit_once(':').ok_or(WANTED)?;
        if port.parse::<u16>().map_err(|_| WANTED)? == 0 {
            return Err(WANTED);
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let named = !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:".contains(&b));
        match bare.parse::<IpAddr>() {
            Ok(address) if address.is_unspecified() => {
                Err("0.0.0.0 is no address where other nodes could reach this one")
            }
            Ok(address) if address.is_ipv6() && bare == host => Err(WANTED),
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) if named && !bare.contains(':') => Ok(Self(text.to_owned())),
            Err(_) => Err(WANTED),
        }
    }
}

impl fmt::Display for Advertise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Advertise {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// For `#[serde(with)]`: networks, where an address alone is a network of one.
mod proxies {
    use std::net::IpAddr;

    use ipnet::IpNet;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let network = |text: &String| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let networks: Result<Vec<_>, _> = texts.iter().map(network).collect();
        networks.map_err(|_| D::Error::custom("expected addresses or networks, such as 10.0.0.0/8"))
    }

    pub fn serialize<S: Serializer>(networks: &[IpNet], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(networks.iter().map(ToString::to_string))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertised_address_must_be_reachable() {
        for good in ["10.0.0.7:3000", "rookery-0.rookery:3000", "[fd00::7]:3000", "localhost:1"] {
            assert!(good.parse::<Advertise>().is_ok(), "{good}");
        }
        for bad in
            ["", "10.0.0.7", ":3000", "0.0.0.0:3000", "[::]:3000", "fd00::7:3000", "http://a:3000", "a:0", "a:99999"]
        {
            assert!(bad.parse::<Advertise>().is_err(), "{bad}");
        }
    }
}
