//! Tables for people.

use comfy_table::{ContentArrangement, Table, presets};

/// A table with these headings. Wraps to the terminal's width; as wide as it needs elsewhere.
pub(crate) fn new(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
    table
}

/// Prints a table, or a sentence when it has no rows.
pub(crate) fn print(table: &Table, when_empty: &str) -> anyhow::Result<()> {
    if table.is_empty() {
        super::note(when_empty);
        return Ok(());
    }
    for line in table.lines() {
        super::line(line.trim_end())?;
    }
    Ok(())
}
