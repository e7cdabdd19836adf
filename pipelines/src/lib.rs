//! Pipelines as data: TOML definitions, their JSON Schema, and the built-in ones.
//!
//! A [`Catalog`] holds the built-in pipelines and those of an override folder, each checked when it is loaded. A run pins
//! the whole definition as JSON; [`Pipeline`] reads that JSON back with the same strictness.

pub mod catalog;
pub mod definition;
mod field;
mod parse;
mod step;
pub mod template;
mod validate;

pub use catalog::{Catalog, CatalogError, Entry};
pub use definition::Pipeline;
pub use parse::{ParseError, parse};

/// The JSON Schema of a pipeline file, as published in `pipelines/schema.json`.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Pipeline).to_value();
    catalog::sort_keys(&mut schema);
    schema
}
