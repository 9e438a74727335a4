//! What a pool is told, what it answers, and what it remembers.

use serde::{Deserialize, Serialize};

use crate::{
    id::UserId,
    meter::{Amounts, Entitlement, Grant, LeaseGrant, MeterName, Refusal},
    time::{Timestamp, millis},
};

/// A member's totals in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The number of the member's last ledger entry: of two reports the one with the higher number is the later.
    pub version: u64,
    /// Which period they belong to: its start.
    #[serde(with = "millis")]
    pub period_start: Timestamp,
    /// All that was settled.
    pub settled: Amounts,
    /// All that was given back.
    pub returned: Amounts,
}

/// A member needs more than it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Who.
    pub member: UserId,
    /// Its totals.
    pub report: Report,
    /// What it holds for requests in flight.
    pub reserved: Amounts,
    /// What it has to admit now, beyond that: granted whole or not at all.
    pub needed: Amounts,
    /// What other requests wait for besides: granted as far as there is.
    pub waiting: Amounts,
    /// The member's instant: both must agree on the period.
    #[serde(with = "millis")]
    pub at: Timestamp,
}

/// What a pool is told to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolCommand {
    /// Take a plan.
    Configure(Entitlement),
    /// Take extra amounts.
    Grant(Grant),
    /// Grant a lease.
    Ask(Ask),
    /// Take in a member's totals.
    Report(UserId, Report),
    /// Nothing but to look at the clock: a return from a leap is taken in with any command.
    SeeClock,
    /// An operator says that the clock is right: come back to it, also from a leap that was believed.
    ReturnToClock,
}

/// What happened: the body of a pool's ledger entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "data")]
pub enum PoolEvent {
    /// A plan was taken.
    Configured(Entitlement),
    /// A grant was taken.
    Granted(Grant),
    /// A member's totals were taken in.
    Reported {
        /// Whose.
        member: UserId,
        /// The totals.
        report: Report,
    },
    /// A member was granted a lease.
    Leased {
        /// Who.
        member: UserId,
        /// All that was ever granted to it in the period.
        granted: Amounts,
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
    /// The clock is far after the instant that was seen last, see [`crate::meter::Event::ClockLeapt`].
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

impl PoolEvent {
    /// The name of its kind, as in the ledger's rows.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Configured(_) => "configured",
            Self::Granted(_) => "granted",
            Self::Reported { .. } => "reported",
            Self::Leased { .. } => "leased",
            Self::MarkReached { .. } => "mark_reached",
            Self::ClockLeapt { .. } => "clock_leapt",
            Self::ClockReturned { .. } => "clock_returned",
        }
    }
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolDecision {
    /// The member's lease as it is now.
    Leased(LeaseGrant),
    /// There is too little that is not leased.
    Short {
        /// What to answer when nobody gives anything back.
        refusal: Refusal,
        /// Members that may hold something idle, those with the largest leases first.
        holders: Vec<UserId>,
    },
    /// It can never be had, whatever others give back.
    Refused(Refusal),
    /// Done; also when there was nothing to do.
    Done,
}
