//! Enums that are text in SQL, JSON and on the command line, from one list of words.

/// A word that names none of the variants of a text enum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a {kind}; expected one of {expected}")]
pub struct UnknownText {
    /// What the text was meant to be, e.g. `priority`.
    pub kind: &'static str,
    /// The text that was found.
    pub found: String,
    /// The legal words, separated by commas.
    pub expected: String,
}

/// Declares an enum whose variants are fixed words: `as_str`, `ALL`, `Display`, `FromStr` and serde agree by construction.
macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident($kind:literal) { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every variant, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that stands for this variant in SQL, JSON and on the command line.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.as_str()) }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text::UnknownText;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    other => Err($crate::text::UnknownText {
                        kind: $kind,
                        found: other.chars().take(64).collect(),
                        expected: [$($word),+].join(", "),
                    }),
                }
            }
        }
    };
}
pub(crate) use text_enum;
