//! ruff: syntax errors and undefined names block; the rest of its `F` rules are warnings.

use serde::Deserialize;

use super::{
    Unavailable,
    finding::{self, Finding, SYNTAX, Severity},
};

pub(super) const NAME: &str = "ruff";

/// No configuration, no cache, and no comment that silences a rule.
pub(super) fn args(paths: &[String]) -> Vec<String> {
    let fixed = [
        "check",
        "--isolated",
        "--no-cache",
        "--ignore-noqa",
        "--no-fix",
        "--output-format=json",
        "--target-version=py311",
        "--select=E9,F",
        "--",
    ];
    fixed.iter().map(|arg| (*arg).to_owned()).chain(paths.iter().cloned()).collect()
}

#[derive(Deserialize)]
struct Reported {
    code: Option<String>,
    filename: String,
    location: Location,
    message: String,
}

#[derive(Deserialize)]
struct Location {
    row: u64,
    column: u64,
}

/// Reads what ruff printed.
pub(super) fn read(printed: &str) -> Result<Vec<Finding>, Unavailable> {
    let unreadable = |error| Unavailable::of_tool(NAME, format!("printed something unreadable: {error}"));
    let reported: Vec<Reported> = serde_json::from_str(printed).map_err(unreadable)?;
    Ok(reported.into_iter().map(finding).collect())
}

fn finding(reported: Reported) -> Finding {
    let rule = match reported.code.as_deref() {
        None | Some("invalid-syntax" | "E999") => SYNTAX.to_owned(),
        Some(code) => code.to_owned(),
    };
    let blocking = blocks(&rule);
    Finding {
        tool: NAME,
        severity: if blocking { Severity::High } else { Severity::Low },
        line: reported.location.row,
        column: reported.location.column,
        message: finding::message(&reported.message),
        blocking,
        file: finding::file(&reported.filename),
        rule,
    }
}

/// Code that Python would refuse, or that uses names which do not exist.
fn blocks(rule: &str) -> bool {
    let undefined = ["F821", "F822", "F823"].contains(&rule);
    let misplaced = ["F701", "F702", "F704", "F706", "F707"].contains(&rule);
    rule == SYNTAX || rule.starts_with("E9") || undefined || misplaced
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = r#"[
      {"cell":null,"code":"F821","end_location":{"column":12,"row":2},"filename":"/inputs/main.py","fix":null,
       "location":{"column":7,"row":2},"message":"Undefined name `there`","noqa_row":2,"url":"x"},
      {"code":"F401","filename":"/inputs/main.py","location":{"column":8,"row":1},"message":"`os` imported but unused"},
      {"code":null,"filename":"/inputs/lib/helper.py","location":{"column":1,"row":9},"message":"SyntaxError: no"}
    ]"#;

    #[test]
    fn undefined_names_and_syntax_errors_block() {
        let found = read(PRINTED).unwrap();
        let brief: Vec<_> = found.iter().map(|f| (f.rule.as_str(), f.line, f.blocking, f.file.as_deref())).collect();
        let expected = [("F821", 2, true, None), ("F401", 1, false, None), (SYNTAX, 9, true, Some("lib/helper.py"))];
        assert_eq!(brief, expected);
    }

    #[test]
    fn anything_unreadable_is_no_finding_list() {
        for printed in ["", "All checks passed!", "{}", r#"[{"code":"F821"}]"#] {
            assert!(read(printed).unwrap_err().problem.starts_with("`ruff` printed something unreadable"));
        }
    }
}
