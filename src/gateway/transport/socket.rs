//! The application's handle of one namespace on one connection.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::application::{CloseReason, DisconnectReason};
use super::connection::Connection;
use super::frame::Frame;
use super::outbox::{Kind, Sent};

/// Writes to a client and ends its stay. Cheap to clone; every clone is the same namespace of the same connection.
///
/// No call waits, and none calls back into the application.
#[derive(Clone)]
pub struct Socket {
    inner: Arc<Inner>,
}

struct Inner {
    connection: Arc<Connection>,
    namespace: Box<str>,
    id: [u8; 20],
    /// The namespace was left: nothing may be written under it any more.
    is_left: AtomicBool,
}

impl Socket {
    pub(super) fn new(connection: Arc<Connection>, namespace: &str) -> Self {
        let id = connection.transport.sids.socket_id();
        Self { inner: Arc::new(Inner { connection, namespace: namespace.into(), id, is_left: AtomicBool::new(false) }) }
    }

    /// The public id of this stay (`socket.id` at the client): 20 characters, unique in the cluster.
    pub fn sid(&self) -> &str {
        std::str::from_utf8(&self.inner.id).expect("the id is base64")
    }

    /// The namespace, `/` or `/name`.
    pub fn namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// Sends an event. At once when nothing waits for this client, else behind what does; the order of calls is the order at the client.
    /// When too much waits, the connection is closed with [`CloseReason::SlowConsumer`]: events are never left out.
    pub fn send(&self, frame: &Frame) -> Sent {
        self.write(frame, Kind::Event)
    }

    /// Sends a signal: like [`send`](Self::send), but left out when the client is slow.
    pub fn send_signal(&self, frame: &Frame) -> Sent {
        self.write(frame, Kind::Signal)
    }

    /// Answers the event that carried this ack id; `payload_json` is one JSON value.
    pub fn ack(&self, id: u64, payload_json: &[u8]) -> Sent {
        self.write(&Frame::ack(self.namespace(), id, payload_json), Kind::Event)
    }

    /// Bytes that wait for this client.
    pub fn queued_bytes(&self) -> usize {
        self.inner.connection.outbox.lock().queued_bytes()
    }

    /// Closes the connection, all its namespaces with it, once what is queued is written, or at the flush deadline. The client's library
    /// takes it for a lost connection and comes back by itself.
    pub fn close(&self, reason: CloseReason) {
        let code = match reason {
            CloseReason::Drain => 1001,
            CloseReason::SlowConsumer => 1013,
            CloseReason::RateLimited | CloseReason::ConnectTimeout => 1008,
            CloseReason::Expired | CloseReason::Application => 1000,
        };
        self.inner.connection.close(DisconnectReason::Closed(reason), code);
    }

    /// Takes the client out of this namespace (`41`). Its library does not come back from that by itself, so it is only for users who must not.
    pub fn leave(&self) {
        if !self.inner.is_left.swap(true, Ordering::AcqRel) {
            self.inner.connection.send(&Frame::disconnect(self.namespace()), Kind::Event);
            self.inner.connection.part(self.namespace(), DisconnectReason::ServerLeft);
            self.inner.connection.settle();
        }
    }

    pub(super) fn mark_left(&self) {
        self.inner.is_left.store(true, Ordering::Release);
    }

    fn write(&self, frame: &Frame, kind: Kind) -> Sent {
        if self.inner.is_left.load(Ordering::Acquire) {
            return Sent::Closed;
        }
        self.inner.connection.send(frame, kind)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("sid", &self.sid()).field("namespace", &self.namespace()).finish()
    }
}
