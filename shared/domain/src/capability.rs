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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set() -> impl Strategy<Value = Capabilities> {
        proptest::collection::btree_set("[a-d]{1,2}", 0..6)
            .prop_map(|names| Capabilities(names.iter().map(|name| name.parse().unwrap()).collect()))
    }

    proptest! {
        #[test]
        fn every_set_survives_its_key(set in set()) {
            prop_assert_eq!(Capabilities::from_key(&set.to_key()).unwrap(), set);
        }

        #[test]
        fn a_set_covers_exactly_its_subsets(able in set(), needed in set()) {
            let each_is_there = needed.0.iter().all(|name| able.0.contains(name));
            prop_assert_eq!(able.cover(&needed), each_is_there);
            prop_assert!(able.cover(&able) && able.cover(&Capabilities::default()));
        }
    }

    #[test]
    fn keys_are_sorted_and_strict() {
        assert_eq!(Capabilities::from_key("python,gpu,python").unwrap().to_key(), "gpu,python");
        assert_eq!(Capabilities::default().to_key(), "");
        assert!(Capabilities::from_key("gpu,not a name").is_err());
    }
}
