//! Every request gets an id, a tracing span, a line in the log and a place in the metrics.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, debug, info_span};

use crate::{app::AppState, error::FencedWrite};

/// The header that carries a request's id, in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request's id: the caller's, when it is short and plain, or a new one.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    fn of(request: &Request) -> Self {
        let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        match given {
            Some(id) if !id.is_empty() && id.len() <= 64 && id.chars().all(plain) => Self(id.to_owned()),
            _ => Self(uuid::Uuid::now_v7().to_string()),
        }
    }
}

/// Middleware around everything.
pub(crate) async fn observe(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(&request);
    let (method, path) = (known(request.method()), request.uri().path().to_owned());
    request.extensions_mut().insert(id.clone());
    let span = info_span!("http", request.id = %id.0, method, path);
    let began = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (took, status) = (began.elapsed(), response.status());
    let route = response.extensions_mut().remove::<Route>().map_or_else(|| "unmatched".to_owned(), |route| route.0);
    state
        .metrics
        .http_request
        .with_label_values(&[route.as_str(), method, status.as_str()])
        .observe(took.as_secs_f64());
    if let Some(FencedWrite(op)) = response.extensions().get() {
        state.metrics.fenced_writes.with_label_values(&[*op]).inc();
    }
    span.in_scope(|| debug!(route, status = status.as_u16(), duration_ms = took.as_millis(), "Answered a request"));
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The route's template, on its way out to [`observe`].
#[derive(Debug, Clone)]
struct Route(String);

/// Middleware around the matched routes: only there the template is known.
pub(crate) async fn note_route(path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(path) = path {
        response.extensions_mut().insert(Route(path.as_str().to_owned()));
    }
    response
}

/// The method as a label; anybody can invent methods, so unknown ones share one.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
