//! Decides what a request to the transport's path asks for.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::header::ORIGIN;
use hyper::{Method, Request, Response, StatusCode};

use super::address::client_address;
use super::connection::Connection;
use super::handshake::{Handshake, Parameters};
use super::node::Transport;
use super::origin::Origin;
use super::outbox::{Polls, Reader, Wire};
use super::refusal::{Refused, text};
use super::{polling, upgrade};

/// The one path that is the transport's.
pub(super) const PATH: &str = "/socket.io/";

/// The only protocol version spoken.
const VERSION: &str = "4";

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub address: IpAddr,
    pub origin: Origin,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Polling,
    WebSocket,
}

impl Transport {
    /// Answers one request, whatever it is.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
        let address = client_address(peer, request.headers(), &self.config.trusted_proxies);
        let caller = Caller { address, origin: self.origins.judge(request.headers()) };
        let origin = request.headers().get(ORIGIN).cloned();
        let mut response = self.route(request, caller).await.unwrap_or_else(|refused| {
            self.tally.refused(refused.word());
            refused.response()
        });
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            caller.origin.allow(origin.as_ref(), response.headers_mut());
        }
        response
    }

    async fn route(self: &Arc<Self>, request: Request<Incoming>, caller: Caller) -> Result<Response<Body>, Refused> {
        if request.method() == Method::OPTIONS {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            caller.origin.allow_preflight(response.headers_mut());
            return Ok(response);
        }
        let parameters = Parameters::read(request.uri());
        let kind = match parameters.transport {
            Some("polling") => Kind::Polling,
            Some("websocket") => Kind::WebSocket,
            _ => return Err(Refused::TransportUnknown),
        };
        if kind == Kind::WebSocket && caller.origin == Origin::Foreign {
            return Err(Refused::Forbidden);
        }
        match parameters.sid {
            None if request.method() != Method::GET => Err(Refused::BadMethod),
            None if parameters.version != Some(VERSION) => Err(Refused::Version),
            None => self.begin(request, caller, kind),
            Some(sid) => {
                let sid = self.sids.parse(sid).ok_or(Refused::SidUnknown)?;
                if !self.sids.is_ours(&sid) {
                    return Err(Refused::SidUnknown);
                }
                let connection = self.registry.get(&sid.key).ok_or(Refused::SidUnknown)?;
                resume(request, connection, kind).await
            }
        }
    }

    /// Opens a connection.
    fn begin(
        self: &Arc<Self>,
        mut request: Request<Incoming>,
        caller: Caller,
        kind: Kind,
    ) -> Result<Response<Body>, Refused> {
        if !self.admits() {
            return Err(Refused::Unavailable);
        }
        let head = (request.uri(), request.headers());
        let handshake = Handshake::new(caller.address, caller.origin, head, &self.config.kept_headers);
        match kind {
            Kind::WebSocket => upgrade::open(self, &mut request, handshake),
            Kind::Polling => {
                let connection = self.open(handshake, Wire::Polling(Polls::default()), Reader::Nobody);
                Ok(text(polling::take_now(&connection)))
            }
        }
    }
}

/// Goes on with a connection.
async fn resume(
    mut request: Request<Incoming>,
    connection: Arc<Connection>,
    kind: Kind,
) -> Result<Response<Body>, Refused> {
    match (kind, request.method()) {
        (Kind::WebSocket, &Method::GET) => upgrade::probe(connection, &mut request),
        (Kind::Polling, &Method::GET) => polling::poll(connection).await,
        (Kind::Polling, &Method::POST) => polling::post(connection, request).await,
        _ => Err(Refused::BadMethod),
    }
}
