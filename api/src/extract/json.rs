//! JSON bodies.

use axum::{
    extract::{FromRequest, Request},
    http::StatusCode,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::body;
use crate::{
    error::{ApiError, Result},
    limits, strict,
};

/// A JSON body of at most `MOST` bytes, read strictly; what does not fit is named.
#[derive(Debug)]
pub(crate) struct Json<T, const MOST: usize = { limits::BODY_BYTES }>(pub(crate) T);

/// As [`Json`]; no body at all counts as `{}`.
#[derive(Debug)]
pub(crate) struct MaybeJson<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned, const MOST: usize> FromRequest<S> for Json<T, MOST> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self> {
        let (parts, body) = request.into_parts();
        if !body::is_json(&parts.headers) {
            body::drain(body.into_data_stream()).await;
            return Err(not_json());
        }
        let body = body::read(&parts.headers, body, MOST).await?;
        from_value(value(&body)?).map(Self)
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for MaybeJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let body = body::read(&parts.headers, body, limits::BODY_BYTES).await?;
        match body.is_empty() {
            true => from_value(Value::Object(Map::new())).map(Self),
            false if body::is_json(&parts.headers) => from_value(value(&body)?).map(Self),
            false => Err(not_json()),
        }
    }
}

fn not_json() -> ApiError {
    let detail = "the body must be JSON";
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
        .field("Content-Type")
        .remedy("send `Content-Type: application/json`")
}

fn value(body: &[u8]) -> Result<Value> {
    strict::parse(body).map_err(|fault| {
        let field = if fault.path.is_empty() { "body".to_owned() } else { fault.path };
        ApiError::bad_request("malformed_json", fault.problem).field(field)
    })
}

/// A value as a type; the first field that does not fit is named.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T> {
    // An object's type reads an array too, field by field; nobody means that.
    if value.is_array() {
        return Err(ApiError::invalid("body", "expected a JSON object"));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let (path, problem) = (error.path().to_string(), error.inner().to_string());
        ApiError::invalid(place(&path, &problem), problem)
    })
}

/// The field that an error is about: the path it stands at, and for unknown and missing fields the one that it names.
pub(super) fn place(path: &str, problem: &str) -> String {
    let path = if path == "." { "" } else { path };
    let named = ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .find_map(|words| problem.strip_prefix(words)?.split_once('`').map(|(name, _)| name));
    match named {
        // The path of an unknown field ends with its name already.
        Some(name) if path.is_empty() || path == name => name.to_owned(),
        Some(name) if path.ends_with(&format!(".{name}")) => path.to_owned(),
        Some(name) => format!("{path}.{name}"),
        None if path.is_empty() => "body".to_owned(),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read for its errors")]
    struct Outer {
        count: u32,
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read for its errors")]
    struct Inner {
        name: String,
    }

    #[test]
    fn the_wrong_field_is_named() {
        let cases = [
            (json!({ "count": "x", "inner": [] }), "count"),
            (json!({ "count": -1, "inner": [] }), "count"),
            (json!({ "inner": [] }), "count"),
            (json!({ "count": 1, "inner": [], "extra": 1 }), "extra"),
            (json!({ "count": 1, "inner": [{ "name": "a" }, { "name": 7 }] }), "inner[1].name"),
            (json!({ "count": 1, "inner": [{}] }), "inner[0].name"),
            (json!({ "count": 1, "inner": [{ "name": "a", "nom": 1 }] }), "inner[0].nom"),
            (json!([]), "body"),
            (json!(7), "body"),
        ];
        for (value, field) in cases {
            let error = from_value::<Outer>(value.clone()).expect_err("refused");
            assert_eq!(error.problem().field.as_deref(), Some(field), "{value}: {error:?}");
        }
    }
}
