//! Reads fields of JSON answers leniently, so that a newer or older server does not break a table.

use serde_json::Value;
use shopfloor_domain::Timestamp;

/// Lenient readers.
pub(crate) trait Fields {
    /// A text, or the empty text.
    fn text(&self, name: &str) -> &str;
    /// A number, or 0.
    fn number(&self, name: &str) -> i64;
    /// A point in time.
    fn time(&self, name: &str) -> Option<Timestamp>;
    /// The rows of a list, or none.
    fn rows(&self, name: &str) -> &[Value];
}

impl Fields for Value {
    fn text(&self, name: &str) -> &str {
        self[name].as_str().unwrap_or_default()
    }

    fn number(&self, name: &str) -> i64 {
        self[name].as_i64().unwrap_or_default()
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        self[name].as_str()?.parse().ok()
    }

    fn rows(&self, name: &str) -> &[Value] {
        self[name].as_array().map(Vec::as_slice).unwrap_or_default()
    }
}

/// A JSON value as people write it: texts without quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
