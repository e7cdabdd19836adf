//! Protection around every route: time limits, security headers, and no service under foreign host names.

use std::{net::IpAddr, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};
use tracing::warn;

use crate::{
    app::{AppState, Settings},
    error::ApiError,
};

/// Nothing of an answer may run, load or be framed in a browser.
const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
/// The documentation loads its own files only; its styles are inline.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Middleware: the headers that every answer carries, unless its handler knows better.
pub(crate) async fn headers(request: Request, next: Next) -> Response {
    let docs = request.uri().path().starts_with("/docs");
    let mut response = next.run(request).await;
    let policy = if docs { DOCS_POLICY } else { API_POLICY };
    let usual = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::CACHE_CONTROL, if docs { "no-cache" } else { "no-store" }),
    ];
    for (name, value) in usual {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Middleware: plain requests are answered in time or given up.
pub(crate) async fn in_time(State(state): State<AppState>, request: Request, next: Next) -> Response {
    within(state.settings.request_timeout, request, next).await
}

/// Middleware: uploads may take longer.
pub(crate) async fn in_upload_time(State(state): State<AppState>, request: Request, next: Next) -> Response {
    within(state.settings.upload_timeout, request, next).await
}

async fn within(most: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(most, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            warn!(seconds = most.as_secs(), "Gave up a request that took too long");
            let detail = format!("the request was given up after {} s", most.as_secs());
            ApiError::unavailable("timeout", detail).into_response()
        }
    }
}

/// Middleware, while listening on loopback only: refuses requests for hosts that are not this machine. A web page may point
/// a name of its own at 127.0.0.1 and would then speak to us as if we were its own server.
pub(crate) async fn own_host(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let host = request.uri().host().or_else(|| request.headers().get(header::HOST).and_then(|host| host.to_str().ok()));
    match host {
        Some(host) if !is_own(host, &state.settings.allowed_hosts) => {
            let detail = "this server listens on loopback only and is not known by that host name";
            ApiError::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", detail)
                .field("Host")
                .remedy("use http://127.0.0.1, or name the host in the server's allowed hosts")
                .into_response()
        }
        _ => next.run(request).await,
    }
}

/// Whether this `Host` value, with or without port, names this machine.
fn is_own(host: &str, allowed: &[String]) -> bool {
    let bare = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').filter(|(name, _)| !name.contains(':')).map_or(host, |(name, _)| name),
    };
    let bare = bare.trim_end_matches('.').to_ascii_lowercase();
    bare == "localhost"
        || bare.ends_with(".localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(&bare))
}

/// Lets pages of the settings' origins call the API; without any, there is no layer. A text that is no origin is left out.
pub(crate) fn cors(settings: &Settings) -> Option<CorsLayer> {
    let origins = settings.cors_origins.iter().filter_map(|origin| match HeaderValue::from_str(origin) {
        Ok(value) => Some(value),
        Err(_) => {
            warn!(origin, "Left out a CORS origin that is no header value");
            None
        }
    });
    let origins: Vec<_> = origins.collect();
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods(Any)
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
            crate::observe::REQUEST_ID,
        ])
        .expose_headers([crate::observe::REQUEST_ID, header::ETAG, header::CONTENT_DISPOSITION, header::RETRY_AFTER])
        .max_age(Duration::from_secs(3600));
    Some(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_ours() {
        let allowed = ["desk.example.org".to_owned()];
        for own in
            ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "app.localhost", "Desk.Example.org:1"]
        {
            assert!(is_own(own, &allowed), "{own}");
        }
        for foreign in
            ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "", "10.0.0.1", "[::2]"]
        {
            assert!(!is_own(foreign, &allowed), "{foreign}");
        }
    }
}
