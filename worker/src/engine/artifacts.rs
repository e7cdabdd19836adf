//! What a run left: stored by content, named in the step's output.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shopfloor_sandbox::Collected;
use shopfloor_store::artifacts::NewArtifact;

use super::{
    Work,
    halt::{Halt, persist},
    text::clean,
};

const UNKNOWN: &str = "application/octet-stream";

impl Work<'_> {
    /// Stores the bytes of what a run left.
    pub(super) async fn store_artifacts(&self, collected: Vec<Collected>) -> Result<Vec<NewArtifact>, Halt> {
        let mut artifacts = Vec::with_capacity(collected.len());
        let mut names = BTreeSet::new();
        for item in collected {
            let mut name = clean(&item.name);
            while !names.insert(name.clone()) {
                name.push('~');
            }
            let stored = persist(self.held, || self.deps.store.blobs().put(item.bytes.clone())).await?;
            let content_type = content_type(&item.name, &item.bytes);
            artifacts.push(NewArtifact { name, content_type, stored });
        }
        Ok(artifacts)
    }
}

/// As the task's result lists them.
pub(super) fn listed(artifacts: &[NewArtifact]) -> Value {
    let list = artifacts.iter().map(|artifact| {
        json!({
            "name": artifact.name,
            "content_type": artifact.content_type,
            "size": artifact.stored.size,
            "sha256": artifact.stored.sha256,
        })
    });
    list.collect()
}

/// The media type: by content where bytes tell, else by name when it is text and says it is.
fn content_type(name: &str, bytes: &[u8]) -> String {
    if let Some(kind) = infer::get(bytes) {
        return kind.mime_type().to_owned();
    }
    let is_text = std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0'));
    let by_name = mime_guess::from_path(name).first();
    match by_name {
        Some(mime) if is_text && (mime.type_() == "text" || textual(mime.subtype().as_str())) => mime.to_string(),
        _ if is_text => "text/plain".to_owned(),
        _ => UNKNOWN.to_owned(),
    }
}

fn textual(subtype: &str) -> bool {
    ["json", "xml", "svg+xml", "toml", "javascript", "x-yaml", "yaml"].contains(&subtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_counts_before_names() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        assert_eq!(content_type("chart.txt", png), "image/png");
        assert_eq!(content_type("table.csv", b"a,b\n1,2\n"), "text/csv");
        assert_eq!(content_type("data.json", b"{}"), "application/json");
        assert_eq!(content_type("chart.png", b"not a picture"), "text/plain");
        assert_eq!(content_type("noise", b"\xff\x00\xfe\x01"), UNKNOWN);
    }
}
