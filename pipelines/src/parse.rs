//! From a file's text to a checked [`Pipeline`], or to one error with its line and field.

use std::{fmt, ops::Range};

use shopfloor_domain::step::StepKind;
use toml::de::{DeTable, DeValue};

use crate::{definition::Pipeline, field, validate};

/// Why a file is no pipeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    /// The file.
    pub file: String,
    /// Its line, from 1, when it is known.
    pub line: Option<usize>,
    /// The field, e.g. `steps.check.on_fail.goto`, when it is known.
    pub field: Option<String>,
    /// What is wrong there.
    pub problem: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(field) = &self.field {
            write!(f, ": {field}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// Parses and checks one file; `file` is its name for error messages.
///
/// # Errors
/// [`ParseError`] for the first thing that is wrong.
pub fn parse(file: &str, source: &str) -> Result<Pipeline, ParseError> {
    let error = |line, field, problem: &str| ParseError {
        file: file.to_owned(),
        line,
        field,
        problem: problem.trim_end().replace('\n', " "),
    };
    let from_toml = |e: toml::de::Error| {
        let at = e.span();
        let field = at.clone().and_then(|span| key_at(source, &span));
        error(at.map(|span| line_of(source, span.start)), field, e.message())
    };
    let tree = DeTable::parse(source).map_err(from_toml)?;
    if let Some((span, kind)) = reserved_kind(tree.get_ref()) {
        return Err(error(Some(line_of(source, span.start)), Some("kind".to_owned()), &field::reserved(kind)));
    }
    let pipeline: Pipeline = toml::from_str(source).map_err(from_toml)?;
    match validate::problem(&pipeline) {
        None => Ok(pipeline),
        Some(found) => {
            let span = found.step.and_then(|index| steps(tree.get_ref()).nth(index).map(|(span, _)| span));
            let line = span.map(|span| line_of(source, span.start));
            Err(error(line, Some(found.field), &found.problem))
        }
    }
}

/// The steps' tables and where they stand. A table may be without its `[[steps]]` header's place when it is inline.
fn steps<'t>(root: &'t DeTable<'_>) -> impl Iterator<Item = (Range<usize>, &'t DeTable<'t>)> {
    let array = root.iter().find(|(key, _)| key.get_ref() == "steps").and_then(|(_, value)| value.get_ref().as_array());
    array.into_iter().flatten().filter_map(|step| match step.get_ref() {
        DeValue::Table(table) => Some((step.span(), table)),
        _ => None,
    })
}

/// The first step of a kind that is reserved, looked for before its unknown fields are complained about.
fn reserved_kind(root: &DeTable<'_>) -> Option<(Range<usize>, StepKind)> {
    steps(root).find_map(|(_, table)| {
        let (_, value) = table.iter().find(|(key, _)| key.get_ref() == "kind")?;
        let kind: StepKind = value.get_ref().as_str()?.parse().ok()?;
        field::of(kind).is_none().then(|| (value.span(), kind))
    })
}

fn line_of(source: &str, at: usize) -> usize {
    1 + source.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// The key of the `key = value` line that an error points into.
fn key_at(source: &str, span: &Range<usize>) -> Option<String> {
    let line = source.lines().nth(line_of(source, span.start) - 1)?;
    let (key, _) = line.split_once('=')?;
    let key = key.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.\"".contains(c);
    (!key.is_empty() && key.chars().all(plain)).then(|| key.to_owned())
}
