//! Whether the disks take what is to be written.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// How much is tried: more than a block, so that a full disk cannot answer from what it has in hand.
const BYTES: usize = 64 * 1024;
/// A disk that has not answered by then is no better than a full one.
const PATIENCE: Duration = Duration::from_secs(2);

/// The folders that this process writes to.
#[derive(Debug, Clone)]
pub(crate) struct Disks {
    /// SQLite's; `None` when the database writes elsewhere.
    pub(crate) record: Option<PathBuf>,
    /// That of files and artifacts.
    pub(crate) files: PathBuf,
}

/// What cannot be written, each with a sentence that says why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unwritable {
    /// The record. Reading may well go on.
    pub record: Option<String>,
    /// Files and artifacts.
    pub files: Option<String>,
}

impl Disks {
    /// Writes a little to each folder and takes it away again.
    pub(crate) async fn try_out(&self) -> Unwritable {
        let (record, files) = tokio::join!(problem(self.record.clone()), problem(Some(self.files.clone())));
        Unwritable { record, files }
    }
}

async fn problem(folder: Option<PathBuf>) -> Option<String> {
    let folder = folder?;
    let shown = folder.display().to_string();
    let trial = tokio::task::spawn_blocking(move || write_in(&folder));
    let why = match tokio::time::timeout(PATIENCE, trial).await {
        Ok(Ok(Ok(()))) => return None,
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(panicked)) => panicked.to_string(),
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    Some(format!("the folder `{shown}` cannot be written: {why}"))
}

fn write_in(folder: &Path) -> io::Result<()> {
    // One name per process: a trial that was cut off by a crash is overwritten by the next one.
    let path = folder.join(format!(".trial-{}", std::process::id()));
    let written = File::create(&path).and_then(|mut file| file.write_all(&[0; BYTES]));
    let removed = fs::remove_file(&path);
    written?;
    match removed {
        // Another process of the same number, in another container, was quicker.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_that_takes_a_file_is_fine_and_keeps_nothing_of_the_trial() {
        let folder = tempfile::tempdir().unwrap();
        let disks = Disks { record: Some(folder.path().to_owned()), files: folder.path().to_owned() };
        assert_eq!(disks.try_out().await, Unwritable::default());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn each_folder_that_takes_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        let both = Disks { record: Some(gone.clone()), files: gone.clone() }.try_out().await;
        for problem in [both.record, both.files] {
            let problem = problem.unwrap();
            assert!(problem.contains("/gone`") && problem.contains("No such file"), "{problem}");
        }
        let elsewhere = Disks { record: None, files: gone }.try_out().await;
        assert!(elsewhere.record.is_none() && elsewhere.files.is_some(), "{elsewhere:?}");
    }

    #[tokio::test]
    async fn a_full_disk_is_found_out() {
        // Every write to it fails as on a full disk.
        let full = File::options().write(true).open("/dev/full").and_then(|mut file| file.write_all(&[0; BYTES]));
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
        let folder = tempfile::tempdir().unwrap();
        let trial = folder.path().join(format!(".trial-{}", std::process::id()));
        std::os::unix::fs::symlink("/dev/full", trial).unwrap();
        let problem = Disks { record: None, files: folder.path().to_owned() }.try_out().await.files.unwrap();
        assert!(problem.contains("No space left"), "{problem}");
    }
}
