//! The fencing token: which claim of which order a write belongs to.
//!
//! Kleppmann, "How to do distributed locking", 2016: a lease alone cannot stop a stalled holder; a number that grows with
//! every claim, checked at the record, can.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::OrderId;

/// How often an order has been claimed. Minted by SQL in the claim, never by a worker; 0 means never claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = i64))]
pub struct Epoch(pub i64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The right to write about an order: valid while the record still shows this epoch and the order is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Fence {
    /// The order that was claimed.
    pub order_id: OrderId,
    /// The epoch it was claimed with.
    pub epoch: Epoch,
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.order_id, self.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_names_its_order_and_epoch() {
        let fence = Fence { order_id: OrderId(uuid::Uuid::nil()), epoch: Epoch(7) };
        assert_eq!(fence.to_string(), "00000000-0000-0000-0000-000000000000@7");
        let json = serde_json::to_value(fence).unwrap();
        assert_eq!(json, serde_json::json!({"order_id": fence.order_id, "epoch": 7}));
        assert!(Epoch::default() < fence.epoch, "an order that was never claimed has the lowest epoch");
    }
}
