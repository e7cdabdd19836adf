//! Texts that come from outside, made fit for the record.

use serde_json::Value;

/// The most text of one stream that is kept in a step's output.
pub(crate) const MAX_STREAM: usize = 256 * 1024;

/// Without NUL, which PostgreSQL does not store in JSON.
pub(crate) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The head of a text, cut between characters.
pub(crate) fn head(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// The same for every text in a JSON value, keys included.
pub(crate) fn clean_json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(clean(&text)),
        Value::Array(items) => items.into_iter().map(clean_json).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (clean(&key), clean_json(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nul_is_replaced_everywhere() {
        assert_eq!(clean_json(json!({ "a\0": ["b\0", 1] })), json!({ "a\u{fffd}": ["b\u{fffd}", 1] }));
    }

    #[test]
    fn heads_are_cut_between_characters() {
        assert_eq!(head("aé", 2), "a");
        assert_eq!(head("aé", 3), "aé");
        assert_eq!(head("a", 9), "a");
    }
}
