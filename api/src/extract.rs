//! Extractors that say what is wrong with a request, and where.

mod json;
mod path;
mod query;

pub(crate) mod body;

pub(crate) use json::{Json, MaybeJson, from_value};
pub(crate) use path::Key;
pub(crate) use query::{Query, number, words};
