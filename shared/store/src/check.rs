//! Values that a person or a program hands in, checked before they reach a database.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{Result, StoreError};

/// Refuses text with a NUL, which PostgreSQL cannot hold.
pub(crate) fn text(field: &'static str, text: &str) -> Result<()> {
    if text.contains('\0') {
        return Err(StoreError::Invalid { field, problem: "must not contain the character NUL (\\u0000)".to_owned() });
    }
    Ok(())
}

/// As [`text`], where there may be none.
pub(crate) fn maybe_text(field: &'static str, maybe: Option<&str>) -> Result<()> {
    maybe.map_or(Ok(()), |some| text(field, some))
}

/// Refuses JSON with a NUL in any text or key.
pub(crate) fn json(field: &'static str, value: &Value) -> Result<()> {
    match value {
        Value::String(some) => text(field, some),
        Value::Array(items) => items.iter().try_for_each(|item| json(field, item)),
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| {
            text(field, key)?;
            json(field, value)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// JSON in one form whatever the order of its keys: what is hashed.
pub(crate) fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (key, value) in fields {
                let _ = write!(out, "{}:", Value::from(key.as_str()));
                write_canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        plain => {
            let _ = write!(out, "{plain}");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn nul_is_found_however_deep() {
        for bad in [json!("\0"), json!(["a", {"b": "x\0y"}]), json!({"a": {"k\0": 1}})] {
            let error = super::json("input", &bad).unwrap_err().to_string();
            assert!(error.starts_with("input: ") && error.contains("NUL"), "{error}");
        }
        super::json("input", &json!({"a": ["b", 1, null, true, "\\u0000"]})).unwrap();
        assert!(maybe_text("branch", Some("a\0")).is_err());
        maybe_text("branch", None).unwrap();
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z\",:\\[\\]{}]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c\"]{0,2}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn only_equal_values_have_the_same_canonical_form(a in any_json(), b in any_json()) {
            prop_assert_eq!(canonical(&a) == canonical(&b), a == b);
        }
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let (a, b) = (r#"{"a":1,"b":{"d":2,"c":3}}"#, r#"{"b":{"c":3,"d":2},"a":1}"#);
        let canonical = |text| canonical(&serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(canonical(a), canonical(b));
    }
}
