//! What a meter is told, what it answers, and what it remembers.

use serde::{Deserialize, Serialize};

use super::{Amounts, Limits, MeterName};
use crate::{
    catalogue::{Plan, Product},
    id::{ReservationId, SessionId},
    time::{Period, Timestamp, millis, monthly_period},
    trial::Trial,
};

/// When a plan's counters start again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Terms {
    /// One span, and after it nothing is admitted until a plan is bought.
    Trial(Trial),
    /// Monthly periods from the anchor, see [`monthly_period`].
    Monthly {
        /// When the subscription began.
        #[serde(with = "millis")]
        anchor: Timestamp,
    },
}

impl Terms {
    /// The period around an instant. A trial's is always its whole span.
    pub fn period(&self, now: Timestamp) -> Period {
        match *self {
            Self::Trial(trial) => Period { start: trial.started_at, end: trial.ends_at },
            Self::Monthly { anchor } => monthly_period(anchor, now),
        }
    }
}

/// What a user may use: pushed to the meter by billing, with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    /// Rises with every change; a push with a lower or equal one is ignored.
    pub version: u64,
    /// The product it is for.
    pub product: Product,
    /// The plan held.
    pub plan: Plan,
    /// What the plan includes.
    pub limits: Limits,
    /// When counters start again, and when a trial ends.
    pub terms: Terms,
}

/// A request to hold amounts before work starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserve {
    /// The new reservation's id.
    pub id: ReservationId,
    /// What to hold, all or nothing.
    pub amounts: Amounts,
    /// How long until it expires and counts at its estimate.
    pub ttl_ms: i64,
    /// The session of the access token, so that a revoked one stops at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The client's `Idempotency-Key`, if it sent one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A digest of what was asked, to tell a retry from another request under the same key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
}

/// What a settled reservation was used for: the row of `GET /usage/logs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UsageDetail {
    /// The function that did the work, such as `chat`.
    #[serde(rename = "fn")]
    pub function: String,
    /// `provider/model`.
    pub model: String,
    /// Tokens of the prompt.
    #[serde(rename = "in")]
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    #[serde(rename = "out")]
    pub completion_tokens: u64,
    /// Whether the tokens are an estimate because the provider sent no usage.
    #[serde(default, rename = "est")]
    pub estimated: bool,
    /// What the provider charges, in micro-dollars; `None` for a model without a price, never 0 for it.
    #[serde(default, rename = "cost", skip_serializing_if = "Option::is_none")]
    pub cost_microusd: Option<u64>,
    /// The request that caused it.
    #[serde(rename = "req")]
    pub request_id: String,
    /// How it ended: `completed`, `cut`, `client_gone`, `failed`.
    #[serde(rename = "end")]
    pub outcome: String,
}

/// The end of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settle {
    /// Which one.
    pub id: ReservationId,
    /// What was really used; may exceed what was held, and is then recorded in full.
    pub amounts: Amounts,
    /// What for.
    pub detail: UsageDetail,
}

/// What a meter is told to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Take a plan.
    Configure(Entitlement),
    /// Hold amounts.
    Reserve(Reserve),
    /// Replace a hold by what was used.
    Settle(Settle),
    /// Give a hold back: the work was not done.
    Release(ReservationId),
    /// Expire what is due.
    Expire,
    /// Stop a session from reserving.
    RevokeSession {
        /// Which one.
        session: SessionId,
        /// When its last access token expires and the entry can be forgotten.
        #[serde(with = "millis")]
        until: Timestamp,
    },
}

/// What happened: the body of a ledger entry. The instant stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "data")]
pub enum Event {
    /// A plan was taken.
    Configured(Entitlement),
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
    },
    /// A session was stopped.
    SessionRevoked {
        /// Which one.
        session: SessionId,
        /// When the entry can be forgotten.
        #[serde(with = "millis")]
        until: Timestamp,
    },
}

impl Event {
    /// The name of its kind, as in the ledger's rows.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Configured(_) => "configured",
            Self::Reserved { .. } => "reserved",
            Self::Refused { .. } => "refused",
            Self::Settled(_) => "settled",
            Self::Released { .. } => "released",
            Self::SettledLate(_) => "settled_late",
            Self::ReleasedLate { .. } => "released_late",
            Self::Expired { .. } => "expired",
            Self::SessionRevoked { .. } => "session_revoked",
        }
    }
}

/// Where one meter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Which.
    pub meter: MeterName,
    /// The plan's limit; `None` without one.
    pub limit: Option<u64>,
    /// Settled in this period, expired holds included.
    pub used: u64,
    /// Held at the moment.
    pub reserved: u64,
    /// When the counter starts again.
    pub resets_at: Timestamp,
}

impl Standing {
    /// What may still be taken; `None` without a limit.
    pub fn remaining(&self) -> Option<u64> {
        self.limit.map(|limit| limit.saturating_sub(self.used.saturating_add(self.reserved)))
    }

    /// The used share in whole percent, rounded down; `None` without a limit.
    pub fn percent(&self) -> Option<u64> {
        self.limit.map(|limit| {
            let share = u128::from(self.used) * 100 / u128::from(limit.max(1));
            u64::try_from(share).unwrap_or(u64::MAX)
        })
    }

    /// The highest of the marks 80, 90 and 100 that is reached.
    pub fn warning(&self) -> Option<u64> {
        let percent = self.percent()?;
        [100, 90, 80].into_iter().find(|mark| percent >= *mark)
    }
}

/// A hold was granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    /// The hold.
    pub id: ReservationId,
    /// What it holds.
    pub amounts: Amounts,
    /// Where the meters stand, this hold included.
    pub standing: Vec<Standing>,
}

/// Why nothing was held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No plan has been pushed to this meter yet.
    NotConfigured,
    /// The session of the token was ended.
    SessionRevoked,
    /// The trial is over.
    TrialExpired {
        /// Since when.
        ended_at: Timestamp,
    },
    /// The plan does not have this meter.
    NotIncluded {
        /// Which.
        meter: MeterName,
        /// The plan.
        plan: Plan,
    },
    /// A limit would be exceeded.
    QuotaExceeded {
        /// Where the meter stands that has too little left.
        standing: Standing,
        /// What was asked of it.
        requested: u64,
        /// The plan.
        plan: Plan,
    },
    /// The idempotency key was used before for something else.
    KeyReused,
}

/// What was decided under an idempotency key before, as the shell found it in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prior {
    /// When.
    pub at: Timestamp,
    /// The entry: `Reserved` or `Refused`.
    pub event: Event,
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// A new hold.
    Admitted(Admitted),
    /// The same key was admitted before: the same hold, no second charge.
    AdmittedBefore(Admitted),
    /// Nothing is held.
    Refused(Refusal),
    /// Done; also when there was nothing to do.
    Done,
}
