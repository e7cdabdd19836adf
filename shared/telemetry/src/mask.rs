//! Keeps secrets out of text: API keys, authorization values, cookies, passwords, and passwords within URLs.

use std::borrow::Cow;

/// What stands in a secret's place.
pub const MASK: &str = "***";

/// How an API key of ours begins.
const KEY_PREFIX: &str = "sf_";
/// The least length of a key behind its prefix; shorter words (`sf_orders`) are none.
const KEY_MIN: usize = 16;
/// Names whose value is a secret, when `:` or `=` follows. Matched in any case, also at the end of a longer name.
const SECRET_NAMES: [&str; 6] = ["authorization", "cookie", "api-key", "api_key", "apikey", "password"];
/// Schemes whose credentials are a secret wherever they stand.
const SCHEMES: [&str; 2] = ["bearer ", "basic "];
/// The least length of credentials behind a scheme, so that prose is left alone.
const CREDENTIALS_MIN: usize = 8;

/// The text with every secret replaced by [`MASK`]; borrowed when there is none.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < text.len() {
        match secret_at(text, at) {
            Some((from, to)) => {
                out.push_str(&text[copied..from]);
                out.push_str(MASK);
                (copied, at) = (to, to);
            }
            None => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// The range of the secret that something at `at` announces. It is never empty and ends on a character boundary.
fn secret_at(text: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    // Most bytes begin none of the patterns; looking at one first keeps this linear and cheap.
    match bytes[at].to_ascii_lowercase() {
        b's' => key_at(bytes, at),
        b'a' | b'c' | b'p' => named_at(bytes, at),
        b'b' => credentials_at(bytes, at),
        b':' => password_in_url_at(bytes, at),
        _ => None,
    }
}

fn key_at(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let inside_word = at > 0 && bytes[at - 1].is_ascii_alphanumeric();
    let rest = bytes[at..].strip_prefix(KEY_PREFIX.as_bytes()).filter(|_| !inside_word)?;
    let length = length_while(rest, |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let from = at + KEY_PREFIX.len();
    (length >= KEY_MIN).then_some((from, from + length))
}

fn named_at(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let name = SECRET_NAMES.iter().find(|name| starts_with(&bytes[at..], name))?;
    let after = at + name.len();
    let gap = length_while(&bytes[after..], |b| b"\"'\\ :=".contains(&b));
    let separated = bytes[after..after + gap].iter().any(|b| b":=".contains(b));
    let from = after + gap;
    let length = length_while(&bytes[from..], |b| !b"\"'\\\r\n,;}])".contains(&b));
    (separated && length > 0).then_some((from, from + length))
}

fn credentials_at(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let scheme = SCHEMES.iter().find(|scheme| starts_with(&bytes[at..], scheme))?;
    let from = at + scheme.len();
    let length = length_while(&bytes[from..], |b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    (length >= CREDENTIALS_MIN).then_some((from, from + length))
}

fn password_in_url_at(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let authority = at + 3;
    bytes[at..].starts_with(b"://").then_some(())?;
    let length = length_while(&bytes[authority..], |b| !b.is_ascii_whitespace() && !b"/?#\"'\\<>".contains(&b));
    let authority_bytes = &bytes[authority..authority + length];
    let host = authority_bytes.iter().rposition(|&b| b == b'@')?;
    let colon = authority_bytes[..host].iter().position(|&b| b == b':')?;
    (colon + 1 < host).then_some((authority + colon + 1, authority + host))
}

fn starts_with(bytes: &[u8], prefix: &str) -> bool {
    bytes.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
}

fn length_while(bytes: &[u8], fits: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&b| !fits(b)).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "sf_0123456789abcdefABCDEF-_xyz";

    #[test]
    fn secrets_are_masked_and_the_rest_is_left_alone() {
        let cases = [
            (format!("key {KEY}, next"), "key sf_***, next"),
            (format!("Authorization: Bearer {KEY}"), "Authorization: ***"),
            (format!(r#"{{"authorization":"Bearer {KEY}","a":1}}"#), r#"{"authorization":"***","a":1}"#),
            (r#"{\"authorization\": \"Basic dTpw\"}"#.into(), r#"{\"authorization\": \"***\"}"#),
            ("Proxy-Authorization=Digest x y z; b".into(), "Proxy-Authorization=***; b"),
            ("sent Bearer abc.def-123/45== twice".into(), "sent Bearer *** twice"),
            ("Set-Cookie: sid=1234\nnext: line".into(), "Set-Cookie: ***\nnext: line"),
            ("SHOPFLOOR_API_KEY=abc password: p".into(), "SHOPFLOOR_API_KEY=***"),
            ("at postgres://me:p@ss:w@db:5432/x?a=b".into(), "at postgres://me:***@db:5432/x?a=b"),
        ];
        for (text, masked) in cases {
            assert_eq!(mask(&text), masked);
        }
    }

    #[test]
    fn ordinary_text_is_borrowed() {
        let texts = [
            "",
            "Listening on the channel sf_orders",
            "The authorization header is missing",
            "A basic idea, a bearer of news",
            "http://127.0.0.1:8000/api/v1?at=a@b",
            "postgres://me@db/x",
            "self_0123456789abcdef0123",
            "grüße, 日本",
        ];
        for text in texts {
            assert!(matches!(mask(text), Cow::Borrowed(_)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_key_never_gets_through(before in ".{0,20}", key in "[A-Za-z0-9_-]{16,40}", after in ".{0,20}") {
            let text = format!("{before} sf_{key} {after}");
            prop_assert!(!mask(&text).contains(&key));
        }

        #[test]
        fn masking_any_text_works_and_twice_changes_nothing(text in "[ -~äß]{0,80}") {
            let once = mask(&text).into_owned();
            prop_assert_eq!(mask(&once), once.as_str());
        }
    }
}
