//! Query strings: strictly decoded, unknown parameters refused, the wrong one named.

use std::{fmt, str::FromStr};

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_json::{Map, Value};

use super::json::place;
use crate::{
    error::{ApiError, Result},
    limits,
};

/// The query string as a type. A parameter may come once, or often where the type says [`words`].
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self> {
        let fields = fields(parts.uri.query().unwrap_or_default())?;
        serde_path_to_error::deserialize(Value::Object(fields)).map(Self).map_err(|error| {
            let (path, problem) = (error.path().to_string(), error.inner().to_string());
            let field = place(&path, &problem);
            ApiError::bad_request("invalid_query", format!("query parameter `{field}`: {problem}")).field(field)
        })
    }
}

/// The parameters by name: a text each, or an array of texts when there are several.
fn fields(query: &str) -> Result<Map<String, Value>> {
    if query.len() > limits::QUERY_BYTES {
        let detail = format!("the query string is longer than {} bytes", limits::QUERY_BYTES);
        return Err(ApiError::bad_request("invalid_query", detail).field("query"));
    }
    let mut fields = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name).ok_or_else(|| undecodable("query"))?;
        let value = Value::String(decode(value).ok_or_else(|| undecodable(&name))?);
        match fields.get_mut(&name) {
            None => drop(fields.insert(name, value)),
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Ok(fields)
}

fn undecodable(name: &str) -> ApiError {
    let detail = format!("query parameter `{name}` is not percent-encoded UTF-8 without NUL");
    ApiError::bad_request("invalid_query", detail).field(name)
}

/// Percent-decodes; `None` for a bad escape, bytes that are no UTF-8, and NUL.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, tail) = rest.split_at_checked(2)?;
                rest = tail;
                let digits = std::str::from_utf8(digits).ok()?;
                u8::from_str_radix(digits.strip_prefix('+').map_or(digits, |_| "-"), 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

/// For numbers and booleans, which are texts in a query.
pub(crate) fn number<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(d: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(d)?;
    text.parse().map(Some).map_err(|problem| D::Error::custom(format!("`{text}`: {problem}")))
}

/// For parameters that may come often, or as a list with commas.
pub(crate) fn words<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(d: D) -> Result<Vec<T>, D::Error> {
    let texts = match Value::deserialize(d)? {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let words = texts.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|word| !word.is_empty());
    words.map(|word| word.parse().map_err(D::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_is_strict() {
        assert_eq!(decode("a+b%20%C3%A9").as_deref(), Some("a b é"));
        for bad in ["%", "%2", "%zz", "%ff", "%00", "%+1"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
