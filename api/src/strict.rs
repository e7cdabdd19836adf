//! Reads JSON strictly: valid UTF-8, no NUL in any text, no field twice, a bounded depth.
//!
//! Databases refuse NUL in text, and of two fields with the same name every reader keeps a different one; both are refused
//! here with the place named, before anything else looks at the body.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The path of the value, e.g. `tasks[3].title`; empty for the body itself.
    pub(crate) path: String,
    /// One sentence.
    pub(crate) problem: String,
}

/// The body as a value.
pub(crate) fn parse(body: &[u8]) -> Result<Value, Fault> {
    let mut path = String::new();
    let text = std::str::from_utf8(body)
        .map_err(|error| Fault { path: String::new(), problem: format!("the body is not valid UTF-8: {error}") })?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Node { path: &mut path }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| Fault { path: path.clone(), problem: format!("the body is not acceptable JSON: {error}") })
}

/// One value at `path`. The path is left as it stands when something is wrong.
struct Node<'p> {
    path: &'p mut String,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Node<'_> {
    /// Reads a value one level deeper, at `place`.
    fn within<E>(&mut self, place: &str, read: impl FnOnce(Node<'_>) -> Result<Value, E>) -> Result<Value, E> {
        let length = self.path.len();
        self.path.push_str(place);
        let value = read(Node { path: self.path })?;
        self.path.truncate(length);
        Ok(value)
    }
}

fn no_nul<E: Error>(text: &str) -> Result<&str, E> {
    if text.contains('\0') { Err(E::custom("a text contains the character NUL")) } else { Ok(text) }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        no_nul(value).map(Value::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let length = self.path.len();
            self.path.push_str(&format!("[{}]", items.len()));
            let next = seq.next_element_seed(Node { path: self.path })?;
            self.path.truncate(length);
            match next {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            no_nul::<A::Error>(&name)?;
            let dot = if self.path.is_empty() { "" } else { "." };
            let place = format!("{dot}{name}");
            let seen = fields.contains_key(&name);
            let value = self.within(&place, |node| {
                if seen { Err(A::Error::custom("the field is there twice")) } else { map.next_value_seed(node) }
            })?;
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn good_json_is_read_as_it_is() {
        let value = json!({ "a": [1, -2, 0.5, null, true, { "b": "é\n" }], "c": {} });
        assert_eq!(parse(value.to_string().as_bytes()), Ok(value));
    }

    #[test]
    fn bad_json_is_refused_with_its_place() {
        let deep = "[".repeat(200);
        let cases: &[(&[u8], &str, &str)] = &[
            (b"{\"a\": 1, \"a\": 2}", "a", "twice"),
            (b"{\"a\": [{}, {\"b\": \"x\\u0000\"}]}", "a[1].b", "NUL"),
            (b"{\"x\\u0000\": 1}", "", "NUL"),
            (b"\"\xff\"", "", "UTF-8"),
            (b"{\"a\": \"\\ud800\"}", "a", "hex escape"),
            (b"{\"a\": 1} x", "", "trailing"),
            (b"", "", "EOF"),
            (b"{\"a\": 1e999}", "a", "range"),
        ];
        for (body, path, words) in cases {
            let fault = parse(body).expect_err("refused");
            assert_eq!(fault.path, *path, "{fault:?}");
            assert!(fault.problem.contains(words), "{fault:?}");
        }
        assert!(parse(deep.as_bytes()).expect_err("refused").problem.contains("recursion"));
    }
}
