//! The endpoints, by noun. A handler parses, makes one call and renders.

pub(crate) mod audit;
pub(crate) mod chat;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod keys;
pub(crate) mod pipelines;
pub(crate) mod projects;
pub(crate) mod questions;
pub(crate) mod queue;
pub(crate) mod sessions;
pub(crate) mod tasks;
pub(crate) mod workers;

use utoipa_axum::router::OpenApiRouter;

use crate::app::AppState;

/// Endpoints that answer at once.
pub(crate) fn plain() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(tasks::router())
        .merge(files::router())
        .merge(questions::router())
        .merge(workers::router())
        .merge(queue::router())
        .merge(sessions::router())
        .merge(chat::router())
        .merge(keys::router())
        .merge(projects::router())
        .merge(pipelines::router())
        .merge(audit::router())
}

/// Endpoints that keep the connection: streams, sockets, waiting claims.
pub(crate) fn lasting() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().merge(events::router()).merge(queue::claim::router()).merge(chat::socket::router())
}
