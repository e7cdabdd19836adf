//! What uploaded bytes are, what a file may be called, and how files are served without harm.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use crate::error::{ApiError, Result};

/// The longest name, in bytes: what file systems accept.
const NAME_BYTES: usize = 200;

/// The media type by content; the name only tells kinds of text apart.
pub(crate) fn sniff(name: &str, bytes: &[u8]) -> String {
    if let Some(kind) = infer::get(bytes) {
        return kind.mime_type().to_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => text_type(name, text).to_owned(),
        _ => "application/octet-stream".to_owned(),
    }
}

fn text_type(name: &str, text: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("json" | "ipynb" | "geojson") if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => {
            "application/json"
        }
        Some("csv") => "text/csv",
        Some("tsv") => "text/tab-separated-values",
        Some("py") => "text/x-python",
        Some("md") => "text/markdown",
        Some("svg") => "image/svg+xml",
        Some("htm" | "html") => "text/html",
        _ => "text/plain",
    }
}

/// A file name without path, control characters and tricks of writing direction; `None` when nothing is left of it.
pub(crate) fn clean_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let harmless = |c: &char| {
        !c.is_control() && !matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let kept: String = last.chars().filter(harmless).collect();
    let trimmed = kept.trim().trim_end_matches('.');
    let mut end = trimmed.len().min(NAME_BYTES);
    while !trimmed.is_char_boundary(end) {
        end -= 1;
    }
    let name = trimmed[..end].trim();
    (!name.is_empty() && name.chars().any(|c| c != '.')).then(|| name.to_owned())
}

/// A stored file as it is served.
pub(crate) struct Download {
    /// Its name or relative path.
    pub(crate) name: String,
    /// Its media type.
    pub(crate) content_type: String,
    /// Its SHA-256, which never changes for this address.
    pub(crate) sha256: String,
}

impl Download {
    /// Whether the client has these very bytes already.
    pub(crate) fn is_cached(&self, request: &HeaderMap) -> bool {
        let etag = format!("\"{}\"", self.sha256);
        let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
        known.split(',').map(str::trim).any(|tag| tag == etag || tag == "*" || tag.strip_prefix("W/") == Some(&etag))
    }

    /// The answer for a client that has the bytes.
    pub(crate) fn not_modified(&self) -> Result<Response> {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        self.write(response.headers_mut())?;
        Ok(response)
    }

    /// The bytes.
    pub(crate) fn respond(&self, bytes: Bytes) -> Result<Response> {
        let mut response = Response::new(Body::from(bytes));
        self.write(response.headers_mut())?;
        set(response.headers_mut(), header::CONTENT_TYPE, &self.served_type())?;
        let disposition = format!("{}; {}", if self.is_safe() { "inline" } else { "attachment" }, self.file_name());
        set(response.headers_mut(), header::CONTENT_DISPOSITION, &disposition)?;
        Ok(response)
    }

    fn write(&self, headers: &mut HeaderMap) -> Result<()> {
        set(headers, header::ETAG, &format!("\"{}\"", self.sha256))?;
        set(headers, header::CACHE_CONTROL, "private, max-age=3600, immutable")?;
        // Whatever the file is, the browser treats it as a page of no origin that may run and load nothing.
        set(headers, header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'")
    }

    /// Raster images and plain text may be shown in place; everything else is saved.
    fn is_safe(&self) -> bool {
        matches!(
            self.content_type.as_str(),
            "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "text/plain" | "text/csv" | "application/json"
        )
    }

    fn served_type(&self) -> String {
        let text = self.content_type.starts_with("text/") && !self.content_type.contains("charset");
        if text { format!("{}; charset=utf-8", self.content_type) } else { self.content_type.clone() }
    }

    /// The name for old clients in ASCII and for all others percent-encoded (RFC 5987, RFC 6266).
    fn file_name(&self) -> String {
        let name = clean_name(&self.name).unwrap_or_else(|| "download".to_owned());
        let plain = |c: char| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') { c } else { '_' };
        let ascii: String = name.chars().map(plain).collect();
        let mut encoded = String::new();
        for byte in name.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
                other => encoded.push_str(&format!("%{other:02X}")),
            }
        }
        format!("filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<()> {
    let value = HeaderValue::from_str(value).map_err(|error| ApiError::internal(&error))?;
    headers.insert(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_and_the_name_only_tells_texts_apart() {
        let cases: &[(&str, &[u8], &str)] = &[
            ("evil.py", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
            ("data.csv", b"a,b\n1,2\n", "text/csv"),
            ("data.csv", b"a,b\n\xff\xfe\n", "application/octet-stream"),
            ("x.json", b"{\"a\": 1}", "application/json"),
            ("x.json", b"not json", "text/plain"),
            ("main.py", b"print(1)\n", "text/x-python"),
            ("paper.pdf", b"%PDF-1.7\n", "application/pdf"),
            ("empty", b"", "text/plain"),
            ("nul.txt", b"a\0b", "application/octet-stream"),
        ];
        for (name, bytes, expected) in cases {
            assert_eq!(sniff(name, bytes), *expected, "{name}");
        }
    }

    #[test]
    fn names_lose_paths_and_tricks() {
        let cases = [
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Users\\me\\data.csv", Some("data.csv")),
            ("a\0b\n.csv", Some("ab.csv")),
            ("gnp.\u{202e}exe", Some("gnp.exe")),
            (" spaced .csv ", Some("spaced .csv")),
            ("..", None),
            ("", None),
            ("a/", None),
            ("\u{7}", None),
            (".env", Some(".env")),
        ];
        for (name, expected) in cases {
            assert_eq!(clean_name(name).as_deref(), expected, "{name:?}");
        }
        assert_eq!(clean_name(&"ü".repeat(300)).map(|name| name.len()), Some(200));
    }

    #[test]
    fn active_content_is_never_shown_in_place() {
        for content_type in ["text/html", "image/svg+xml", "application/pdf", "text/x-python", "application/zip"] {
            let download = Download {
                name: "a/b\"ü.x".to_owned(),
                content_type: content_type.to_owned(),
                sha256: "00".to_owned(),
            };
            let response = download.respond(Bytes::new()).expect("a response");
            let disposition = response.headers()[header::CONTENT_DISPOSITION].to_str().expect("ASCII");
            assert_eq!(disposition, "attachment; filename=\"b__.x\"; filename*=UTF-8''b%22%C3%BC.x");
            assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], "sandbox; default-src 'none'");
        }
    }
}
