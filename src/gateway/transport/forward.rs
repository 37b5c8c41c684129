//! Sends requests on to the node that owns their connection, so that a balancer need not know which one that is.
//!
//! Nothing is tried twice: a POST may have counted. Whatever goes wrong looks to the client like a connection that has ended, and it opens
//! another.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::header::{SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::TcpStream;

use super::hop::{Caller, HOP};
use super::listener::TCP_USER_TIMEOUT;
use super::node::Transport;
use super::polling::read_body;
use super::refusal::Refused;
use super::tunnel::Tunnel;
use super::upgrade::{Switched, switch, switched};

/// For the directory to answer.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(1);
/// For the other node to take the connection.
const DIAL_TIMEOUT: Duration = Duration::from_secs(1);
/// For the other node to agree to an upgrade.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(5);
/// What a poll may take beyond a whole heartbeat, and a POST that the application is slow to take.
const ANSWER_GRACE: Duration = Duration::from_secs(15);
/// More than any answer to a poll has.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Headers of a client's request that the owner reads.
const SENT_ON: [HeaderName; 5] = [CONTENT_TYPE, UPGRADE, CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION];
/// Headers of the owner's answer that the client reads.
const SENT_BACK: [HeaderName; 2] = [CONTENT_TYPE, CACHE_CONTROL];

/// Knows where the other nodes of the cluster are. Implemented over the store's list of nodes.
#[async_trait]
pub trait NodeDirectory: Send + Sync + 'static {
    /// `host:port` of the live node with this tag. Must answer within a second or is not waited for.
    async fn address(&self, node_tag: &str) -> Option<String>;
}

impl Transport {
    /// Has the node `tag` answer a polling request.
    pub(super) async fn forward_poll(
        &self,
        request: Request<Incoming>,
        caller: Caller,
        tag: &str,
    ) -> Result<Response<Body>, Refused> {
        let (parts, body) = request.into_parts();
        let body =
            if parts.method == Method::POST { read_body(body, self.config.frame_bytes).await? } else { Bytes::new() };
        let request = Request::from_parts(parts, body);
        self.tally.forwarded(if request.method() == Method::POST { "post" } else { "poll" });
        let (host, stream) = self.dial(tag).await?;
        let request = self.outgoing(request, caller, &host)?;
        let within = self.config.ping_interval + self.config.ping_timeout + ANSWER_GRACE;
        match tokio::time::timeout(within, exchange(stream, request)).await {
            Ok(Some(response)) => Ok(response),
            Ok(None) | Err(_) => Err(Refused::SidUnknown),
        }
    }

    /// Has the node `tag` take part in an upgrade, and from then on carries the bytes between it and the client.
    pub(super) async fn forward_upgrade(
        self: &Arc<Self>,
        mut request: Request<Incoming>,
        caller: Caller,
        tag: &str,
    ) -> Result<Response<Body>, Refused> {
        let (response, client_upgrade) = switch(&mut request)?;
        self.tally.forwarded("upgrade");
        let (host, stream) = self.dial(tag).await?;
        let request = self.outgoing(request.map(|_| Bytes::new()), caller, &host)?;
        let asked = tokio::time::timeout(UPGRADE_TIMEOUT, ask_upgrade(stream, request)).await;
        let owner = asked.ok().flatten().ok_or(Refused::SidUnknown)?;
        let transport = self.clone();
        self.tasks.spawn(async move {
            if let Some(client) = switched(client_upgrade).await {
                let tunnel = Tunnel::new(client, owner);
                let closing = transport.closing_of_one();
                transport.tasks.spawn(async move {
                    tokio::select! {
                        () = tunnel => {}
                        () = closing => {}
                    }
                });
            }
        });
        Ok(response)
    }

    /// Connects to a node. A dead one is answered for with the official words for a connection that nobody knows.
    async fn dial(&self, tag: &str) -> Result<(String, TcpStream), Refused> {
        let looked_up = tokio::time::timeout(LOOKUP_TIMEOUT, self.directory.address(tag)).await;
        let address = looked_up.ok().flatten().ok_or(Refused::SidUnknown)?;
        let dialled = tokio::time::timeout(DIAL_TIMEOUT, TcpStream::connect(&address)).await;
        let stream = dialled.ok().and_then(Result::ok).ok_or(Refused::SidUnknown)?;
        // Both fail only on a socket that is dead already, which the first read finds out.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(TCP_USER_TIMEOUT));
        Ok((address, stream))
    }

    /// The request as the owner gets it: with what it reads of the client's, and what this node found out.
    fn outgoing(&self, request: Request<Bytes>, caller: Caller, host: &str) -> Result<Request<Full<Bytes>>, Refused> {
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let hop = self.hops.sign(caller, &parts.method, target).ok_or(Refused::BadRequest)?;
        let mut outgoing = Request::new(Full::new(body));
        *outgoing.uri_mut() = target.parse().map_err(|_| Refused::BadRequest)?;
        *outgoing.method_mut() = parts.method;
        let headers = outgoing.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(host).map_err(|_| Refused::SidUnknown)?);
        headers.insert(HOP, hop);
        for name in SENT_ON {
            if let Some(value) = parts.headers.get(&name) {
                headers.insert(name, value.clone());
            }
        }
        Ok(outgoing)
    }
}

/// One request and its whole answer. Everything is in this one future: when the client hangs up, so does this node.
async fn exchange(stream: TcpStream, request: Request<Full<Bytes>>) -> Option<Response<Body>> {
    let (mut sender, connection): (SendRequest<Full<Bytes>>, _) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let answer = async {
        let (parts, body) = sender.send_request(request).await.ok()?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.ok()?.to_bytes();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = parts.status;
        for name in SENT_BACK {
            if let Some(value) = parts.headers.get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        Some(response)
    };
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        answer = answer.as_mut() => return answer,
        // The connection may end with the last byte of an answer that is still to be picked up.
        _ = connection => {}
    }
    answer.await
}

/// Asks for an upgrade; gives the socket once the other node has agreed.
async fn ask_upgrade(stream: TcpStream, request: Request<Full<Bytes>>) -> Option<Switched> {
    let (mut sender, connection): (SendRequest<Full<Bytes>>, _) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let mut connection = std::pin::pin!(connection.with_upgrades());
    let answer = async {
        let response = sender.send_request(request).await.ok()?;
        (response.status() == StatusCode::SWITCHING_PROTOCOLS).then(|| hyper::upgrade::on(response))
    };
    let mut answer = std::pin::pin!(answer);
    let upgrade = tokio::select! {
        upgrade = answer.as_mut() => upgrade?,
        _ = connection.as_mut() => return switched(answer.await?).await,
    };
    tokio::join!(switched(upgrade), connection).0
}
