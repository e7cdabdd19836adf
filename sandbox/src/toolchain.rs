//! The Python toolchain: a virtual environment with the interpreter, the packages of a job, and the critic's tools.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use crate::SandboxError;

/// What to do when there is none.
pub(crate) const REMEDY: &str = "run scripts/toolchain.sh, or name a virtual environment in SHOPFLOOR_TOOLCHAIN";
const FONT_CACHE: &str = "share/shopfloor/matplotlib";
const FONT_CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// A toolchain that is there.
#[derive(Debug, Clone)]
pub(crate) struct Toolchain {
    /// Its folder, without links.
    pub(crate) root: PathBuf,
    /// Folders outside `/usr` that its interpreter needs, at the paths that it names them by.
    pub(crate) bases: Vec<PathBuf>,
    /// Matplotlib's cache of fonts, made in advance: file name and content.
    pub(crate) fonts: Vec<(String, Bytes)>,
}

impl Toolchain {
    /// Finds the toolchain: `named`, or the first one in the usual places.
    pub(crate) fn find(named: Option<&Path>) -> Result<Self, String> {
        let places = match named {
            Some(named) => vec![named.to_owned()],
            None => usual_places(|name| std::env::var_os(name).map(PathBuf::from)),
        };
        let Some(found) = places.iter().find(|place| place.join("bin/python").exists()) else {
            let places = places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ");
            return Err(format!("no Python toolchain in {places}: {REMEDY}"));
        };
        Self::open(found)
            .map_err(|error| format!("the toolchain {} cannot be used: {error}: {REMEDY}", found.display()))
    }

    fn open(place: &Path) -> io::Result<Self> {
        let root = place.canonicalize()?;
        Ok(Self { bases: bases(&root)?, fonts: fonts(&root.join(FONT_CACHE)), root })
    }

    /// Whether the tool is there.
    pub(crate) fn require(&self, tool: &str) -> Result<(), SandboxError> {
        if self.root.join("bin").join(tool).exists() {
            return Ok(());
        }
        Err(SandboxError::ToolMissing { tool: tool.to_owned(), remedy: REMEDY.to_owned() })
    }
}

fn usual_places(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    if let Some(named) = variable("SHOPFLOOR_TOOLCHAIN").filter(|named| !named.as_os_str().is_empty()) {
        return vec![named];
    }
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    cache
        .into_iter()
        .chain([PathBuf::from("/var/cache"), PathBuf::from("/opt")])
        .map(|folder| folder.join("shopfloor/toolchain"))
        .collect()
}

/// A virtual environment holds links to its base interpreter; that one needs its own folder.
fn bases(root: &Path) -> io::Result<Vec<PathBuf>> {
    let configuration = fs::read_to_string(root.join("pyvenv.cfg"))?;
    let home = configuration.lines().find_map(|line| line.split_once('=').filter(|(key, _)| key.trim() == "home"));
    let interpreter = root.join("bin/python").canonicalize()?;
    let prefixes = [home.map(|(_, home)| Path::new(home.trim())), interpreter.parent()];
    let mut bases: Vec<PathBuf> = prefixes
        .into_iter()
        .flatten()
        .filter_map(Path::parent)
        .filter(|prefix| prefix.is_absolute() && *prefix != Path::new("/") && *prefix != Path::new("/usr"))
        .map(Path::to_owned)
        .collect();
    bases.sort();
    bases.dedup();
    Ok(bases)
}

fn fonts(folder: &Path) -> Vec<(String, Bytes)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let fitting = entry.metadata().is_ok_and(|it| it.is_file() && it.len() <= FONT_CACHE_BYTES);
        let wanted = fitting && name.starts_with("fontlist") && name.ends_with(".json");
        wanted.then(|| fs::read(entry.path()).ok().map(|bytes| (name, Bytes::from(bytes)))).flatten()
    };
    entries.flatten().filter_map(read).take(4).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn looks_where_it_is_told_or_in_the_usual_places() {
        let none = usual_places(|_| None);
        assert_eq!(none, [Path::new("/var/cache/shopfloor/toolchain"), Path::new("/opt/shopfloor/toolchain")]);
        let home = usual_places(|name| (name == "HOME").then(|| "/h".into()));
        assert_eq!(home[0], Path::new("/h/.cache/shopfloor/toolchain"));
        let named = usual_places(|name| (name == "SHOPFLOOR_TOOLCHAIN").then(|| "/t".into()));
        assert_eq!(named, [Path::new("/t")]);
    }

    #[test]
    fn a_missing_toolchain_says_what_to_do() {
        let error = Toolchain::find(Some(Path::new("/nowhere/toolchain"))).unwrap_err();
        assert!(error.contains("/nowhere/toolchain") && error.contains("scripts/toolchain.sh"), "{error}");
    }

    #[test]
    fn an_interpreter_outside_usr_brings_its_folder_along() {
        let folder = tempfile::tempdir().unwrap();
        let (venv, base) = (folder.path().join("venv"), folder.path().join("python-3.11"));
        fs::create_dir_all(venv.join("bin")).unwrap();
        fs::create_dir_all(base.join("bin")).unwrap();
        fs::write(base.join("bin/python3"), "").unwrap();
        symlink(base.join("bin/python3"), venv.join("bin/python")).unwrap();
        fs::write(venv.join("pyvenv.cfg"), format!("home = {}\n", base.join("bin").display())).unwrap();
        let toolchain = Toolchain::find(Some(&venv)).unwrap();
        assert_eq!(toolchain.bases, [base]);
        assert!(matches!(toolchain.require("ruff"), Err(SandboxError::ToolMissing { .. })));
    }
}
