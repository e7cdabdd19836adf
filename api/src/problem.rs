//! Problem documents (RFC 9457): the body of every error.
//!
//! An error's response carries its [`Problem`] as an extension; [`render`] writes the body, because only there the request's
//! id is known. A response with an error status and no problem (from a library's layer) gets a plain one.

use axum::{
    Json,
    extract::Request,
    http::{HeaderValue, Response, StatusCode, header},
    middleware::Next,
    response::IntoResponse,
};
use serde::Serialize;

use crate::observe::RequestId;

/// What went wrong, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// `urn:shopfloor:problem:CODE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, the same for every request.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// This very problem.
    pub detail: String,
    /// A stable word for programs, e.g. `not_found`.
    pub code: &'static str,
    /// The field, parameter or header that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The request's id, as in the `X-Request-Id` header and the server's log.
    pub request_id: String,
}

impl Problem {
    /// A problem that says no more than its status does.
    fn of(status: StatusCode) -> Self {
        let (code, detail) = match status {
            StatusCode::NOT_FOUND => ("not_found", "There is nothing at this address."),
            StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "This address does not know that method."),
            StatusCode::REQUEST_TIMEOUT => ("timeout", "The request took too long."),
            StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "The body is too large."),
            StatusCode::UPGRADE_REQUIRED => ("upgrade_required", "This address speaks WebSocket only."),
            status if status.is_server_error() => ("internal", "Something is wrong on our side; it has been logged."),
            _ => ("bad_request", "The request cannot be understood."),
        };
        Self::new(status, code, detail.to_owned())
    }

    /// A problem; the detail is cut where it quotes too much of the request.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: String) -> Self {
        Self {
            kind: format!("urn:shopfloor:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: cut(detail, DETAIL_CHARS),
            code,
            field: None,
            remedy: None,
            request_id: String::new(),
        }
    }
}

/// How much of a detail and of a field's path is kept, in characters.
const DETAIL_CHARS: usize = 1000;
pub(crate) const FIELD_CHARS: usize = 200;

/// The text, or its beginning.
pub(crate) fn cut(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Middleware: writes the problem of an error response as its body.
pub(crate) async fn render(request: Request, next: Next) -> axum::response::Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let (mut parts, body) = next.run(request).await.into_parts();
    if !(parts.status.is_client_error() || parts.status.is_server_error()) {
        return Response::from_parts(parts, body);
    }
    let mut problem = parts.extensions.remove::<Problem>().unwrap_or_else(|| Problem::of(parts.status));
    problem.request_id = id.map(|id| id.0).unwrap_or_default();
    parts.headers.remove(header::CONTENT_LENGTH);
    let mut response = (parts.status, parts.headers, Json(problem)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    *response.extensions_mut() = parts.extensions;
    response
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware::from_fn, routing::get};
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    #[tokio::test]
    async fn an_error_without_a_problem_gets_one() {
        let broken = get(|| async {
            if true {
                panic!("on purpose")
            }
        });
        let plain = get(|| async { (StatusCode::IM_A_TEAPOT, "short and stout") });
        let router = Router::new().route("/broken", broken).route("/plain", plain);
        let router = router.layer(CatchPanicLayer::new()).layer(from_fn(render));
        for (path, status, code) in
            [("/broken", 500, "internal"), ("/plain", 418, "bad_request"), ("/", 404, "not_found")]
        {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
            let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()));
            assert!(!problem.to_string().contains("on purpose"), "what panics say stays inside");
        }
    }

    #[test]
    fn long_quotes_are_cut() {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "bad_request", "ü".repeat(5000));
        assert_eq!(problem.detail.chars().count(), DETAIL_CHARS + 1);
    }
}
