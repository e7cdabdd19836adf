//! The one parameter of a path.

use std::{fmt::Display, str::FromStr};

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};

use crate::error::{ApiError, Result};

/// The path's only parameter: an id or a name. What cannot be one is refused, with the parameter named.
#[derive(Debug)]
pub(crate) struct Key<T>(pub(crate) T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Key<T>
where
    T::Err: Display,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let unreadable = |_| ApiError::bad_request("invalid_path", "the path is not valid UTF-8").field("path");
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(unreadable)?;
        let (name, text) = params.iter().next().unwrap_or(("id", ""));
        text.parse().map(Self).map_err(|problem: T::Err| {
            ApiError::bad_request("invalid_path", format!("`{name}` in the path: {problem}")).field(name)
        })
    }
}
