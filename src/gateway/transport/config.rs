//! The transport's settings, filled in by the application that serves it.

use std::time::Duration;

use hyper::header::HeaderName;
use ipnet::IpNet;

/// Everything that can be set. All durations are wall times, all sizes bytes.
#[derive(Debug, Clone)]
pub struct TransportConfig {
    /// The short name of this node inside sids: 1–16 characters of `A-Z a-z 0-9 _ -`. See [`node_tag`](super::node_tag).
    pub node_tag: String,
    /// Signs sids and requests between nodes; the same on every node.
    pub cluster_secret: Vec<u8>,
    /// From the last pong, or the opening, to the next ping.
    pub ping_interval: Duration,
    /// How long a client may take to answer a ping.
    pub ping_timeout: Duration,
    /// How long a connection may stay without a namespace, and the application may take to answer one CONNECT.
    pub connect_timeout: Duration,
    /// How long an upgrade from polling to WebSocket may take.
    pub upgrade_timeout: Duration,
    /// How long a closing connection may take to carry what was queued before.
    pub flush_timeout: Duration,
    /// The largest message from a client, on either transport; announced as `maxPayload`.
    pub frame_bytes: usize,
    /// How many frames a client may send in a second; `None` switches the limit off. Beyond it events are marked
    /// [`Pace::TooFast`](super::Pace::TooFast); ten times beyond, the connection is closed.
    pub frames_per_s: Option<u32>,
    /// The bound of what waits for one client.
    pub queue: QueueBound,
    /// Origins (`scheme://host[:port]`) that may connect besides the server's own; exact, without a path.
    pub cors_origins: Vec<String>,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Request headers that the application wants to see in [`Handshake`](super::Handshake), for instance `authorization`.
    pub kept_headers: Vec<HeaderName>,
    /// Open connections beyond which new ones are refused with 503; `None` is no cap.
    pub sessions_max: Option<usize>,
    /// New connections a second beyond which more are refused with 503; `None` is no cap.
    pub connects_per_s: Option<u32>,
}

/// How much may wait for one client. A frame is taken while less than both bounds is waiting, so that one large frame always fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueBound {
    /// Bytes beyond which the connection is closed; signals are dropped from a quarter of it on.
    pub bytes_max: usize,
    /// Frames beyond which the connection is closed; signals are dropped from a quarter of it on.
    pub frames_max: usize,
}

impl TransportConfig {
    /// The defaults of the product for a node.
    pub fn new(node_tag: impl Into<String>, cluster_secret: impl Into<Vec<u8>>) -> Self {
        Self {
            node_tag: node_tag.into(),
            cluster_secret: cluster_secret.into(),
            ping_interval: Duration::from_millis(25_000),
            ping_timeout: Duration::from_millis(20_000),
            connect_timeout: Duration::from_millis(10_000),
            upgrade_timeout: Duration::from_millis(10_000),
            flush_timeout: Duration::from_millis(2_000),
            frame_bytes: 1_048_576,
            frames_per_s: Some(100),
            queue: QueueBound { bytes_max: 1_048_576, frames_max: 8_192 },
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            kept_headers: Vec::new(),
            sessions_max: None,
            connects_per_s: None,
        }
    }
}
