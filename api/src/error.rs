//! Errors to HTTP, in one place; a server's own fault is logged here, once.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use shopfloor_store::StoreError;
use tracing::error;

use crate::problem::{FIELD_CHARS, Problem, cut};

/// What a handler fails with.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    problem: Box<Problem>,
    headers: Vec<(header::HeaderName, HeaderValue)>,
    fenced: Option<FencedWrite>,
}

/// Marks the response to a ghost's write, for the metric.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FencedWrite(pub(crate) &'static str);

/// Shorthand.
pub(crate) type Result<T, E = ApiError> = std::result::Result<T, E>;

impl ApiError {
    /// A problem with a stable code and a sentence.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let problem = Box::new(Problem::new(status, code, detail.into()));
        Self { status, problem, headers: Vec::new(), fenced: None }
    }

    /// The request cannot be understood.
    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// The request is understood, and this field of it does not fit.
    pub(crate) fn invalid(field: impl Into<String>, problem: impl std::fmt::Display) -> Self {
        let field = field.into();
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", format!("`{field}`: {problem}")).field(field)
    }

    /// There is no such thing.
    pub(crate) fn not_found(kind: &str, id: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {kind} `{id}`"))
    }

    /// The thing's state is against it.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// The body is larger than `most` bytes.
    pub(crate) fn too_large(field: Option<&str>, most: u64) -> Self {
        let detail = format!("at most {most} bytes are accepted here");
        let error = Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail);
        error.field(field.unwrap_or("body"))
    }

    /// The caller has shown no valid key.
    pub(crate) fn unauthorized(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
            .remedy("send `Authorization: Bearer sf_…`; an admin makes keys with `shopfloor keys create`")
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"shopfloor\""))
    }

    /// The system is out of reach or too busy; trying again helps.
    pub(crate) fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
            .remedy("try again in a moment")
            .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// Something of ours is broken; `cause` goes to the log only.
    pub(crate) fn internal(cause: &dyn std::fmt::Debug) -> Self {
        error!(?cause, "A request failed");
        let detail = "something is wrong on our side; it has been logged";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// Names the field, parameter or header that is wrong.
    #[must_use]
    pub(crate) fn field(mut self, field: impl Into<String>) -> Self {
        self.problem.field = Some(cut(field.into(), FIELD_CHARS));
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.problem.remedy = Some(remedy.into());
        self
    }

    fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Puts `prefix` in front of the field's name: the place in a list, say.
    #[must_use]
    pub(crate) fn within(mut self, prefix: &str) -> Self {
        let field = match self.problem.field.take() {
            Some(field) => format!("{prefix}.{field}"),
            None => prefix.to_owned(),
        };
        self.field(field)
    }

    /// Whether it is the answer to a ghost.
    pub(crate) const fn is_fenced(&self) -> bool {
        self.fenced.is_some()
    }

    /// The problem, for frames that are no HTTP response.
    pub(crate) fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::Fenced { op, .. } => {
                let mut error = Self::new(StatusCode::CONFLICT, "stale_epoch", detail)
                    .field("epoch")
                    .remedy("stop working on this order and claim another one");
                error.fenced = Some(FencedWrite(op));
                error
            }
            StoreError::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "not_found", detail),
            StoreError::Conflict { .. } => Self::conflict(detail),
            StoreError::IdempotencyMismatch { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_mismatch", detail)
                    .field("Idempotency-Key")
                    .remedy("use a fresh key for a different request")
            }
            StoreError::Invalid { field, .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail).field(field)
            }
            error if error.is_transient() => {
                error!(cause = ?error, "The record failed a request");
                Self::unavailable("record_unavailable", format!("the record is out of reach: {detail}"))
            }
            error => Self::internal(&error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.headers_mut().extend(self.headers);
        if let Some(fenced) = self.fenced {
            response.extensions_mut().insert(fenced);
        }
        response.extensions_mut().insert(*self.problem);
        response
    }
}
