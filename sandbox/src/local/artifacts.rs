//! Reads what a job left in `/work`, through a descriptor of that folder, after every process of the job is dead: nothing
//! can change under our eyes. What is there is hostile all the same: links, devices, giants, names.

use std::{
    collections::BTreeSet,
    ffi::CStr,
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
};

use bytes::Bytes;
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, chmodat, openat, statat},
    io::Errno,
};
use shopfloor_domain::sandbox::Limits;

use super::view::{ARTIFACTS, QUESTION};
use crate::{Collected, job::Asked};

const DEPTH: usize = 8;
const FOLDERS: usize = 256;
const NAME_BYTES: usize = 200;
const QUESTION_BYTES: u64 = 64 * 1024;

/// What a job left.
#[derive(Debug)]
pub(super) struct Left {
    /// The question that it wrote down, if it was looked for; or what is wrong with it.
    pub(super) question: Option<Result<Asked, String>>,
    /// Its artifacts; none when they were not looked for.
    pub(super) artifacts: Result<Vec<Collected>, Refused>,
}

impl Left {
    /// Reads the question if there should be one, and the artifacts if there are limits for them.
    pub(super) fn read(work: &OwnedFd, asks: bool, limits: Option<&Limits>) -> Self {
        Self {
            question: asks.then(|| question(work)),
            artifacts: limits.map_or(Ok(Vec::new()), |limits| collect(work, limits)),
        }
    }
}

/// Why the artifacts were not taken.
#[derive(Debug)]
pub(super) enum Refused {
    /// They break a rule, which this sentence names.
    Limit(String),
    /// They could not be read.
    Io(io::Error),
}

impl From<Errno> for Refused {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

/// All artifacts, in the order of their names; all or none.
fn collect(work: &OwnedFd, limits: &Limits) -> Result<Vec<Collected>, Refused> {
    let Some(stat) = look(work, c"artifacts")? else { return Ok(Vec::new()) };
    let mut walk = Walk { limits, found: Vec::new(), names: BTreeSet::new(), bytes: 0, folders: 0 };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Err(Refused::Limit(format!("`{ARTIFACTS}` is no longer a folder.")));
    }
    walk.folder(open_folder(work, c"artifacts", &stat)?, "", 0)?;
    walk.found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(walk.found)
}

/// The question that the job wrote down, if it can be read.
fn question(work: &OwnedFd) -> Result<Asked, String> {
    let (folder, file) = QUESTION;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let read = || -> io::Result<Vec<u8>> {
        let folder = openat(work, folder, flags | OFlags::DIRECTORY, Mode::empty())?;
        let mut text = Vec::new();
        File::from(openat(&folder, file, flags, Mode::empty())?).take(QUESTION_BYTES + 1).read_to_end(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|error| error.to_string())?;
    if text.len() as u64 > QUESTION_BYTES {
        return Err(format!("it has more than {QUESTION_BYTES} bytes"));
    }
    let asked: Asked = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    if asked.prompt.trim().is_empty() { Err("its prompt is empty".into()) } else { Ok(asked) }
}

struct Walk<'a> {
    limits: &'a Limits,
    found: Vec<Collected>,
    names: BTreeSet<String>,
    bytes: u64,
    folders: usize,
}

impl Walk<'_> {
    fn folder(&mut self, folder: OwnedFd, prefix: &str, depth: usize) -> Result<(), Refused> {
        self.folders += 1;
        if self.folders > FOLDERS || depth > DEPTH {
            return limit(format!("There are more than {FOLDERS} folders, or more than {DEPTH} in one another."));
        }
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let raw = entry.file_name();
            if raw == c"." || raw == c".." {
                continue;
            }
            let name = format!("{prefix}{}", clean(raw));
            if name.len() > NAME_BYTES {
                return limit(format!("A name has more than {NAME_BYTES} bytes."));
            }
            let Some(stat) = look(&folder, raw)? else { continue };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => self.file(&folder, raw, name, &stat)?,
                FileType::Directory => {
                    self.folder(open_folder(&folder, raw, &stat)?, &format!("{name}/"), depth + 1)?
                }
                FileType::Symlink => return limit(format!("`{name}` is a symbolic link.")),
                _ => return limit(format!("`{name}` is neither a file nor a folder.")),
            }
        }
        Ok(())
    }

    fn file(&mut self, folder: &OwnedFd, raw: &CStr, name: String, stat: &Stat) -> Result<(), Refused> {
        let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(size);
        if stat.st_nlink > 1 {
            return limit(format!("`{name}` is a hard link."));
        }
        if self.found.len() >= self.limits.artifacts as usize {
            return limit(format!("There are more than {} files.", self.limits.artifacts));
        }
        if self.bytes > self.limits.artifact_bytes {
            return limit(format!("They have more than {} bytes.", self.limits.artifact_bytes));
        }
        if !self.names.insert(name.clone()) {
            return limit(format!("Two files would both be called `{name}`."));
        }
        make_readable(folder, raw, stat, Mode::RUSR)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut bytes = Vec::new();
        let file = File::from(openat(folder, raw, flags, Mode::empty())?);
        file.take(size).read_to_end(&mut bytes).map_err(Refused::Io)?;
        self.found.push(Collected { name, bytes: Bytes::from(bytes) });
        Ok(())
    }
}

fn limit<T>(sentence: String) -> Result<T, Refused> {
    Err(Refused::Limit(sentence))
}

fn look(folder: &OwnedFd, name: &CStr) -> Result<Option<Stat>, Refused> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn open_folder(parent: &OwnedFd, name: &CStr, stat: &Stat) -> Result<OwnedFd, Refused> {
    make_readable(parent, name, stat, Mode::RUSR | Mode::XUSR)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(parent, name, flags, Mode::empty())?)
}

/// A job may have taken our rights to its files away. It is no link: that was looked at, and nobody else is left.
fn make_readable(folder: impl AsFd, name: &CStr, stat: &Stat, needed: Mode) -> Result<(), Refused> {
    let mode = Mode::from_raw_mode(stat.st_mode);
    if mode.contains(needed) {
        return Ok(());
    }
    Ok(chmodat(folder, name, mode | needed, AtFlags::empty())?)
}

/// A name that is safe to print and to store: no control characters, no backslash, valid text.
fn clean(raw: &CStr) -> String {
    let replace = |c: char| if c.is_control() || c == '\\' || c == char::REPLACEMENT_CHARACTER { '_' } else { c };
    raw.to_string_lossy().chars().map(replace).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs as unix, path::Path};

    use super::*;

    fn limits() -> Limits {
        Limits { artifacts: 3, artifact_bytes: 100, ..Limits::default() }
    }

    fn left(leave: impl FnOnce(&Path)) -> Result<Vec<(String, usize)>, String> {
        let work = tempfile::tempdir().unwrap();
        let artifacts = work.path().join("artifacts");
        fs::create_dir(&artifacts).unwrap();
        leave(&artifacts);
        match collect(&File::open(work.path()).unwrap().into(), &limits()) {
            Ok(found) => Ok(found.into_iter().map(|it| (it.name, it.bytes.len())).collect()),
            Err(Refused::Limit(sentence)) => Err(sentence),
            Err(Refused::Io(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn takes_files_in_folders_in_order() {
        let found = left(|folder| {
            fs::create_dir_all(folder.join("b/c")).unwrap();
            fs::write(folder.join("b/c/two.csv"), "12").unwrap();
            fs::write(folder.join("a\nb\\c"), "1").unwrap();
            fs::write(folder.join(".hidden"), "").unwrap();
        });
        assert_eq!(found.unwrap(), [(".hidden".into(), 0), ("a_b_c".into(), 1), ("b/c/two.csv".into(), 2)]);
        assert_eq!(left(|folder| fs::remove_dir(folder).unwrap()), Ok(vec![]));
    }

    #[test]
    fn refuses_what_is_not_a_plain_file() {
        let link = left(|folder| unix::symlink("/etc/passwd", folder.join("x")).unwrap());
        assert!(link.unwrap_err().contains("symbolic link"));
        let hard = left(|folder| {
            fs::write(folder.join("a"), "1").unwrap();
            fs::hard_link(folder.join("a"), folder.join("b")).unwrap();
        });
        assert!(hard.unwrap_err().contains("hard link"));
        let socket = left(|folder| drop(std::os::unix::net::UnixListener::bind(folder.join("s")).unwrap()));
        assert!(socket.unwrap_err().contains("neither"));
        let replaced = left(|folder| {
            fs::remove_dir(folder).unwrap();
            unix::symlink("/etc", folder).unwrap();
        });
        assert!(replaced.unwrap_err().contains("no longer a folder"));
    }

    #[test]
    fn refuses_too_many_too_large_too_deep() {
        let many = left(|folder| (0..4).for_each(|n| fs::write(folder.join(n.to_string()), "").unwrap()));
        assert!(many.unwrap_err().contains("more than 3 files"));
        let large = left(|folder| File::create(folder.join("x")).unwrap().set_len(1 << 40).unwrap());
        assert!(large.unwrap_err().contains("more than 100 bytes"));
        let deep = left(|folder| fs::create_dir_all(folder.join("a/".repeat(10))).unwrap());
        assert!(deep.unwrap_err().contains("folders"));
        let wide = left(|folder| (0..300).for_each(|n| fs::create_dir(folder.join(n.to_string())).unwrap()));
        assert!(wide.unwrap_err().contains("folders"));
        let same = left(|folder| ["a\n", "a\t"].iter().for_each(|name| fs::write(folder.join(name), "").unwrap()));
        assert!(same.unwrap_err().contains("both be called"));
    }
}
