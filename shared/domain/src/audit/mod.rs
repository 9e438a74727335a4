//! The audit log: who did what, to what, from where, and whether it worked.
//!
//! One chain for each tenant, append-only, each entry hashing the one before it with [`crate::ledger::Hash`]. It begins
//! with the tenant's id, so that one tenant's chain does not pass for another's:
//!
//! ```text
//! hash(0) = SHA-256( 32 zero bytes ‖ 0 ‖ 0 ‖ "audit <tenant id>" )
//! hash(n) = SHA-256( hash(n-1) ‖ seq ‖ at ‖ body )            as in the ledger
//! ```
//!
//! A body is the entry as JSON. It is hashed and stored as text and never written again from what was read: entries of
//! earlier releases verify, also when this one no longer knows an action in them.
//!
//! A chain alone shows that nothing in it was changed, not that its end was not cut off: for that the head is kept apart
//! ([`Head`]), in an export or another store, and the chain is verified against it.

mod action;
mod chain;
mod entry;

pub use action::Action;
pub use chain::{Head, Stored, Verdict, Walk, append, verify};
pub use entry::{Actor, Entry, MAX_BODY_BYTES, Outcome, Source, Target};
