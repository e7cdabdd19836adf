//! Builds a pipeline's input from the command line.

use serde_json::{Map, Value, json};

use crate::exit::Failure;

/// Sets `key=value` in an object. Dots in the key go deeper; a value that is JSON counts as such, any other as text.
pub(crate) fn set(input: &mut Map<String, Value>, assignment: &str) -> Result<(), Failure> {
    let parts = assignment.split_once('=').filter(|(key, _)| key.split('.').all(|part| !part.is_empty()));
    let (key, value) = parts.ok_or_else(|| Failure::usage(format!("`{assignment}` is not of the form key=value")))?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    let (path, last) = key.rsplit_once('.').map_or((None, key), |(path, last)| (Some(path), last));
    let mut object = input;
    for part in path.into_iter().flat_map(|path| path.split('.')) {
        let next = object.entry(part).or_insert_with(|| json!({}));
        object = next.as_object_mut().ok_or_else(|| Failure::usage(format!("`{part}` of `{key}` is not an object")))?;
    }
    object.insert(last.to_owned(), value);
    Ok(())
}

/// Parses `--input-json`, which must be an object.
pub(crate) fn object(text: &str) -> Result<Map<String, Value>, Failure> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Failure::usage("--input-json must be a JSON object")),
        Err(error) => Err(Failure::usage(format!("--input-json is not JSON: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(assignments: &[&str]) -> Result<Value, Failure> {
        let mut input = Map::new();
        assignments.iter().try_for_each(|assignment| set(&mut input, assignment))?;
        Ok(input.into())
    }

    #[test]
    fn keys_nest_and_values_are_json_or_text() {
        let input = built(&["question.prompt=why?", "question.options=[1,2]", "n=3", "eq=a=b"]).unwrap();
        assert_eq!(input, json!({"question": {"prompt": "why?", "options": [1, 2]}, "n": 3, "eq": "a=b"}));
    }

    #[test]
    fn what_is_no_assignment_is_refused() {
        for wrong in [&["x"][..], &["=x"], &["a..b=1"], &["a=1", "a.b=2"]] {
            assert!(built(wrong).is_err(), "{wrong:?}");
        }
        assert!(object("[1]").is_err());
    }
}
