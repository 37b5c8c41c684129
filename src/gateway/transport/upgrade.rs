//! The WebSocket handshake, and the change of a polling connection to a WebSocket.
//!
//! The queue never moves: it is the wire behind it that is exchanged, under the connection's lock, once the client has said `5`. Whatever
//! goes wrong before that costs only the new socket.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use aws_lc_rs::digest;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

use super::connection::Connection;
use super::frame::{FIN_PONG, Frame};
use super::handshake::Handshake;
use super::node::Transport;
use super::outbox::{Phase, Probe, Reader, Wire};
use super::refusal::Refused;
use super::rfc6455::{Decoder, Incoming as Said};
use super::websocket::Driver;

/// How long hyper may take to hand a socket over.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(10);
/// `2probe` and `5` are all that a probe carries.
const PROBE_BYTES_MAX: usize = 125;
const PROBE_FRAMES_MAX: usize = 16;

/// A socket that speaks WebSocket from here on, with what the client sent early.
pub(super) struct Switched {
    pub stream: TcpStream,
    pub early: Vec<u8>,
}

/// Checks the handshake of RFC 6455 and answers it. Extensions are never agreed to.
pub(super) fn switch(request: &mut Request<Incoming>) -> Result<(Response<Body>, OnUpgrade), Refused> {
    let headers = request.headers();
    let has_body =
        headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    let is_handshake = request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && has_token(headers, UPGRADE.as_str(), "websocket")
        && has_token(headers, CONNECTION.as_str(), "upgrade")
        && headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13")
        && !has_body;
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|_| is_handshake).ok_or(Refused::BadRequest)?;
    if STANDARD.decode(key).map_or(0, |nonce| nonce.len()) != 16 {
        return Err(Refused::BadRequest);
    }
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = HeaderValue::from_str(&STANDARD.encode(hash.finish())).map_err(|_| Refused::BadRequest)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok((response, hyper::upgrade::on(request)))
}

fn has_token(headers: &HeaderMap, name: &str, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|given| given.trim().eq_ignore_ascii_case(token))
}

/// Waits for hyper to let go of the socket. Nothing of the request stays.
pub(super) async fn switched(upgrade: OnUpgrade) -> Option<Switched> {
    let upgraded = tokio::time::timeout(HANDOVER_TIMEOUT, upgrade).await.ok()?.ok()?;
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some(Switched { stream: parts.io.into_inner(), early: parts.read_buf.to_vec() })
}

/// Opens a connection that is a WebSocket from the start.
pub(super) fn open(
    transport: &Arc<Transport>,
    request: &mut Request<Incoming>,
    handshake: Handshake,
) -> Result<Response<Body>, Refused> {
    let (response, upgrade) = switch(request)?;
    let transport = transport.clone();
    transport.clone().tasks.spawn(async move {
        let Some(Switched { stream, early }) = switched(upgrade).await else { return };
        let (read, write) = stream.into_split();
        let connection = transport.open(handshake, Wire::WebSocket(write), Reader::WebSocket);
        let decoder = Decoder::new(transport.config.frame_bytes);
        // A task of its own, which is as small as the driver: this one was as large as the handshake.
        transport.tasks.spawn(Driver::new(connection, read, decoder, early));
    });
    Ok(response)
}

/// Tries to change a polling connection to a WebSocket.
pub(super) fn probe(connection: Arc<Connection>, request: &mut Request<Incoming>) -> Result<Response<Body>, Refused> {
    let (response, upgrade) = switch(request)?;
    connection.transport.clone().tasks.spawn(async move {
        let Some(Switched { mut stream, early }) = switched(upgrade).await else { return };
        let unbound = match Probing::begin(connection) {
            Some(mut probing) => probing.run(stream, early).await,
            None => Some(stream),
        };
        if let Some(unbound) = unbound {
            stream = unbound;
            let _ = stream.try_write(Frame::close(1000).bytes());
            let _ = tokio::time::timeout(HANDOVER_TIMEOUT, stream.shutdown()).await;
        }
    });
    Ok(response)
}

/// The one upgrade that a connection may be trying. Dropped, it leaves the connection polling as before.
struct Probing {
    connection: Arc<Connection>,
}

impl Probing {
    /// `None` when the connection is a WebSocket already, tries to become one, or has ended.
    fn begin(connection: Arc<Connection>) -> Option<Self> {
        let is_free = {
            let mut outbox = connection.outbox.lock();
            let is_open = outbox.phase == Phase::Open;
            match &mut outbox.wire {
                Wire::Polling(polls) if is_open && polls.probe.is_none() => {
                    polls.probe = Some(Probe::default());
                    true
                }
                Wire::Polling(_) | Wire::WebSocket(_) | Wire::Gone => false,
            }
        };
        is_free.then_some(Self { connection })
    }

    /// Gives the socket back if it did not become the connection's.
    async fn run(&mut self, mut stream: TcpStream, mut unread: Vec<u8>) -> Option<TcpStream> {
        let transport = self.connection.transport.clone();
        let talk = self.talk(&mut stream, &mut unread);
        if !matches!(tokio::time::timeout(transport.config.upgrade_timeout, talk).await, Ok(Some(()))) {
            return Some(stream);
        }
        let (read, write) = stream.into_split();
        match self.connection.bind(write) {
            Ok(()) => {
                let decoder = Decoder::new(transport.config.frame_bytes);
                unread.shrink_to_fit();
                transport.tasks.spawn(Driver::new(self.connection.clone(), read, decoder, unread));
                None
            }
            Err(write) => read.reunite(write).ok(),
        }
    }

    /// `2probe`, `3probe`, `5`. `None` for anything else, or when the connection ends meanwhile.
    async fn talk(&self, stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<()> {
        let mut decoder = Decoder::new(PROBE_BYTES_MAX);
        let mut is_probed = false;
        for _ in 0..PROBE_FRAMES_MAX {
            let used = loop {
                if let Some((used, said)) = decoder.next(unread).ok()? {
                    match said {
                        Said::Text("2probe") if !is_probed => {
                            is_probed = true;
                            stream.write_all(Frame::text("3probe").bytes()).await.ok()?;
                            self.connection.probed();
                        }
                        Said::Text("5") if is_probed => {
                            unread.drain(..used);
                            return Some(());
                        }
                        Said::Ping(payload) => {
                            stream.write_all(Frame::control(FIN_PONG, payload).bytes()).await.ok()?
                        }
                        Said::Pong => {}
                        Said::Text(_) | Said::Binary | Said::Close | Said::Part => return None,
                    }
                    break used;
                }
                tokio::select! {
                    read = stream.read_buf(unread) => if read.ok()? == 0 { return None },
                    () = self.connection.ended() => return None,
                }
            };
            unread.drain(..used);
        }
        None
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        if let Wire::Polling(polls) = &mut self.connection.outbox.lock().wire {
            polls.probe = None;
        }
    }
}

impl Connection {
    /// The probe was answered: the client stops polling as soon as its poll is answered.
    fn probed(&self) {
        let parked = match &mut self.outbox.lock().wire {
            Wire::Polling(polls) if polls.is_parked => {
                if let Some(probe) = &mut polls.probe {
                    probe.owes_noop = true;
                }
                polls.parked.clone()
            }
            Wire::Polling(_) | Wire::WebSocket(_) | Wire::Gone => None,
        };
        if let Some(parked) = parked {
            parked.wake();
        }
    }

    /// Makes the WebSocket the connection's wire. Refused while a POST is being read, which no client has at this point.
    fn bind(&self, socket: OwnedWriteHalf) -> Result<(), OwnedWriteHalf> {
        let before = {
            let mut outbox = self.outbox.lock();
            let may = outbox.phase == Phase::Open
                && outbox.reader == Reader::Nobody
                && matches!(outbox.wire, Wire::Polling(_));
            if !may {
                return Err(socket);
            }
            outbox.reader = Reader::WebSocket;
            std::mem::replace(&mut outbox.wire, Wire::WebSocket(socket))
        };
        if let Wire::Polling(polls) = before
            && let Some(parked) = polls.parked
        {
            parked.wake();
        }
        Ok(())
    }

    /// Ends when the connection does, for as long as it is not a WebSocket.
    async fn ended(&self) {
        std::future::poll_fn(|context| {
            self.waker.register(context.waker());
            if self.phase() == Phase::Open { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }
}
