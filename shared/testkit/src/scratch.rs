//! Folders for one test each, removed with it; those of killed processes are removed by the next one.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Once,
};

use crate::lock;

static SWEPT: Once = Once::new();

/// A private folder, removed when dropped. A lock inside shows others that it is in use.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Makes a folder below the system's temporary folder.
    ///
    /// # Panics
    /// When no folder can be made there.
    #[must_use]
    pub fn new() -> Self {
        Self::make().expect("making a scratch folder in the temporary folder")
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn make() -> io::Result<Self> {
        let (parent, prefix) = (std::env::temp_dir(), format!("shopfloor-scratch-{}-", lock::user_id()?));
        SWEPT.call_once(|| sweep(&parent, &prefix));
        loop {
            let path = parent.join(format!("{prefix}{:016x}", rand::random::<u64>()));
            fs::create_dir(&path)?;
            // A sweep of another process may come between these steps; then the folder is gone and we begin again.
            match lock::open(&path.join(".lock")) {
                Ok(file) => {
                    file.lock()?;
                    if lock::is_still(&file, &path.join(".lock"))? {
                        return Ok(Self { path, _lock: file });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes what killed processes left behind. Failures are left to the next sweep.
fn sweep(parent: &Path, prefix: &str) {
    let ours = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(prefix);
    for entry in fs::read_dir(parent).into_iter().flatten().flatten().filter(ours) {
        let path = entry.path();
        if fs::remove_dir(&path).is_ok() {
            continue;
        }
        let Ok(file) = File::open(path.join(".lock")) else { continue };
        match file.try_lock() {
            Ok(()) => drop(fs::remove_dir_all(&path)),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_removes_what_nobody_holds_and_nothing_else() {
        let outer = Scratch::new();
        let at = |name: &str| outer.path().join(name);
        for name in ["mine-dead", "mine-held", "mine-empty", "other"] {
            fs::create_dir(at(name)).unwrap();
        }
        for name in ["mine-dead", "mine-held", "other"] {
            fs::write(at(name).join(".lock"), "").unwrap();
        }
        let held = lock::exclusive(&at("mine-held").join(".lock")).unwrap();
        sweep(outer.path(), "mine-");
        let left = ["mine-dead", "mine-held", "mine-empty", "other"].map(|name| at(name).exists());
        assert_eq!(left, [false, true, false, true]);
        drop(held);
    }

    #[test]
    fn a_scratch_folder_goes_with_its_value() {
        let scratch = Scratch::new();
        let path = scratch.path().to_owned();
        fs::write(path.join("file"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
