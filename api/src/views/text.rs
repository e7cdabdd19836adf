//! Checks of incoming texts and values. Each names the field that does not fit.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{
    error::{ApiError, Result},
    limits,
};

/// A text on one line of 1 to `most` characters, trimmed.
pub(crate) fn line(field: &str, text: &str, most: usize) -> Result<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ApiError::invalid(field, "must not be empty"));
    }
    if text.chars().count() > most {
        return Err(ApiError::invalid(field, format!("has more than {most} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(ApiError::invalid(field, "contains a control character"));
    }
    Ok(text.to_owned())
}

/// As [`line`], or nothing.
pub(crate) fn optional_line(field: &str, text: Option<&str>, most: usize) -> Result<Option<String>> {
    text.map(|text| line(field, text, most)).transpose()
}

/// A text of any number of lines and at most `most` bytes.
pub(crate) fn block(field: &str, text: String, most: usize) -> Result<String> {
    if text.len() > most {
        return Err(ApiError::invalid(field, format!("has more than {most} bytes")));
    }
    Ok(text)
}

/// As [`block`], and not blank.
pub(crate) fn said(field: &str, text: String) -> Result<String> {
    if text.trim().is_empty() {
        return Err(ApiError::invalid(field, "must not be empty"));
    }
    block(field, text, limits::MESSAGE_BYTES)
}

/// A JSON value of at most `most` bytes when written.
pub(crate) fn json(field: &str, value: &Value, most: usize) -> Result<()> {
    /// Counts what is written to it.
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).map_err(|error| ApiError::invalid(field, error))?;
    if count.0 > most {
        return Err(ApiError::invalid(field, format!("has more than {most} bytes as JSON")));
    }
    Ok(())
}

/// A number within bounds.
pub(crate) fn within<T: PartialOrd + std::fmt::Display + Copy>(field: &str, value: T, least: T, most: T) -> Result<T> {
    if value < least || value > most {
        return Err(ApiError::invalid(field, format!("must be {least} to {most}")));
    }
    Ok(value)
}

/// A list of at most `most` entries.
pub(crate) fn at_most<T>(field: &str, list: &[T], most: usize) -> Result<()> {
    if list.len() > most {
        return Err(ApiError::invalid(field, format!("has more than {most} entries")));
    }
    Ok(())
}

/// Tells `null` (clear it) from absent (leave it alone).
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<T>, D::Error> {
    T::deserialize(d).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_short_visible_and_single() {
        assert_eq!(line("title", "  Tidy up ", 200).ok().as_deref(), Some("Tidy up"));
        for bad in ["", "   ", "a\nb", "a\u{7}b", &"x".repeat(201)] {
            assert!(line("title", bad, 200).is_err(), "{bad:?}");
        }
        assert!(line("title", &"ü".repeat(200), 200).is_ok());
    }

    #[test]
    fn values_are_measured_as_written() {
        let value = serde_json::json!("x".repeat(10));
        assert!(json("input", &value, 12).is_ok());
        assert!(json("input", &value, 11).is_err());
    }
}
