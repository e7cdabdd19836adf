//! Puts routes and layers together.

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{App, app::AppState, guard, health, metrics, observe, openapi, problem, routes};

/// Where the API lives.
pub(crate) const PREFIX: &str = "/api/v1";

/// The whole HTTP surface, without a socket. It serves under every host name and never stops by itself: see
/// [`crate::serve`].
pub fn router(app: App) -> Router {
    build(AppState::new(app, CancellationToken::new()), false)
}

/// The routes with their time limits.
pub(crate) fn described(state: &AppState) -> OpenApiRouter<AppState> {
    let plain = routes::plain();
    let plain = plain.route_layer(from_fn_with_state(state.clone(), guard::in_time));
    let uploads = routes::files::uploads().route_layer(from_fn_with_state(state.clone(), guard::in_upload_time));
    described_by(plain.merge(uploads).merge(routes::lasting()))
}

fn described_by(api: OpenApiRouter<AppState>) -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::head()).nest(PREFIX, api).merge(health::router()).merge(metrics::router())
}

/// The description alone, of the same routes.
pub(crate) fn description() -> utoipa::openapi::OpenApi {
    let api = routes::plain().merge(routes::files::uploads()).merge(routes::lasting());
    described_by(api).into_openapi()
}

/// The router of one server. `loopback` says that it can be reached from this machine only.
pub(crate) fn build(state: AppState, loopback: bool) -> Router {
    let (routes, _) = described(&state).split_for_parts();
    let docs = SwaggerUi::new("/docs")
        .url("/openapi.json", openapi::openapi())
        .config(Config::default().validator_url("none"));
    let mut router = routes.merge(Router::from(docs)).route_layer(from_fn(observe::note_route));
    if let Some(cors) = guard::cors(&state.settings) {
        router = router.layer(cors);
    }
    if loopback {
        router = router.layer(from_fn_with_state(state.clone(), guard::own_host));
    }
    router
        .layer(CatchPanicLayer::new())
        .layer(from_fn(problem::render))
        .layer(from_fn(guard::headers))
        .layer(from_fn_with_state(state.clone(), observe::observe))
        .with_state(state)
}
