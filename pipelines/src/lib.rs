//! Pipelines as data: TOML definitions, their JSON Schema, and the built-in ones.

pub mod definition;
