//! Uploads files.

use std::path::Path;

use anyhow::Context;
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::Value;

use super::Client;
use crate::exit::Failure;

/// Uploads bytes under a name; returns the file as recorded.
pub(crate) async fn bytes(client: &Client, project: Option<&str>, name: &str, bytes: Vec<u8>) -> anyhow::Result<Value> {
    let form = Form::new().part("file", Part::bytes(bytes).file_name(name.to_owned()));
    let mut request = client.request(Method::POST, "/files").multipart(form);
    if let Some(project) = project {
        request = request.query(&[("project", project)]);
    }
    client.json(request).await.with_context(|| format!("uploading {name}"))
}

/// Reads a file to upload it: `PATH`, or `NAME=PATH` to give it another name there.
pub(crate) fn read(given: &str) -> anyhow::Result<(String, Vec<u8>)> {
    let (name, path) = match given.split_once('=') {
        Some((name, path)) if !name.is_empty() && !Path::new(given).exists() => (name.to_owned(), Path::new(path)),
        _ => {
            let name = Path::new(given).file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| Failure::usage(format!("`{given}` is not the name of a file")))?;
            (name.to_owned(), Path::new(given))
        }
    };
    let bytes = std::fs::read(path).map_err(|e| Failure::usage(format!("reading {}: {e}", path.display())))?;
    Ok((name, bytes))
}
