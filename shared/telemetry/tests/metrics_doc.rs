//! The table in `docs/metrics.md` is what the code says. `UPDATE_DOCS=1` writes it anew.

use std::{env, fs, path::Path};

use shopfloor_telemetry::Metrics;

const BEGIN: &str = "<!-- the table: generated from shared/telemetry/src/metrics.rs -->\n";
const END: &str = "<!-- end of the table -->\n";

fn table() -> String {
    let mut table = "| metric | kind | labels | what it says |\n|---|---|---|---|\n".to_owned();
    for metric in Metrics::DESCRIBED {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let row = format!("| `{}` | {} | {} | {} |\n", metric.name, metric.kind, labels.join(", "), metric.help);
        table.push_str(&row);
    }
    table
}

/// What stands before the table, and after it.
fn around(text: &str) -> (&str, &str) {
    let (before, rest) = text.split_once(BEGIN).expect("the table's begin is marked");
    let (_, after) = rest.split_once(END).expect("the table's end is marked");
    (before, after)
}

#[test]
fn metrics_md_has_every_metric_as_the_code_describes_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let committed = fs::read_to_string(&path).expect("docs/metrics.md is there");
    let (before, after) = around(&committed);
    let fresh = format!("{before}{BEGIN}{}{END}{after}", table());
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &fresh).expect("docs/metrics.md can be written");
        return;
    }
    assert!(committed == fresh, "docs/metrics.md is stale: run this test with UPDATE_DOCS=1");
}
