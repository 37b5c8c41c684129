//! What the public listener answers besides sockets: the API and the page, with what every answer carries.

use std::any::Any;

use axum::Router;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tracing::error;

use crate::config::Origin;
use crate::rest::{self, RestState};
use crate::web;

/// All of them.
pub(super) fn routes(state: RestState, origins: &[Origin]) -> Router {
    rest::router(state)
        .merge(web::router())
        .fallback(nothing_here)
        .layer(cross_origin(origins))
        .layer(CatchPanicLayer::custom(defect))
}

/// Pages of exactly these origins may call the API; others get no permission, and their browsers refuse for them.
fn cross_origin(origins: &[Origin]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin.as_str()).ok());
    CorsLayer::new()
        .allow_origin(origins.collect::<Vec<_>>())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("traceparent")])
        .expose_headers([RETRY_AFTER])
}

async fn nothing_here() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "nothing here\n")
}

/// A defect in one handler ends one request; where it was, the panic itself has said.
fn defect(_what: Box<dyn Any + Send>) -> Response {
    error!("a request met a defect and was answered 500");
    let body = r#"{"error":{"code":"internal","message":"internal error"}}"#;
    (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "application/json")], body).into_response()
}
