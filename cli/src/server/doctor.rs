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
    let mut findings = vec![data_folder(&doctor, &client.data_dir)];
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

fn data_folder(doctor: &Doctor, path: &Path) -> Finding {
    let shown = path.display();
    let found = match path.metadata() {
        Err(_) => Ok(format!("{shown} is not there yet; `shopfloor up` makes it")),
        Ok(meta) if !meta.is_dir() => Err(format!("{shown} is not a folder; name another one with --data-dir")),
        Ok(_) => match tempfile::tempfile_in(path) {
            Ok(_) => Ok(format!("{shown} can be written")),
            Err(error) => read_only(doctor, path, &error),
        },
    };
    finding("data folder", found)
}

/// What a data folder means that cannot be written. To a member of a fleet it may mean nothing: the record is in a database,
/// and files and scratch have places of their own, as in the containers of `compose.yml`.
fn read_only(doctor: &Doctor, path: &Path, error: &std::io::Error) -> Result<String, String> {
    let shown = path.display();
    if !doctor.database.is_given() {
        return Err(format!("{shown} cannot be written: {error}; give yourself the right, or --data-dir"));
    }
    let files = doctor.database.blob_dir.clone().unwrap_or_else(|| path.join("blobs"));
    let scratch = doctor.sandbox.scratch.clone().unwrap_or_else(|| path.join("scratch"));
    for (what, folder, option) in [("files", &files, "--blob-dir"), ("runs", &scratch, "--scratch")] {
        // What is not there yet is made: then its parent is what matters.
        let place = folder.ancestors().find(|place| place.exists()).unwrap_or(folder);
        if let Err(error) = tempfile::tempfile_in(place) {
            let folder = folder.display();
            return Err(format!(
                "{shown} is read-only, and {what} go to {folder}, which is too: {error}; use {option}"
            ));
        }
    }
    let (files, scratch) = (files.display(), scratch.display());
    Ok(format!("{shown} is read-only, and need not be more: files go to {files}, runs to {scratch}"))
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

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::server::settings::Sandbox;

    fn doctor(database_url: Option<&str>, blob_dir: Option<&Path>, scratch: Option<&Path>) -> Doctor {
        let [blob_dir, scratch] = [blob_dir, scratch].map(|path| path.map(Path::to_owned));
        Doctor {
            database: Database { database_url: database_url.map(str::to_owned), blob_dir, database_connections: 2 },
            sandbox: Sandbox { sandbox_minimum: SandboxLevel::Local, toolchain: None, scratch },
        }
    }

    #[test]
    fn a_read_only_data_folder_is_fine_for_a_member_of_a_fleet_with_places_of_its_own() {
        let there = tempfile::tempdir().unwrap();
        let data = Path::new("/proc/shopfloor");
        let (error, fleet) = (io::Error::from(io::ErrorKind::ReadOnlyFilesystem), Some("postgres://db/shopfloor"));
        let (files, scratch) = (there.path().join("blobs"), there.path().to_owned());
        let said = read_only(&doctor(fleet, Some(&files), Some(&scratch)), data, &error).unwrap();
        assert!(said.contains("is read-only, and need not be more"), "{said}");

        let said = read_only(&doctor(fleet, Some(&files), None), data, &error).unwrap_err();
        assert!(said.contains("runs go to /proc/shopfloor/scratch") && said.contains("--scratch"), "{said}");
        let said = read_only(&doctor(fleet, None, Some(&scratch)), data, &error).unwrap_err();
        assert!(said.contains("files go to /proc/shopfloor/blobs") && said.contains("--blob-dir"), "{said}");
        let said = read_only(&doctor(None, Some(&files), Some(&scratch)), data, &error).unwrap_err();
        assert!(said.contains("cannot be written") && said.contains("--data-dir"), "{said}");
    }
}
