//! The data folder of the embedded mode: a database, files, the client's settings, and a lock so that one process has it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::{
    client::settings::ClientFile,
    exit::{Exit, Failure},
};

/// The folder, held by this process as long as this value lives. A killed process lets go of it at once.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Makes the folder, for its owner only, if it is not there. Returns its absolute path.
pub(crate) fn make(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.with_context(|| format!("making the data folder {}", path.display()))?;
    }
    path.canonicalize().with_context(|| format!("finding {}", path.display()))
}

impl DataDir {
    /// Makes the folder if need be, and takes it.
    pub(crate) fn take(path: &Path) -> anyhow::Result<Self> {
        let path = make(path)?;
        let name = path.join("lock");
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).mode(0o600).open(&name);
        let mut lock = lock.with_context(|| format!("opening {}", name.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(&path).into()),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", name.display()));
            }
        }
        // For people who look who has it; nothing reads it as a condition.
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).context("writing the lock file")?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `client.toml`, readable by its owner only, whole or not at all.
    pub(crate) fn write_client(&self, file: &ClientFile) -> anyhow::Result<()> {
        let path = ClientFile::path(&self.path);
        let new = path.with_extension("toml.new");
        let doing = || format!("writing {}", path.display());
        let text = toml::to_string(file).with_context(doing)?;
        let _ = fs::remove_file(&new);
        let mut out = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new).with_context(doing)?;
        out.set_permissions(fs::Permissions::from_mode(0o600)).with_context(doing)?;
        out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).with_context(doing)?;
        fs::rename(&new, &path).with_context(doing)
    }
}

fn taken(path: &Path) -> Failure {
    let holder = fs::read_to_string(path.join("lock")).unwrap_or_default();
    let by = match holder.trim() {
        "" => String::new(),
        pid => format!(" (process {pid})"),
    };
    let shown = path.display();
    Failure::new(Exit::Failed, format!("another `shopfloor up`{by} runs on {shown}"))
        .remedy("use that one, stop it first, or name another folder with --data-dir")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_has_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let first = DataDir::take(&path).unwrap();
        let second = DataDir::take(&path).unwrap_err();
        assert!(format!("{second}").contains(&format!("process {}", std::process::id())), "{second}");
        drop(first);
        DataDir::take(&path).unwrap();
    }

    #[test]
    fn the_clients_file_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::take(dir.path()).unwrap();
        let file = ClientFile { url: "http://127.0.0.1:1".into(), api_key: "sf_x".into() };
        data.write_client(&file).unwrap();
        data.write_client(&file).unwrap();
        let path = ClientFile::path(data.path());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(ClientFile::read(data.path()).unwrap().unwrap().api_key, "sf_x");
    }
}
