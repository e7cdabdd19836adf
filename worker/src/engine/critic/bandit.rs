//! bandit: findings of HIGH severity block.

use serde::Deserialize;

use super::{
    Unavailable,
    finding::{self, Finding, SYNTAX, Severity},
};

pub(super) const NAME: &str = "bandit";

/// No comment silences a rule. Exit code 1 means that there are findings.
pub(super) fn args(paths: &[String]) -> Vec<String> {
    let fixed = ["--format=json", "--quiet", "--ignore-nosec", "--"];
    fixed.iter().map(|arg| (*arg).to_owned()).chain(paths.iter().cloned()).collect()
}

#[derive(Deserialize)]
struct Report {
    errors: Vec<Failure>,
    results: Vec<Reported>,
}

#[derive(Deserialize)]
struct Failure {
    filename: String,
    reason: String,
}

#[derive(Deserialize)]
struct Reported {
    test_id: String,
    filename: String,
    issue_severity: String,
    issue_text: String,
    line_number: u64,
    #[serde(default)]
    col_offset: i64,
}

/// Reads what bandit printed. It parses with Python's own parser: a file that does not parse there will not run, which is
/// a finding. A file that it could not read for another reason was not checked.
pub(super) fn read(printed: &str) -> Result<Vec<Finding>, Unavailable> {
    let unreadable = |error| Unavailable::of_tool(NAME, format!("printed something unreadable: {error}"));
    let report: Report = serde_json::from_str(printed).map_err(unreadable)?;
    let unread = report.errors.into_iter().map(unread);
    unread.chain(report.results.into_iter().map(finding)).collect()
}

fn unread(failure: Failure) -> Result<Finding, Unavailable> {
    let reason = finding::message(&failure.reason);
    if !reason.starts_with("syntax error") {
        let file = finding::message(&failure.filename);
        return Err(Unavailable::of_tool(NAME, format!("could not read `{file}`: {reason}")));
    }
    Ok(Finding {
        tool: NAME,
        rule: SYNTAX.to_owned(),
        severity: Severity::High,
        line: 1,
        column: 1,
        message: "Python cannot parse it".to_owned(),
        blocking: true,
        file: finding::file(&failure.filename),
    })
}

fn finding(reported: Reported) -> Result<Finding, Unavailable> {
    let severity = match reported.issue_severity.as_str() {
        "HIGH" => Severity::High,
        "MEDIUM" => Severity::Medium,
        "LOW" | "UNDEFINED" => Severity::Low,
        other => return Err(Unavailable::of_tool(NAME, format!("speaks of a severity `{}`", finding::message(other)))),
    };
    Ok(Finding {
        tool: NAME,
        rule: finding::message(&reported.test_id),
        severity,
        line: reported.line_number,
        column: u64::try_from(reported.col_offset.saturating_add(1)).unwrap_or(1),
        message: finding::message(&reported.issue_text),
        blocking: severity == Severity::High,
        file: finding::file(&reported.filename),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = r#"{"errors":[],"generated_at":"x","metrics":{},"results":[
      {"code":"x","col_offset":0,"filename":"main.py","issue_confidence":"HIGH","issue_severity":"HIGH",
       "issue_text":"subprocess call with shell=True","line_number":3,"line_range":[3],"test_id":"B602","test_name":"x"},
      {"filename":"./main.py","issue_severity":"LOW","issue_text":"assert","line_number":5,"test_id":"B101"}
    ]}"#;

    #[test]
    fn high_blocks() {
        let found = read(PRINTED).unwrap();
        let brief: Vec<_> = found.iter().map(|f| (f.rule.as_str(), f.line, f.column, f.blocking)).collect();
        assert_eq!(brief, [("B602", 3, 1, true), ("B101", 5, 1, false)]);
    }

    #[test]
    fn a_file_that_python_cannot_parse_is_a_finding_and_any_other_unread_file_closes() {
        let printed = r#"{"errors":[{"filename":"./main.py","reason":"syntax error while parsing AST"}],"results":[]}"#;
        let found = read(printed).unwrap();
        assert_eq!((found.len(), found[0].blocking, found[0].is_syntax()), (1, true, true));
        let problem = read(&printed.replace("syntax error", "exception")).unwrap_err().problem;
        assert!(problem.contains("could not read `./main.py`: exception"), "{problem}");
    }

    #[test]
    fn anything_unreadable_is_no_report() {
        for printed in ["", "{}", "[]", r#"{"errors":[],"results":[{"test_id":"B1"}]}"#] {
            assert!(read(printed).is_err(), "{printed}");
        }
        assert!(read(&PRINTED.replace("HIGH", "CRITICAL")).is_err());
    }
}
