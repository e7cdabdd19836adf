//! `docs/states.md` is what the code says. `UPDATE_DOCS=1` writes it anew.

use std::{env, fs, path::Path};

use shopfloor_domain::{
    machine::Machine, order::OrderStatus, question::QuestionStatus, session::SessionStatus, step::StepStatus,
    task::TaskStatus,
};

const PREFACE: &str = "# States

Generated from the `step()` functions of `shared/domain`; do not edit.
`UPDATE_DOCS=1 cargo nextest run -p shopfloor-domain --test states_doc` writes it anew, and the test fails when it is stale.
Every pair of state and event that is not drawn is refused. CHECK constraints repeat the rules in the database.
";

fn states() -> String {
    let sections = [
        TaskStatus::diagram(),
        OrderStatus::diagram(),
        StepStatus::diagram(),
        SessionStatus::diagram(),
        QuestionStatus::diagram(),
    ];
    format!("{PREFACE}\n{}", sections.join("\n"))
}

#[test]
fn states_md_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/states.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, states()).expect("docs/states.md can be written");
    }
    let committed = fs::read_to_string(&path).expect("docs/states.md is there");
    assert!(committed == states(), "docs/states.md is stale: run this test with UPDATE_DOCS=1");
}
