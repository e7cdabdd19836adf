//! The binary as a command.

use std::{path::Path, process::Stdio};

use tokio::process::Command;

/// The binary, with nothing of the test's own settings but the toolchain.
pub(crate) fn command(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shopfloor"));
    for (name, _) in std::env::vars_os() {
        let ours = name.to_str().is_some_and(|name| name.starts_with("SHOPFLOOR_") && name != "SHOPFLOOR_TOOLCHAIN");
        if ours || name == "HTTP_PROXY" || name == "http_proxy" {
            command.env_remove(name);
        }
    }
    command.env("SHOPFLOOR_DATA_DIR", data_dir).stdin(Stdio::null()).kill_on_drop(true);
    command
}
