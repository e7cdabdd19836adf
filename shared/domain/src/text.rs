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

        // By hand: the derive does not see words that a macro passes on.
        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                use utoipa::openapi::schema::{ObjectBuilder, Type};
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some([$($word),+])).into()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}

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

#[cfg(test)]
mod tests {
    /// Text, JSON and `ALL` of every listed enum agree, and other words are refused.
    macro_rules! words_round_trip {
        ($($test:ident: $type:path),+ $(,)?) => {$(
            #[test]
            fn $test() {
                use $type as T;
                for &variant in T::ALL {
                    let word = variant.as_str();
                    assert_eq!(word.parse::<T>().unwrap(), variant);
                    assert_eq!(variant.to_string(), word);
                    assert_eq!(serde_json::to_value(variant).unwrap(), word);
                    assert_eq!(serde_json::from_value::<T>(word.into()).unwrap(), variant);
                }
                let error = "No-Such".parse::<T>().unwrap_err();
                assert!(error.expected.contains(T::ALL[0].as_str()), "{error}");
                assert!(serde_json::from_str::<T>("\"\"").is_err());
            }
        )+};
    }

    words_round_trip! {
        endings: crate::sandbox::Ending,
        end_reasons: crate::session::EndReason,
        event_kinds: crate::event::EventKind,
        execution_statuses: crate::execution::ExecutionStatus,
        languages: crate::sandbox::Language,
        message_types: crate::message::MessageType,
        on_deadlines: crate::question::OnDeadline,
        order_events: crate::order::OrderEvent,
        order_statuses: crate::order::OrderStatus,
        permissions: crate::role::Permission,
        priorities: crate::Priority,
        question_events: crate::question::QuestionEvent,
        question_kinds: crate::question::QuestionKind,
        question_statuses: crate::question::QuestionStatus,
        roles: crate::role::Role,
        sandbox_levels: crate::sandbox::SandboxLevel,
        sender_types: crate::message::SenderType,
        session_events: crate::session::SessionEvent,
        session_statuses: crate::session::SessionStatus,
        step_events: crate::step::StepEvent,
        step_kinds: crate::step::StepKind,
        step_statuses: crate::step::StepStatus,
        task_events: crate::task::TaskEvent,
        task_statuses: crate::task::TaskStatus,
        task_types: crate::task::TaskType,
        worker_statuses: crate::worker::WorkerStatus,
    }

    #[test]
    fn the_error_says_what_was_expected_and_quotes_little() {
        let error = "x".repeat(1000).parse::<crate::Priority>().unwrap_err();
        assert_eq!(error.found.len(), 64);
        let error = "urgent".parse::<crate::Priority>().unwrap_err();
        insta::assert_snapshot!(error, @"`urgent` is not a priority; expected one of high, normal, low");
    }
}
