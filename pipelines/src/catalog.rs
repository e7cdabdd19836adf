//! The pipelines that can be run: the built-in ones, and those of a folder that add to them or replace them.

use std::{collections::BTreeMap, io::Read as _, path::Path};

use serde_json::Value;
use sha2::{Digest, Sha256};
use shopfloor_domain::Name;

use crate::{
    definition::Pipeline,
    parse::{ParseError, parse},
};

/// The built-in files.
const BUILT_IN: &[(&str, &str)] = &[
    ("ask-and-run.toml", include_str!("../builtin/ask-and-run.toml")),
    ("external.toml", include_str!("../builtin/external.toml")),
    ("review-and-run.toml", include_str!("../builtin/review-and-run.toml")),
    ("run-code.toml", include_str!("../builtin/run-code.toml")),
];

/// The largest pipeline file, in bytes.
const MAX_FILE: u64 = 256 * 1024;
/// The most files an override folder may hold.
const MAX_FILES: usize = 256;

/// Why the catalog could not be loaded. Nothing of a folder with an error in it is used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A file is no pipeline.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The folder or a file of it cannot be read.
    #[error("reading `{path}`")]
    Io {
        /// Which one.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The folder holds too much.
    #[error("`{path}`: {problem}")]
    Limit {
        /// The folder or file.
        path: String,
        /// What is too much.
        problem: String,
    },
}

/// A pipeline that can be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// SHA-256 of its canonical JSON, in lower-case hexadecimal: the same meaning has the same version, whatever the
    /// file's layout.
    pub version: String,
    /// The file's text.
    pub source: String,
}

impl Entry {
    fn new(file: &str, source: String) -> Result<Self, ParseError> {
        let pipeline = parse(file, &source)?;
        let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if pipeline.name.as_str() != stem {
            let problem = format!("the name must be the file's, `{stem}`, and is `{}`", pipeline.name);
            return Err(ParseError { file: file.to_owned(), line: None, field: Some("name".to_owned()), problem });
        }
        Ok(Self { version: version(&pipeline), pipeline, source })
    }
}

/// The version of a definition.
#[must_use]
pub fn version(pipeline: &Pipeline) -> String {
    hex::encode(Sha256::digest(pipeline.to_json().to_string()))
}

/// The pipelines by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalog {
    entries: BTreeMap<Name, Entry>,
}

impl Catalog {
    /// The built-in pipelines, and every `*.toml` of `overrides`, which may replace a built-in one by its name.
    ///
    /// # Errors
    /// [`CatalogError`] for the first file that is wrong, in order of name.
    pub fn load(overrides: Option<&Path>) -> Result<Self, CatalogError> {
        let mut catalog = Self::default();
        for (file, source) in BUILT_IN {
            catalog.insert(Entry::new(file, (*source).to_owned())?);
        }
        for file in overrides.map(toml_files).transpose()?.unwrap_or_default() {
            let source = read_capped(&file)?;
            catalog.insert(Entry::new(&file.display().to_string(), source)?);
        }
        Ok(catalog)
    }

    fn insert(&mut self, entry: Entry) {
        self.entries.insert(entry.pipeline.name.clone(), entry);
    }

    /// One pipeline.
    #[must_use]
    pub fn get(&self, name: &Name) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Every pipeline, by name.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }
}

fn toml_files(folder: &Path) -> Result<Vec<std::path::PathBuf>, CatalogError> {
    let io = |source| CatalogError::Io { path: folder.display().to_string(), source };
    let mut files = Vec::new();
    for item in std::fs::read_dir(folder).map_err(io)? {
        let path = item.map_err(io)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            let problem = format!("holds more than {MAX_FILES} pipelines");
            return Err(CatalogError::Limit { path: folder.display().to_string(), problem });
        }
    }
    files.sort();
    Ok(files)
}

fn read_capped(file: &Path) -> Result<String, CatalogError> {
    let path = || file.display().to_string();
    let io = |source| CatalogError::Io { path: path(), source };
    let mut source = String::new();
    std::fs::File::open(file).map_err(io)?.take(MAX_FILE + 1).read_to_string(&mut source).map_err(io)?;
    if source.len() as u64 > MAX_FILE {
        return Err(CatalogError::Limit { path: path(), problem: format!("is larger than {MAX_FILE} bytes") });
    }
    Ok(source)
}

/// Sorts the keys of every object, however `serde_json` keeps them.
pub(crate) fn sort_keys(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = std::mem::take(map).into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.iter_mut().for_each(|(_, value)| sort_keys(value));
            map.extend(entries);
        }
        Value::Array(items) => items.iter_mut().for_each(sort_keys),
        _ => {}
    }
}
