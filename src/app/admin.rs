//! The admin listener: whether the process lives, whether it wants clients, and what it measures.
//!
//! It stands with the program and not with the doors: it tells about the process, and no command comes through it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use tracing::warn;

use super::phase::{Life, Phase};
use crate::telemetry::Recorder;

/// For one whole connection: a probe or a scrape, and the pause to the next one.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(120);
/// For a request head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections at once; more wait in the system's own queue.
const CONNECTIONS_MAX: usize = 64;
/// Between two tries while the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the admin listener tells about.
#[derive(Clone)]
pub(super) struct Admin {
    /// Where in its life the node is.
    pub life: Life,
    /// What it measures.
    pub recorder: Recorder,
}

impl Admin {
    /// Answers until `stop` is cancelled.
    pub(super) async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let routes = self.routes();
        let accepting = async {
            loop {
                let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let answered = answer(stream, routes.clone());
                        tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
                            answered.await;
                            drop(place);
                        }));
                    }
                    Err(error) => {
                        warn!(%error, "a connection to the admin listener was not accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        stop.run_until_cancelled(accepting).await;
        tasks.close();
        tasks.wait().await;
    }

    fn routes(self) -> Router {
        Router::new()
            .route("/healthz", get(health))
            .route("/readyz", get(readiness))
            .route("/metrics", get(metrics))
            .with_state(self)
    }
}

async fn answer(stream: TcpStream, routes: Router) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut routes = routes.clone();
        async move { Ok::<_, Infallible>(routes.call(request).await.unwrap_or_else(|never| match never {})) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    // How a connection ends concerns only the one who asked.
    drop(timeout(CONNECTION_TIMEOUT, served).await);
}

/// The process lives when it answers. Nothing else is asked: a store or a bus that is away is no reason to kill a node full of clients.
async fn health() -> &'static str {
    "ok"
}

async fn readiness(State(admin): State<Admin>) -> Response {
    let phase = admin.life.phase();
    let status = match phase {
        Phase::Ready => StatusCode::OK,
        Phase::Starting | Phase::Draining => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(json!({ "status": phase.word() }))).into_response()
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], admin.recorder.render())
}
