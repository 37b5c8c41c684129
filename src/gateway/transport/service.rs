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
use super::hop::Caller;
use super::node::Transport;
use super::origin::Origin;
use super::outbox::{Polls, Reader, Wire};
use super::refusal::{Refused, text};
use super::{polling, upgrade};

/// The one path that is the transport's.
pub(super) const PATH: &str = "/socket.io/";

/// The only protocol version spoken.
const VERSION: &str = "4";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Polling,
    WebSocket,
}

impl Transport {
    /// Answers one request, whatever it is.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
        let caller = match self.caller(&request, peer) {
            Ok(caller) => caller,
            Err(refused) => return self.refuse(refused),
        };
        let origin = request.headers().get(ORIGIN).cloned();
        let mut response = self.route(request, caller).await.unwrap_or_else(|refused| self.refuse(refused));
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            caller.origin.allow(origin.as_ref(), response.headers_mut());
        }
        response
    }

    fn refuse(&self, refused: Refused) -> Response<Body> {
        self.tally.refused(refused.word());
        refused.response()
    }

    /// Who asks: as another node says, or as the request shows.
    fn caller(&self, request: &Request<Incoming>, peer: IpAddr) -> Result<Caller, Refused> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        if let Some(caller) = self.hops.read(request.headers(), request.method(), target)? {
            return Ok(caller);
        }
        let address = client_address(peer, request.headers(), &self.config.trusted_proxies);
        Ok(Caller { address, origin: self.origins.judge(request.headers()), is_forwarded: false })
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
                    let tag = sid.tag.to_owned();
                    return self.forward(request, caller, kind, &tag).await;
                }
                let connection = self.registry.get(&sid.key).ok_or(Refused::SidUnknown)?;
                resume(request, connection, kind).await
            }
        }
    }

    /// Goes on with a connection of another node. A request that comes from a node already has reached its end.
    async fn forward(
        self: &Arc<Self>,
        request: Request<Incoming>,
        caller: Caller,
        kind: Kind,
        tag: &str,
    ) -> Result<Response<Body>, Refused> {
        if caller.is_forwarded {
            return Err(Refused::SidUnknown);
        }
        match (kind, request.method()) {
            (Kind::WebSocket, &Method::GET) => self.forward_upgrade(request, caller, tag).await,
            (Kind::Polling, &Method::GET | &Method::POST) => self.forward_poll(request, caller, tag).await,
            _ => Err(Refused::BadMethod),
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
