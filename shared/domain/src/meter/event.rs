//! What happened: the entries of the ledger.

use serde::{Deserialize, Serialize};

use super::{Amounts, Bucket, Entitlement, Grant, LeaseGrant, MeterKey, MeterName, Refusal, Settle};
use crate::{
    id::{ApiKeyId, ReservationId, SessionId},
    time::{Timestamp, millis},
};

/// What happened: the body of a ledger entry. The instant stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "data")]
pub enum Event {
    /// A plan was taken.
    Configured(Entitlement),
    /// A grant was taken.
    Granted(Grant),
    /// Amounts were held.
    Reserved {
        /// The reservation.
        id: ReservationId,
        /// What it holds.
        amounts: Amounts,
        /// When it expires.
        #[serde(with = "millis")]
        expires_at: Timestamp,
        /// Digest of the request, where it came with a key.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        fingerprint: String,
        /// The request that it is for: all there is to find it by, should it never be settled.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        request_id: String,
        /// The buckets of rate limits, as they are afterwards.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rates: Vec<(Bucket, i64)>,
    },
    /// A request with an idempotency key was refused; remembered so that its retry gets the same answer.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Digest of the request.
        fingerprint: String,
    },
    /// A hold was replaced by what was used.
    Settled(Settle),
    /// A hold was given back.
    Released {
        /// The reservation.
        id: ReservationId,
    },
    /// A hold that had expired was settled after all: what was really used replaces its estimate.
    SettledLate(Settle),
    /// A hold that had expired was given back after all.
    ReleasedLate {
        /// The reservation.
        id: ReservationId,
    },
    /// A hold was never settled and counts at its estimate.
    Expired {
        /// The reservation.
        id: ReservationId,
        /// Its estimate, which now counts.
        amounts: Amounts,
        /// The request that it was for.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        request_id: String,
    },
    /// A share of a limit was reached for the first time in this period.
    MarkReached {
        /// Which meter.
        meter: MeterName,
        /// 80, 90 or 100.
        percent: u8,
        /// What was used.
        used: u64,
        /// Of what.
        limit: u64,
    },
    /// The team's pool granted a lease.
    Leased(LeaseGrant),
    /// What is idle was given back to the team's pool.
    Returned {
        /// All that was ever given back in the period.
        returned: Amounts,
    },
    /// An API key is known, or ends earlier than was known.
    KeyKnown(MeterKey),
    /// An API key was stopped.
    KeyRevoked {
        /// Which one.
        key: ApiKeyId,
        /// When the entry can be forgotten.
        #[serde(with = "millis")]
        until: Timestamp,
    },
    /// A session was stopped.
    SessionRevoked {
        /// Which one.
        session: SessionId,
        /// When the entry can be forgotten.
        #[serde(with = "millis")]
        until: Timestamp,
    },
    /// The clock is far after the instant that was seen last: what would be had it not leapt is kept until this is believed.
    ClockLeapt {
        /// The instant that was seen last.
        #[serde(with = "millis")]
        from: Timestamp,
    },
    /// The clock has come back.
    ClockReturned {
        /// The instant that was seen last.
        #[serde(with = "millis")]
        from: Timestamp,
    },
}

impl Event {
    /// The name of its kind, as in the ledger's rows.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Configured(_) => "configured",
            Self::Granted(_) => "granted",
            Self::Reserved { .. } => "reserved",
            Self::Refused { .. } => "refused",
            Self::Settled(_) => "settled",
            Self::Released { .. } => "released",
            Self::SettledLate(_) => "settled_late",
            Self::ReleasedLate { .. } => "released_late",
            Self::Expired { .. } => "expired",
            Self::MarkReached { .. } => "mark_reached",
            Self::Leased(_) => "leased",
            Self::Returned { .. } => "returned",
            Self::KeyKnown(_) => "key_known",
            Self::KeyRevoked { .. } => "key_revoked",
            Self::SessionRevoked { .. } => "session_revoked",
            Self::ClockLeapt { .. } => "clock_leapt",
            Self::ClockReturned { .. } => "clock_returned",
        }
    }
}
