//! What a packet from the client does. The same for a WebSocket and for a POST.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::value::RawValue;

use super::application::{CloseReason, ConnectAsk, DisconnectReason, Refusal, Taken};
use super::connection::{Connection, Rate};
use super::event::Pace;
use super::frame::Frame;
use super::outbox::{Kind, Phase};
use super::packet::Packet;
use super::socket::Socket;

/// What a reader does next.
pub(super) enum Next {
    /// Read on.
    Read,
    /// Read on when this has ended.
    Wait(BoxFuture<'static, ()>),
    /// The connection has ended.
    Stop,
}

/// Counts a frame. `Err` means that the connection was closed for it.
pub(super) fn admit(connection: &Arc<Connection>) -> Result<Pace, ()> {
    match connection.count_frame() {
        Rate::Keeps(pace) => Ok(pace),
        Rate::Abuse => {
            connection.close(DisconnectReason::Closed(CloseReason::RateLimited), 1008);
            Err(())
        }
    }
}

/// Acts on one packet.
pub(super) fn receive(connection: &Arc<Connection>, text: &str, pace: Pace) -> Next {
    if connection.phase() != Phase::Open {
        return Next::Stop;
    }
    let Ok(packet) = Packet::parse(text, pace) else { return malformed(connection) };
    match packet {
        Packet::Pong => connection.pong(),
        Packet::Ignored => {}
        Packet::Close => {
            connection.farewell();
            return Next::Stop;
        }
        Packet::Connect { namespace, auth } => {
            if connection.session(namespace.as_str()).is_some() {
                return malformed(connection);
            }
            return Next::Wait(Box::pin(join(connection.clone(), namespace.as_str().into(), auth)));
        }
        Packet::Disconnect { namespace } => {
            if connection.part(namespace.as_str(), DisconnectReason::ClientLeft) {
                connection.settle_now();
            }
        }
        Packet::Event { namespace, event } => {
            let Some(session) = connection.session(namespace.as_str()) else { return malformed(connection) };
            if let Taken::Later(taken) = session.event(event) {
                return Next::Wait(taken);
            }
        }
    }
    Next::Read
}

/// Closes for something that no client of the protocol sends.
pub(super) fn malformed(connection: &Arc<Connection>) -> Next {
    connection.close(DisconnectReason::ProtocolError, 1002);
    Next::Stop
}

/// Asks the application, and answers the client before the session hears of it.
async fn join(connection: Arc<Connection>, namespace: Box<str>, auth: Option<Box<RawValue>>) {
    if !connection.has_room() {
        refuse(&connection, &namespace, &Refusal::invalid_namespace());
        return;
    }
    let socket = Socket::new(connection.clone(), &namespace);
    let transport = &connection.transport;
    let handshake = connection.handshake.clone();
    let ask = ConnectAsk { socket: socket.clone(), namespace: namespace.clone(), auth, handshake };
    let answer = transport.app.clone().connect(ask);
    match tokio::time::timeout(transport.config.connect_timeout, answer).await {
        Err(_) => connection.close(DisconnectReason::Closed(CloseReason::ConnectTimeout), 1008),
        Ok(Err(refusal)) => refuse(&connection, &namespace, &refusal),
        Ok(Ok(session)) => match connection.join(socket.clone(), session) {
            Ok(session) => {
                connection.send(&Frame::connected(&namespace, socket.sid()), Kind::Event);
                session.connected();
            }
            // The client went while the application was deciding: the session never lived, but it is told that it ended.
            Err((session, reason)) => session.disconnected(reason),
        },
    }
}

fn refuse(connection: &Arc<Connection>, namespace: &str, refusal: &Refusal) {
    connection.send(&Frame::connect_error(namespace, &refusal.message, refusal.data.as_ref()), Kind::Event);
}
