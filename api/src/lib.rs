//! The HTTP surface: JSON, Server-Sent Events and WebSocket in front of the record, with its OpenAPI description.
//!
//! A handler parses, makes one call and renders. The permission it needs is an extractor in its signature ([`auth`]); what
//! went wrong becomes a status code in one place ([`error`]); every error body is a problem document ([`problem`]).

mod app;
pub mod auth;
mod content;
pub mod error;
mod external;
mod extract;
mod guard;
mod health;
mod limits;
mod live;
mod metrics;
mod observe;
mod openapi;
pub mod problem;
mod router;
mod routes;
mod schema;
mod serve;
mod strict;
mod submit;
mod views;
mod watch;

pub use app::{App, Settings};
pub use openapi::openapi;
pub use router::router;
pub use serve::serve;
pub use watch::{Watched, metrics_router, serve_metrics};
