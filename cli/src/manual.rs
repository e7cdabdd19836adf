//! The table of settings in `docs/cli.md`, generated from the command line itself.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use clap::{Arg, CommandFactory};

use crate::args::Cli;

const BEGIN: &str = "<!-- settings: begin -->\n";
const END: &str = "<!-- settings: end -->";

/// One row per setting that has an environment variable: name, default, the commands that have it, its first sentence.
fn table() -> String {
    let mut rows: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    let cli = Cli::command();
    let top = cli.get_arguments().map(|arg| (None, arg));
    let deep = cli.get_subcommands().flat_map(|sub| sub.get_arguments().map(|arg| (Some(sub.get_name()), arg)));
    for (command, arg) in top.chain(deep) {
        let Some(variable) = arg.get_env() else { continue };
        let (_, commands) = rows.entry(variable.to_string_lossy().into_owned()).or_insert_with(|| (row(arg), vec![]));
        commands.extend(command.map(|name| format!("`{name}`")));
    }
    let mut out = String::from("| option | variable | default | commands | what |\n|---|---|---|---|---|\n");
    for (variable, (row, commands)) in rows {
        let commands = if commands.is_empty() { "all".to_owned() } else { commands.join(" ") };
        let (option, rest) = row.split_once('\t').unwrap_or((&row, ""));
        let (default, what) = rest.split_once('\t').unwrap_or((rest, ""));
        let _ = writeln!(out, "| `--{option}` | `{variable}` | {default} | {commands} | {what} |");
    }
    out
}

fn row(arg: &Arg) -> String {
    let option = arg.get_long().unwrap_or_default();
    let defaults = arg.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy()));
    let default = defaults.collect::<Vec<_>>().join(", ");
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    format!("{option}\t{default}\t{}", help.lines().next().unwrap_or_default())
}

#[test]
fn the_settings_in_the_manual_are_those_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    let expected = format!("{head}{BEGIN}{}{END}{tail}", table());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, expected).unwrap();
    } else {
        assert_eq!(text, expected, "run `UPDATE_DOCS=1 cargo nextest run -p shopfloor manual`");
    }
}

#[test]
fn the_manual_lists_every_exit_code_and_every_command_is_sound() {
    Cli::command().debug_assert();
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md")).unwrap();
    for code in 0..=6 {
        assert!(text.contains(&format!("\n| {code} | ")), "exit code {code}");
    }
}
