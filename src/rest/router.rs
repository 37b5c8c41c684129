//! All routes on one screen, and the OpenAPI description made from them.

use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Problem;
use super::state::RestState;
use super::{conversations, members, messages, receipts, service, users};
use crate::domain::ChatError;

/// Where everything below lives.
const PREFIX: &str = "/api/v1";

fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::with_openapi(description())
        .routes(routes!(users::me))
        .routes(routes!(users::user))
        .routes(routes!(conversations::create, conversations::list))
        .routes(routes!(conversations::show, conversations::update))
        .routes(routes!(members::list, members::add))
        .routes(routes!(members::set_role, members::remove))
        .routes(routes!(messages::send, messages::history))
        .routes(routes!(messages::events))
        .routes(routes!(receipts::read))
        .routes(routes!(receipts::delivered))
        .routes(routes!(service::users))
        .routes(routes!(service::conversations))
        .routes(routes!(service::send))
        .routes(routes!(service::read))
        .routes(routes!(service::delivered))
}

/// The REST API under `/api/v1`, its description at `/api/v1/openapi.json`; what it does not know is `not_found` in JSON.
pub fn router(state: RestState) -> Router {
    let (api, openapi) = OpenApiRouter::new().nest(PREFIX, routes()).split_for_parts();
    let openapi = Arc::new(openapi);
    api.route(&format!("{PREFIX}/openapi.json"), get(async move || Json(openapi.as_ref().clone())))
        .route(&format!("{PREFIX}/{{*unknown}}"), axum::routing::any(not_found))
        .method_not_allowed_fallback(not_found)
        .with_state(state)
}

async fn not_found() -> Problem {
    ChatError::not_found().into()
}

fn description() -> OpenApi {
    let bearer = |what: &str| {
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(what)).build())
    };
    let components = ComponentsBuilder::new()
        .security_scheme("token", bearer("A user's access token"))
        .security_scheme("service", bearer("A service key, for trusted backends"))
        .build();
    let info = InfoBuilder::new()
        .title("Rookery")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Chat over REST: the same commands and queries as the sockets, with the same rules."))
        .build();
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}
