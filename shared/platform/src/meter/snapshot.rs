//! The read copy of a meter's counters in KV: for people to look at, never to decide on.

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    catalogue::{Plan, Product},
    meter::Standing,
    time::Timestamp,
};

/// What is kept under [`Owner::snapshot_key`](super::Owner::snapshot_key).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The product the plan is for.
    pub product: Product,
    /// The plan.
    pub plan: Plan,
    /// Whether the limits are a team's; then its pool's copy tells where they stand.
    pub pooled: bool,
    /// The meters.
    pub standings: Vec<Standing>,
    /// The instant this was true.
    pub as_of: Timestamp,
}
