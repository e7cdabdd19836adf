//! `doctor`: what is there, what is missing, what to install.

use std::path::Path;

use serde_json::json;
use shopfloor_domain::sandbox::SandboxLevel;
use shopfloor_sandbox::probe::Finding;
use shopfloor_store::Store;

use super::{
    data_dir,
    settings::{Database, Doctor},
};
use crate::{
    client::settings::ClientArgs,
    exit::Exit,
    output::{self, table, text::clean},
};

/// Looks at everything and says so.
pub(crate) async fn run(doctor: Doctor, client: &ClientArgs) -> anyhow::Result<Exit> {
    let mut findings = vec![data_folder(&client.data_dir)];
    // Nothing is made here: a look must not leave anything behind.
    findings.push(database(&doctor.database, &client.data_dir).await);
    let scratch = tempfile::tempdir()?;
    let probed = doctor.sandbox.probe(scratch.path()).await;
    let enough = probed.level != SandboxLevel::None && probed.level >= doctor.sandbox.sandbox_minimum;
    findings.push(Finding {
        name: "sandbox".to_owned(),
        ok: enough,
        detail: match enough {
            true => format!("code runs at level `{}`", probed.level),
            false => format!("code will not be run: level `{}` is demanded", doctor.sandbox.sandbox_minimum),
        },
    });
    findings.extend(probed.findings);
    let fine = findings.iter().all(|finding| finding.ok);
    if client.json {
        let list: Vec<_> = findings.iter().map(|f| json!({"name": f.name, "ok": f.ok, "detail": f.detail})).collect();
        output::json(&json!({"ok": fine, "findings": list}))?;
    } else {
        let mut rows = table::new(&["what", "", "found"]);
        for finding in &findings {
            rows.add_row([finding.name.as_str(), if finding.ok { "ok" } else { "MISSING" }, &clean(&finding.detail)]);
        }
        table::print(&rows, "")?;
    }
    Ok(if fine { Exit::Ok } else { Exit::Failed })
}

fn finding(name: &str, found: Result<String, String>) -> Finding {
    let (ok, detail) = match found {
        Ok(detail) => (true, detail),
        Err(detail) => (false, detail),
    };
    Finding { name: name.to_owned(), ok, detail }
}

fn data_folder(path: &Path) -> Finding {
    let shown = path.display();
    let found = match path.metadata() {
        Err(_) => Ok(format!("{shown} is not there yet; `shopfloor up` makes it")),
        Ok(meta) if !meta.is_dir() => Err(format!("{shown} is not a folder; name another one with --data-dir")),
        Ok(_) => match tempfile::tempfile_in(path) {
            Ok(_) => Ok(format!("{shown} can be written")),
            Err(error) => Err(format!("{shown} cannot be written: {error}; give yourself the right, or --data-dir")),
        },
    };
    finding("data folder", found)
}

async fn database(database: &Database, data_dir: &Path) -> Finding {
    if !database.is_given() && !data_dir.join("shopfloor.db").exists() {
        return finding("database", Ok("SQLite, not there yet; `shopfloor up` makes it".to_owned()));
    }
    finding("database", look(database, data_dir).await.map_err(|error| format!("{error:#}")))
}

async fn look(database: &Database, data_dir: &Path) -> anyhow::Result<String> {
    let data_dir = if data_dir.exists() { data_dir::make(data_dir)? } else { data_dir.to_owned() };
    let store = Store::connect(&database.store(&data_dir)).await?;
    store.ping().await?;
    let (backend, pending) = (store.backend(), store.pending().await?);
    store.close().await?;
    let state = match pending {
        0 => "up to date".to_owned(),
        pending => format!("{pending} migrations pending; every start runs them, and so does `shopfloor migrate`"),
    };
    Ok(format!("{backend:?}, {state}"))
}
