//! The roles of a server, and what administers its database.

mod bind;
mod clock;
mod data_dir;
pub(crate) mod doctor;
pub(crate) mod local_keys;
pub(crate) mod migrate;
mod parts;
pub(crate) mod roles;
pub(crate) mod settings;
mod stop;
pub(crate) mod up;

use anyhow::Context;

use crate::exit::Exit;

/// Runs a role on a runtime with all cores.
pub(crate) fn block_on(work: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let exit = runtime.block_on(work);
    // What still blocks a thread (a name look-up, say) must not hold the exit up.
    runtime.shutdown_background();
    exit
}

/// The OpenAPI document as text.
pub(crate) fn openapi() -> anyhow::Result<String> {
    serde_json::to_string_pretty(&shopfloor_api::openapi()).context("writing the OpenAPI document")
}
