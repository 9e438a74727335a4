//! What goes over the wire to a team's pool.

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    id::UserId,
    meter::{Entitlement, Grant, LeaseGrant, Refusal, Standing},
    pool::{Ask, Report},
    time::{Timestamp, millis},
};

use super::{export::Owner, wire::Verified};

/// What a pool object is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolRequest {
    /// Take a plan.
    Configure {
        /// Whose pool this is: an object does not know its own name.
        owner: Owner,
        /// The plan.
        entitlement: Entitlement,
    },
    /// Take extra amounts.
    Grant(Grant),
    /// A member needs more.
    Ask(Ask),
    /// A member's totals.
    Report(UserId, Report),
    /// Where the team stands.
    Standing,
    /// The analytics copy has the rows after the first and up to the second number of each pair.
    Exported(Vec<(u64, u64)>),
    /// Walk the ledger.
    Verify,
    /// The clock is right, says an operator: come back to it.
    ReturnToClock,
    /// The tenant is deleted: forget everything.
    Delete,
}

/// What a pool object answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolReply {
    /// To `Ask`: the member's lease as it is now.
    Leased(LeaseGrant),
    /// To `Ask`: nothing is left, nor idle with any member.
    Refused(Refusal),
    /// To everything that has no answer of its own.
    Done,
    /// To `Standing`; no entitlement when none was pushed yet.
    Standing {
        /// The plan.
        entitlement: Option<Entitlement>,
        /// The meters.
        standings: Vec<Standing>,
        /// The instant this was true.
        #[serde(with = "millis")]
        as_of: Timestamp,
    },
    /// To `Verify`.
    Verified(Verified),
    /// The object could not do it; its log knows why.
    Failed,
}
