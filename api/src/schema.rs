//! Checks values against JSON Schemas: a pipeline's for a task's input, a question's for its answer.

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

use crate::error::{ApiError, Result};

/// Compiles a schema. References lead nowhere outside it, and patterns run in linear time.
fn build(schema: &Value) -> std::result::Result<Validator, String> {
    let options = jsonschema::options().offline().with_pattern_options(PatternOptions::regex());
    options.build(schema).map_err(|error| error.to_string())
}

/// Compiles a schema of the record, which was checked when it came in.
fn compile(schema: &Value) -> Result<Validator> {
    build(schema).map_err(|error| ApiError::internal(&error))
}

/// Fails unless the request's `field` is a schema, or `null`.
pub(crate) fn must_compile(field: &str, schema: &Value) -> Result<()> {
    if schema.is_null() {
        return Ok(());
    }
    build(schema).map(drop).map_err(|error| ApiError::invalid(field, format!("is no JSON Schema: {error}")))
}

/// Fails unless `value`, the request's `field`, fits `schema`; the first misfit is named by its path.
pub(crate) fn check(field: &str, schema: &Value, value: &Value) -> Result<()> {
    if schema.is_null() {
        return Ok(());
    }
    compile(schema)?.validate(value).map_err(|error| {
        let place = format!("{field}{}", dotted(error.instance_path().as_str()));
        ApiError::invalid(place, sentence(error))
    })
}

/// What is wrong, without quoting the value, which may be long.
fn sentence(error: ValidationError<'_>) -> String {
    error.masked_with("the value").to_string()
}

/// `/files/0/name` as `.files[0].name`.
fn dotted(pointer: &str) -> String {
    let part = |part: &str| match part.parse::<usize>() {
        Ok(index) => format!("[{index}]"),
        Err(_) => format!(".{}", part.replace("~1", "/").replace("~0", "~")),
    };
    pointer.split('/').skip(1).map(part).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_path_of_a_misfit_is_named() {
        let schema = json!({
            "type": "object",
            "properties": { "files": { "type": "array", "items": { "type": "object", "required": ["name"] } } },
            "additionalProperties": false,
        });
        let cases = [
            (json!({ "files": [{ "name": 1 }, {}] }), Some("input.files[1]")),
            (json!({ "other": 1 }), Some("input")),
            (json!(1), Some("input")),
            (json!({ "files": [] }), None),
        ];
        for (value, field) in cases {
            let found = check("input", &schema, &value).err();
            assert_eq!(found.as_ref().and_then(|error| error.problem().field.as_deref()), field, "{value}: {found:?}");
        }
    }

    #[test]
    fn a_reference_to_another_server_is_not_followed() {
        let schema = json!({ "$ref": "http://127.0.0.1:9/schema.json" });
        let error = check("input", &schema, &json!(1)).expect_err("refused");
        assert_eq!(error.problem().status, 500);
    }
}
