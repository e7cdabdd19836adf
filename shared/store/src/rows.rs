//! Reading columns back into domain types.

use std::{fmt::Display, str::FromStr};

use sea_orm::Value;

use crate::{Result, StoreError};

/// A word of one of the domain's text enums (or a name, or a capability set).
pub(crate) fn word<T>(what: &'static str, text: &str) -> Result<T>
where
    T: FromStr,
    T::Err: Display,
{
    text.parse().map_err(|problem: T::Err| StoreError::corrupt(what, problem))
}

/// As [`word`], for a column that may be empty.
pub(crate) fn maybe_word<T>(what: &'static str, text: Option<&str>) -> Result<Option<T>>
where
    T: FromStr,
    T::Err: Display,
{
    text.map(|text| word(what, text)).transpose()
}

/// A counter, which SQL knows as a signed integer.
pub(crate) fn counter(what: &'static str, number: i32) -> Result<u32> {
    u32::try_from(number).map_err(|problem| StoreError::corrupt(what, problem))
}

/// A count or size, which SQL knows as a signed integer.
pub(crate) fn size(what: &'static str, number: i64) -> Result<u64> {
    u64::try_from(number).map_err(|problem| StoreError::corrupt(what, problem))
}

/// A counter on its way into SQL; saturates.
pub(crate) fn sql_counter(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A size on its way into SQL; saturates.
pub(crate) fn sql_size(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Text without NUL, which PostgreSQL cannot hold: what a program printed is recorded rather than refused.
pub(crate) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// JSON without NUL in its texts and keys.
pub(crate) fn clean_json(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) if text.contains('\0') => Value::String(clean(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(clean_json).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (clean(&key), clean_json(value))).collect())
        }
        other => other,
    }
}

/// Values of one column, as PostgreSQL's array: a statement's text is the same then for any number of rows.
pub(crate) fn list<T>(values: impl IntoIterator<Item = T>) -> Value
where
    Vec<T>: Into<Value>,
{
    values.into_iter().collect::<Vec<T>>().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nul_is_replaced_everywhere() {
        let dirty = json!({"a\0": ["x\0y", 1, null, {"b": "\0"}]});
        assert_eq!(clean_json(dirty), json!({"a\u{fffd}": ["x\u{fffd}y", 1, null, {"b": "\u{fffd}"}]}));
    }

    #[test]
    fn unreadable_columns_name_themselves() {
        let error = word::<shopfloor_domain::Priority>("work_orders.priority", "urgent").unwrap_err();
        assert!(error.to_string().contains("work_orders.priority"), "{error}");
        assert!(counter("workers.slots", -1).is_err());
    }
}
