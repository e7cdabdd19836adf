//! What a worker can do and what an order needs: short words such as `python` or `gpu`.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::Name;

/// A sorted set of capability names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
pub struct Capabilities(pub BTreeSet<Name>);

impl Capabilities {
    /// The most names one set may hold.
    pub const MAX: usize = 16;

    /// Whether a worker with these capabilities may take an order that needs `needed`.
    #[must_use]
    pub fn cover(&self, needed: &Self) -> bool {
        needed.0.is_subset(&self.0)
    }

    /// The set as one line of SQL text, e.g. `gpu,python`; empty for none.
    #[must_use]
    pub fn to_key(&self) -> String {
        self.0.iter().map(Name::as_str).collect::<Vec<_>>().join(",")
    }

    /// The opposite of [`Self::to_key`].
    ///
    /// # Errors
    /// [`crate::InvalidName`] when a part is no capability name.
    pub fn from_key(key: &str) -> Result<Self, crate::InvalidName> {
        key.split(',').filter(|part| !part.is_empty()).map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_key())
    }
}
