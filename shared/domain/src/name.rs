//! Names of queues, projects, pipelines and capabilities: short, lower case, safe in keys, paths and labels.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};

/// A name of 1 to 64 characters from `a-z 0-9 - _`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String))]
pub struct Name(#[schemars(regex(pattern = r"^[a-z0-9][a-z0-9_-]{0,63}$"))] Cow<'static, str>);

/// A text that is not a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a name: use 1 to 64 characters from a-z, 0-9, `-` and `_`, beginning with a letter or digit")]
pub struct InvalidName(String);

impl Name {
    /// The name of the queue and of the project that are used when none is given.
    pub const DEFAULT: Self = Self(Cow::Borrowed("default"));

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if begins && text.len() <= 64 && text.chars().all(fits) {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(InvalidName(text.chars().take(64).collect()))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_name_survives_text_and_json(text in "[a-z0-9][a-z0-9_-]{0,63}") {
            let name: Name = text.parse().unwrap();
            prop_assert_eq!(name.to_string(), text);
            let json = serde_json::to_string(&name).unwrap();
            prop_assert_eq!(serde_json::from_str::<Name>(&json).unwrap(), name);
        }

        #[test]
        fn any_text_is_a_name_only_when_it_fits_the_pattern(text in any::<String>()) {
            if let Ok(name) = text.parse::<Name>() {
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
                prop_assert!(name.as_str().chars().all(plain) && (1..=64).contains(&text.len()));
            }
        }
    }

    #[test]
    fn texts_that_are_no_names() {
        let long = "a".repeat(65);
        for text in ["", "-a", "_a", "A", "a b", "a/b", "../a", "a.b", "ä", "a\0", "a,b", long.as_str()] {
            assert!(text.parse::<Name>().is_err(), "{text:?}");
            let json = serde_json::to_string(text).unwrap();
            assert!(serde_json::from_str::<Name>(&json).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_default_name_is_a_name() {
        assert_eq!("default".parse::<Name>().unwrap(), Name::DEFAULT);
    }

    #[test]
    fn the_error_quotes_at_most_64_characters() {
        let error = "X".repeat(1000).parse::<Name>().unwrap_err();
        assert!(error.to_string().len() < 200);
    }
}
