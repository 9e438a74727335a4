//! The clients of the `UsageMeter` object (one per user and product) and the `TeamPool` object (one per tenant and
//! product), and what they send through the queue and to KV.
//!
//! An object is addressed by the tenant, user and product of a verified token, never by anything a request says.
//! What is sent is one typed enum for each, [`MeterRequest`] and [`PoolRequest`]; there is no other way in.

mod client;
mod export;
mod object;
mod pending;
mod pool_client;
mod pool_wire;
mod proven;
mod snapshot;
mod ticket;
mod trial_budget;
mod wire;

pub use client::{MeterClient, MeterUnavailable};
pub use export::{ExportBatch, MarkRow, Owner, UsageRow};
pub use object::{ROWS_HEADER, call, call_for};
pub use pool_client::PoolClient;
pub use pool_wire::{PoolReply, PoolRequest};
pub use snapshot::Snapshot;
pub use trial_budget::{LeaseOfTrials, TrialHold, hold as hold_of_trials};
pub use wire::{Answer, End, MeterReply, MeterRequest, Verified, Worked};

/// How long a reservation stands before it expires and counts at its estimate.
pub const RESERVATION_TTL_MS: i64 = 10 * 60 * 1000;

/// How long the work under an idempotency key counts as running after its worker was last heard of.
pub const WORKING_LEASE_MS: i64 = 60 * 1000;
