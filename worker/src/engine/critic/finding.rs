//! One thing that a tool found in the code.

use std::cmp::Ordering;

use serde::Serialize;

use super::super::text::{clean, head};
use crate::engine::code::SCRIPT;

/// The longest message that is kept.
const MAX_MESSAGE: usize = 500;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) tool: &'static str,
    pub(super) rule: String,
    pub(super) severity: Severity,
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) message: String,
    pub(super) blocking: bool,
    /// The file, when it is not the script itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
}

/// How bad it is. ruff's blocking findings count as high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    Low,
    Medium,
    High,
}

impl Severity {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// The rule that stands for code that does not parse.
pub(super) const SYNTAX: &str = "syntax-error";

impl Finding {
    pub(super) fn is_syntax(&self) -> bool {
        self.rule == SYNTAX
    }

    /// For people: where, what, which rule.
    pub(super) fn sentence(&self) -> String {
        let file = self.file.as_ref().map_or_else(String::new, |file| format!("{file} "));
        format!("{file}line {}: {} ({} {})", self.line, self.message, self.tool, self.rule)
    }
}

/// A message fit for the record.
pub(super) fn message(text: &str) -> String {
    clean(head(text.trim(), MAX_MESSAGE))
}

/// The path as the task knows it; `None` for the script.
pub(super) fn file(path: &str) -> Option<String> {
    let path = path.trim_start_matches("./");
    let path = path.strip_prefix("/inputs/").unwrap_or(path);
    (path != SCRIPT).then(|| clean(path))
}

/// Blocking before the rest, then the worst, then by place.
pub(super) fn worst_first(a: &Finding, b: &Finding) -> Ordering {
    let key = |f: &Finding| (std::cmp::Reverse((f.blocking, f.severity)), f.file.clone(), f.line, f.column);
    key(a).cmp(&key(b)).then_with(|| a.rule.cmp(&b.rule))
}
