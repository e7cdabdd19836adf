//! Names of keys in Redis. Every key of one namespace has the same hash tag, so that a namespace is one Cluster slot.

use shopfloor_domain::Name;

/// The keys of one namespace. Several Shopfloors may share a server under different names.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(namespace: &Name) -> Self {
        Self { prefix: format!("shopfloor:{{{namespace}}}:") }
    }

    /// What every key begins with; the one key that every move declares.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Set when the queue is complete.
    pub(super) fn generation(&self) -> String {
        format!("{}generation", self.prefix)
    }

    /// What orders bring along where there is no record to keep it.
    pub(super) fn luggage(&self) -> String {
        format!("{}luggage", self.prefix)
    }

    /// Where the workers of one process are called.
    pub(super) fn bell(&self, instance: &str) -> String {
        format!("{}bell:{instance}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_namespace_share_a_hash_tag() {
        let keys = Keys::new(&Name::DEFAULT);
        for key in [keys.prefix().to_owned(), keys.generation(), keys.luggage(), keys.bell("x")] {
            assert!(key.starts_with("shopfloor:{default}:"), "{key}");
        }
    }
}
