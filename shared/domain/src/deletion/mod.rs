//! Deleting a user: what is done in which order, and the proof that is left.
//!
//! ```text
//! requested ─unlist▶ unlisted ─stop▶ stopped ─end billing▶ unbilled ─empty objects▶ emptied ─clear copies▶ cleared
//!   ─erase rows▶ erased ─prove▶ proven
//! ```
//!
//! One deletion is one row for each tenant that the user was ever in. A step is done from its start again until it is known to
//! be done: each does no harm when it is done twice. From `requested` on nobody signs in, whatever becomes of the rest: the
//! user's row is gone in the same transaction. Whoever drives a deletion asks [`State::step`] what is next and stores
//! [`State::after`] when it is done; it is driven by the request that asked for it, and by a schedule until it is proven.

mod proof;

pub use proof::{Proof, Removed, subject};

/// Where something about a user is kept. Whoever adds a store adds it here; the compiler leads to what deletes from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    /// Rows of the databases.
    D1,
    /// `UsageMeter` objects.
    UsageMeter,
    /// `TeamPool` objects.
    TeamPool,
    /// Read copies of counters.
    Kv,
}

impl Store {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::D1, Self::UsageMeter, Self::TeamPool, Self::Kv];

    /// Its name in a proof.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::D1 => "d1",
            Self::UsageMeter => "usage_meter",
            Self::TeamPool => "team_pool",
            Self::Kv => "kv",
        }
    }

    /// The step that deletes from it.
    pub const fn step(self) -> Step {
        match self {
            Self::D1 => Step::EraseRows,
            Self::UsageMeter | Self::TeamPool => Step::EmptyObjects,
            Self::Kv => Step::ClearCopies,
        }
    }
}

/// How much of a tenant goes with a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it: nobody else is in it.
    Tenant,
    /// The user alone. The team keeps what it is billed for, under a pseudonym.
    Member,
}

impl Extent {
    /// Its name, as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Member => "member",
        }
    }

    /// The extent of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Tenant, Self::Member].into_iter().find(|extent| extent.as_str() == name)
    }
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The sign-in name and what names the address, in every database; a row for each other tenant of the user's.
    Unlist,
    /// Sessions and keys, in the meters: those that were opened while the deletion was asked for, too.
    Stop,
    /// What others bill: a subscription that the user alone holds ends.
    EndBilling,
    /// Objects. What a team is billed for is copied first; work that goes on is waited for, ten minutes at most: then it
    /// expires.
    EmptyObjects,
    /// Copies in KV.
    ClearCopies,
    /// Rows.
    EraseRows,
    /// An entry in the tenant's log, and the proof.
    Prove,
}

/// How far a deletion has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nobody signs in any more.
    Requested,
    /// The address is nobody's.
    Unlisted,
    /// No session and no key is let in by a meter.
    Stopped,
    /// Nothing is billed any more.
    Unbilled,
    /// The objects hold nothing.
    Emptied,
    /// Nor does KV.
    Cleared,
    /// Nor do the databases.
    Erased,
    /// It is done.
    Proven,
}

impl State {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::Requested,
        Self::Unlisted,
        Self::Stopped,
        Self::Unbilled,
        Self::Emptied,
        Self::Cleared,
        Self::Erased,
        Self::Proven,
    ];

    /// Its name, as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Unlisted => "unlisted",
            Self::Stopped => "stopped",
            Self::Unbilled => "unbilled",
            Self::Emptied => "emptied",
            Self::Cleared => "cleared",
            Self::Erased => "erased",
            Self::Proven => "proven",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// What is to be done; `None` when all is.
    pub const fn step(self) -> Option<Step> {
        match self {
            Self::Requested => Some(Step::Unlist),
            Self::Unlisted => Some(Step::Stop),
            Self::Stopped => Some(Step::EndBilling),
            Self::Unbilled => Some(Step::EmptyObjects),
            Self::Emptied => Some(Step::ClearCopies),
            Self::Cleared => Some(Step::EraseRows),
            Self::Erased => Some(Step::Prove),
            Self::Proven => None,
        }
    }

    /// Where a step leads.
    pub const fn after(step: Step) -> Self {
        match step {
            Step::Unlist => Self::Unlisted,
            Step::Stop => Self::Stopped,
            Step::EndBilling => Self::Unbilled,
            Step::EmptyObjects => Self::Emptied,
            Step::ClearCopies => Self::Cleared,
            Step::EraseRows => Self::Erased,
            Step::Prove => Self::Proven,
        }
    }
}

/// The tenants that a user was in, out of the directory's note of those before: each once, without the one it is in now.
pub fn others(now: crate::id::TenantId, home: Option<crate::id::TenantId>, former: &str) -> Vec<crate::id::TenantId> {
    let mut found: Vec<_> =
        former.split_ascii_whitespace().filter_map(|id| id.parse().ok()).chain(home).filter(|id| *id != now).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TenantId;

    #[test]
    fn each_state_leads_to_the_next_and_the_last_to_none() {
        for pair in State::ALL.windows(2) {
            let step = pair[0].step().unwrap();
            assert_eq!(State::after(step), pair[1]);
        }
        assert_eq!(State::Proven.step(), None);
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        assert_eq!(State::parse("done"), None);
    }

    /// Nobody is let in again by what is emptied later, and no copy outlives its original.
    #[test]
    fn the_order_is_the_one_that_is_safe() {
        let at = |step| State::ALL.iter().position(|state| state.step() == Some(step)).unwrap();
        assert_eq!(at(Step::Unlist), 0);
        assert!(at(Step::Stop) < at(Step::EmptyObjects) && at(Step::EmptyObjects) < at(Step::ClearCopies));
        assert!(at(Step::EmptyObjects) < at(Step::EraseRows), "what is billed is copied before it is counted");
        for store in Store::ALL {
            assert!(at(store.step()) < at(Step::Prove), "{}", store.as_str());
        }
    }

    #[test]
    fn every_tenant_of_before_is_found_once() {
        let [a, b, c] = [1, 2, 3].map(|byte| TenantId::from_bytes([byte; 16]));
        assert_eq!(others(a, None, ""), []);
        assert_eq!(others(a, Some(b), &format!(" {c} {a} {b} nonsense {c}")), [b, c]);
    }
}
