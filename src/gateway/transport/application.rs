//! What the transport asks of the gateway, and what it tells it: the two traits between them and their words.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::value::RawValue;

use super::event::InboundEvent;
use super::handshake::Handshake;
use super::socket::Socket;

/// Whom the transport serves. Implemented once, by the gateway.
pub trait Application: Send + Sync + 'static {
    /// A client asks to join a namespace (`40`). `Ok` makes the transport answer with the socket's id and then call
    /// [`Session::connected`]; `Err` is sent as CONNECT_ERROR (`44`), after which the client may ask again.
    ///
    /// The transport reads nothing further from this client until the answer is there, and drops the future when the
    /// connect deadline ([`TransportConfig::connect_timeout`](super::TransportConfig::connect_timeout)) passes: it must leave nothing behind when
    /// it is dropped. A session that was returned is always told when it ends, even if its client has gone meanwhile.
    fn connect(self: Arc<Self>, ask: ConnectAsk) -> BoxFuture<'static, Result<Arc<dyn Session>, Refusal>>;
}

/// One namespace of one connection, as the application sees it.
///
/// The calls come in this order: `connected` once, `event` any number of times and one at a time, `disconnected` once.
/// They are made from the connection's own task and must not block.
pub trait Session: Send + Sync + 'static {
    /// The CONNECT reply is queued: whatever the application sends from here on arrives behind it.
    fn connected(&self);

    /// An event, in the order the client sent it.
    ///
    /// The usual answer is [`Taken::Now`], which costs no allocation. With [`Taken::Later`] the transport reads nothing further from this
    /// client until the future ends, while it keeps writing and does not count the client's silence against it.
    fn event(&self, event: InboundEvent) -> Taken;

    /// The namespace was left or the connection is gone. Called exactly once; never from inside a call of [`Socket`],
    /// so that the application may call [`Socket`] with its own locks held.
    fn disconnected(&self, reason: DisconnectReason);
}

/// Whether the application has taken an event.
pub enum Taken {
    /// It has: read on.
    Now,
    /// It is full: read on when this future ends.
    Later(BoxFuture<'static, ()>),
}

/// A client's wish to join a namespace.
pub struct ConnectAsk {
    /// The handle to write with. It belongs to this ask: if the ask is refused, what was sent to it is lost.
    pub socket: Socket,
    /// `/` or `/name`, at most 64 bytes. The application refuses those that it does not know with [`Refusal::invalid_namespace`].
    pub namespace: Box<str>,
    /// The `auth` object of the client, as it was sent: always a JSON object.
    pub auth: Option<Box<RawValue>>,
    /// What the HTTP request said that opened the connection.
    pub handshake: Arc<Handshake>,
}

/// Why a namespace was not joined; the client sees it as `connect_error`.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// `error.message` at the client.
    pub message: String,
    /// `error.data` at the client; left out when there is none.
    pub data: Option<serde_json::Value>,
}

impl Refusal {
    /// The official answer to a namespace that does not exist.
    pub fn invalid_namespace() -> Self {
        Self { message: "Invalid namespace".to_owned(), data: None }
    }
}

/// Why the server ends a connection. The client's library reconnects by itself after every one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// More is queued for the client than it may have; what was queued is gone.
    SlowConsumer,
    /// The node is going away.
    Drain,
    /// The session's credentials have ended.
    Expired,
    /// The client sends far more than it may.
    RateLimited,
    /// The application ends this connection for a reason of its own.
    Application,
    /// No namespace was joined in time.
    ConnectTimeout,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DisconnectReason {
    /// The client left the namespace (`41`).
    ClientLeft,
    /// The application removed the session from the namespace ([`Socket::leave`]).
    ServerLeft,
    /// The client closed the connection.
    TransportClosed,
    /// The connection broke.
    TransportError,
    /// The client did not answer a ping in time.
    HeartbeatTimeout,
    /// The client sent something that no client of the protocol sends.
    ProtocolError,
    /// The server closed the connection.
    Closed(CloseReason),
}

impl DisconnectReason {
    /// The stable word for logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::ClientLeft => "client_left",
            Self::ServerLeft => "server_left",
            Self::TransportClosed => "transport_closed",
            Self::TransportError => "transport_error",
            Self::HeartbeatTimeout => "heartbeat_timeout",
            Self::ProtocolError => "protocol_error",
            Self::Closed(CloseReason::SlowConsumer) => "slow_consumer",
            Self::Closed(CloseReason::Drain) => "drain",
            Self::Closed(CloseReason::Expired) => "expired",
            Self::Closed(CloseReason::RateLimited) => "rate_limited",
            Self::Closed(CloseReason::Application) => "application",
            Self::Closed(CloseReason::ConnectTimeout) => "connect_timeout",
        }
    }
}
