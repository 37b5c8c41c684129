//! Accepts connections: requests to the transport's path go to it, all others to the routes.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::Service;
use tracing::warn;

use super::address::{ClientAddress, client_address};
use super::body::PacedBody;
use super::node::Transport;
use super::service::PATH;

/// For a whole request head, and for the pause between two requests on one connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// For a request head in bytes; beyond it the answer is 431.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// What hyper may buffer for one connection.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// After which unacknowledged data ends a connection: how long a peer that vanished can hold a socket.
pub(super) const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);
/// For a request that is being answered when the listener stops.
const LAST_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two tries while the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop` is cancelled. Requests under way are answered even then, by tasks for which [`Transport::finish`] waits.
pub async fn serve(listener: TcpListener, transport: Arc<Transport>, routes: Router, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = serve_one(stream, peer.ip(), transport.clone(), (routes.clone(), stop.clone()));
                transport.tasks.spawn(connection);
            }
            Err(error) => {
                warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_one(stream: TcpStream, peer: IpAddr, transport: Arc<Transport>, shared: (Router, CancellationToken)) {
    let (routes, stop) = shared;
    // Both fail only on a socket that is dead already, which the first read finds out.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(TCP_USER_TIMEOUT));
    let service =
        service_fn(move |request: Request<Incoming>| answer(request, peer, transport.clone(), routes.clone()));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_header_size(HEADER_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut served = std::pin::pin!(served);
    // How a connection of one client ends is no concern of anybody but that client.
    tokio::select! {
        _ = served.as_mut() => {}
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(LAST_ANSWER_TIMEOUT, served).await;
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    peer: IpAddr,
    transport: Arc<Transport>,
    mut routes: Router,
) -> Result<Response<Body>, Infallible> {
    if request.uri().path() == PATH {
        return Ok(transport.answer(request, peer).await);
    }
    let address = client_address(peer, request.headers(), &transport.config.trusted_proxies);
    let mut request = request.map(|body| Body::new(PacedBody::new(body)));
    request.extensions_mut().insert(ClientAddress(address));
    routes.call(request).await
}
