//! Where the server is and who asks.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failure};

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClientArgs {
    /// Prints JSON for programs: one document, or one object per line where a command streams.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The server's address. Without it, the one in `client.toml` of the data folder.
    #[arg(long, global = true, env = "SHOPFLOOR_URL", help_heading = "Server")]
    pub(crate) url: Option<String>,
    /// The API key. Without it, the one in `client.toml` of the data folder.
    #[arg(long, global = true, env = "SHOPFLOOR_API_KEY", hide_env_values = true, help_heading = "Server")]
    pub(crate) api_key: Option<String>,
    /// The embedded server's folder: database, files, `client.toml`.
    #[arg(long, global = true, env = "SHOPFLOOR_DATA_DIR", default_value = ".shopfloor", help_heading = "Server")]
    pub(crate) data_dir: PathBuf,
}

/// `client.toml`: how to reach the embedded server. Readable by its owner only.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ClientFile {
    /// The server's address.
    pub(crate) url: String,
    /// The API key.
    pub(crate) api_key: String,
}

/// A server's address and the key to use there.
#[derive(Clone)]
pub(crate) struct Access {
    /// Without a slash at the end.
    pub(crate) url: String,
    /// The secret.
    pub(crate) api_key: Option<String>,
}

impl ClientFile {
    /// The file's place.
    pub(crate) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("client.toml")
    }

    /// Reads the file; `None` when there is none.
    pub(crate) fn read(data_dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = Self::path(data_dir);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        // The parser's message quotes the line at fault, which may hold the key.
        let file = toml::from_str(&text).map_err(|_| {
            Failure::usage(format!("{} is not valid", path.display()))
                .remedy("it needs two lines: url = \"http://…\" and api_key = \"sf_…\"")
        })?;
        Ok(Some(file))
    }
}

impl ClientArgs {
    /// The server to talk to: from the options and the environment first, then from `client.toml`.
    pub(crate) fn access(&self) -> anyhow::Result<Access> {
        let file = match (&self.url, &self.api_key) {
            (Some(_), Some(_)) => None,
            _ => ClientFile::read(&self.data_dir)?,
        };
        // A key belongs to the server it was made by: never send the file's key to another one.
        let (url, file_key) = match (self.url.clone(), file) {
            (None, Some(file)) => (file.url, Some(file.api_key)),
            (Some(url), Some(file)) if same(&url, &file.url) => (url, Some(file.api_key)),
            (Some(url), _) => (url, None),
            (None, None) => {
                let message = format!("no server is known: there is no {}", ClientFile::path(&self.data_dir).display());
                let remedy = "start one here with `shopfloor up`, or set SHOPFLOOR_URL and SHOPFLOOR_API_KEY";
                return Err(Failure::new(Exit::Unreachable, message).remedy(remedy).into());
            }
        };
        Ok(Access { url: url.trim_end_matches('/').to_owned(), api_key: self.api_key.clone().or(file_key) })
    }
}

fn same(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(url: Option<&str>, data_dir: &Path) -> ClientArgs {
        ClientArgs { json: false, url: url.map(str::to_owned), api_key: None, data_dir: data_dir.to_owned() }
    }

    #[test]
    fn the_files_key_goes_to_the_files_server_only() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("client.toml"), "url = \"http://127.0.0.1:8000\"\napi_key = \"sf_1\"").unwrap();
        let key = |url| args(url, dir.path()).access().unwrap().api_key;
        assert_eq!(key(None).as_deref(), Some("sf_1"));
        assert_eq!(key(Some("http://127.0.0.1:8000/")).as_deref(), Some("sf_1"));
        assert_eq!(key(Some("http://elsewhere:8000")), None);
    }

    #[test]
    fn a_broken_file_is_reported_without_its_contents() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("client.toml"), "api_key = sf_secret").unwrap();
        let error = args(None, dir.path()).access().err().unwrap();
        assert!(!format!("{error:#}").contains("sf_secret"));
    }
}
