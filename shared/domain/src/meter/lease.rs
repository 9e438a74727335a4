//! A member's part of a team's quota.
//!
//! The pool hands out amounts for one period; the member's meter decides on its own within them. Every figure that goes
//! between the two is a total since the period began, never a difference, so that a message that is lost, doubled or
//! late does no harm: the larger total is the later one.

use serde::{Deserialize, Serialize};

use super::Amounts;
use crate::time::Period;

/// What the pool grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseGrant {
    /// The period it is for.
    pub period: Period,
    /// All that was ever granted to this member in the period.
    pub granted: Amounts,
    /// What the pool has left for others: shown to people, never decided on.
    pub free: Amounts,
}

/// What a member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The period it is for.
    pub period: Period,
    /// All that was ever granted in the period.
    pub granted: Amounts,
    /// All that was ever given back in the period.
    pub returned: Amounts,
    /// What the pool had left when it was last heard of.
    pub free: Amounts,
}

impl Lease {
    /// What this member may use in the period.
    pub const fn capacity(&self) -> Amounts {
        self.granted.minus(self.returned)
    }

    /// Takes in a grant of the same period.
    pub fn extend(&mut self, grant: &LeaseGrant) {
        self.granted = self.granted.max(grant.granted);
        self.free = grant.free;
    }
}

impl From<&LeaseGrant> for Lease {
    fn from(grant: &LeaseGrant) -> Self {
        Self { period: grant.period, granted: grant.granted, returned: Amounts::ZERO, free: grant.free }
    }
}
