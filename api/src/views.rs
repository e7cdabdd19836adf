//! The shapes of bodies: what comes in and what goes out.

/// Declares an outgoing body that repeats fields of a record, and how it is made from one.
macro_rules! view {
    (
        $(#[$meta:meta])*
        $name:ident from $record:ty { $($(#[$field_meta:meta])* $field:ident: $type:ty),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
        pub(crate) struct $name { $($(#[$field_meta])* pub(crate) $field: $type),+ }

        impl From<$record> for $name {
            fn from(record: $record) -> Self {
                Self { $($field: record.$field),+ }
            }
        }
    };
}

pub(crate) mod admin;
pub(crate) mod chat;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod page;
pub(crate) mod questions;
pub(crate) mod queue;
pub(crate) mod sessions;
pub(crate) mod steps;
pub(crate) mod tasks;
pub(crate) mod text;
pub(crate) mod workers;
