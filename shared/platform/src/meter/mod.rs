//! The client of the `UsageMeter` object: one object per user and product.
//!
//! An object is addressed by the tenant, user and product of a verified token, never by anything a request says.
//! What is sent is one typed enum, [`MeterRequest`]; there is no other way in.

mod client;
mod pending;
mod wire;

pub use client::{MeterClient, MeterUnavailable};
pub use wire::{Answer, End, LogRow, MeterReply, MeterRequest, Worked};

/// How long a reservation stands before it expires and counts at its estimate.
pub const RESERVATION_TTL_MS: i64 = 10 * 60 * 1000;

/// How long the work under an idempotency key counts as running after its worker was last heard of.
pub const WORKING_LEASE_MS: i64 = 60 * 1000;
