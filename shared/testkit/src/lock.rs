//! File locks whose files may be removed by whoever holds them.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

/// Opens (or makes) the file and locks it exclusively. The lock ends with the file, also when the process is killed.
///
/// A holder may remove the file before letting go; whoever waited then holds a lock on nothing, notices and tries again.
pub(crate) fn exclusive(path: &Path) -> io::Result<File> {
    loop {
        let file = open(path)?;
        file.lock()?;
        if is_still(&file, path)? {
            return Ok(file);
        }
    }
}

/// Opens (or makes) a lock file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

/// Whether `path` still names this open file.
pub(crate) fn is_still(file: &File, path: &Path) -> io::Result<bool> {
    match path.metadata() {
        Ok(named) => Ok(named.ino() == file.metadata()?.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The user this process runs as.
pub(crate) fn user_id() -> io::Result<u32> {
    Ok(Path::new("/proc/self").metadata()?.uid())
}
