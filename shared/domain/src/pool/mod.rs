//! A team's quota: one pool that hands leases to its members' meters.
//!
//! Decisions stay with the members' own objects, so a team is not bound to the speed of one object, and
//! `settled + leased <= limit` keeps it exact: what is leased to one member cannot be leased to another.
//!
//! ```text
//!   member                          pool
//!     │  ask (needs, its totals)      │   settled + leased + lease <= limit?
//!     ├──────────────────────────────▶│── yes ─▶ lease: what is needed, and a share for later
//!     │◀──────────────────────────────┤
//!     │                               │── no ──▶ recall what other members hold idle, then decide again
//!     │  report (its totals)          │
//!     ├──────────────────────────────▶│   what was settled and given back
//! ```
//!
//! Invariants, with property tests in `tests.rs` over lost, doubled and late messages:
//! 1. When a lease is granted, `settled + leased <= limit + grants` holds on every meter.
//! 2. What all members have settled and hold never exceeds what the pool has counted as settled and leased.
//! 3. Nobody is refused while another member holds anything idle: a refusal comes only after all were asked.
//! 4. Replaying the entries from nothing gives the state.
//!
//! Every figure in a message is a total since the period began, with the member's ledger number as its version: the
//! higher one is the later one.

mod command;
mod decide;
mod leap;
mod state;

#[cfg(test)]
mod tests;

pub use command::{Ask, PoolCommand, PoolDecision, PoolEvent, Report};
pub use state::{Member, PoolState};
