//! What a meter is told, and what it answers.

use serde::{Deserialize, Serialize};

use super::{
    Amounts, AnswerRoom, Bucket, Credential, Entitlement, Event, Grant, LeaseGrant, MeterKey, MeterName, RateLimit,
    Standing,
};
use crate::{
    api_key::Scope,
    catalogue::Plan,
    id::{ApiKeyId, ReservationId, SessionId},
    time::{Timestamp, millis},
};

/// A request to hold amounts before work starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserve {
    /// The new reservation's id.
    pub id: ReservationId,
    /// What to hold, all or nothing.
    pub amounts: Amounts,
    /// Room for an answer whose length nobody has named, in tokens: what is granted of it is held beside the amounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerRoom>,
    /// The request, to be found again by it should it never be settled.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// Whether it costs money, so that a plan that nobody pays for needs a confirmed address for it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub needs_confirmed: bool,
    /// How long until it expires and counts at its estimate.
    pub ttl_ms: i64,
    /// The API key it came with, to be verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
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

impl Reserve {
    /// The least that has to be there: the fixed amounts, and the shortest answer worth asking for.
    pub fn least(&self) -> Amounts {
        let answer = self.answer.map_or(0, |room| room.least.min(room.wanted));
        Amounts { tokens: self.amounts.tokens.saturating_add(answer), ..self.amounts }
    }
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
    /// The API key it was asked for with.
    #[serde(default, rename = "key", skip_serializing_if = "Option::is_none")]
    pub api_key: Option<ApiKeyId>,
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

impl Settle {
    /// The most micro-dollars one piece of work can cost, eight million dollars: sums of a million of them stay below 2^63.
    pub const MOST_COST: u64 = 1 << 43;

    /// The settle with nothing in it that one piece of work cannot take: amounts above [`Amounts::MOST_AT_ONCE`] become what was
    /// held, which is marked as an estimate, and a cost beyond belief is unknown.
    #[must_use]
    pub fn believable_or(&self, held: Amounts) -> Self {
        let mut settle = self.clone();
        settle.amounts = self.amounts.believable_or(held);
        settle.detail.prompt_tokens = self.detail.prompt_tokens.min(Amounts::MOST_AT_ONCE);
        settle.detail.completion_tokens = self.detail.completion_tokens.min(Amounts::MOST_AT_ONCE);
        settle.detail.cost_microusd = self.detail.cost_microusd.filter(|cost| *cost <= Self::MOST_COST);
        settle.detail.estimated |= settle != *self;
        settle
    }
}

/// What a meter is told to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Take a plan.
    Configure(Entitlement),
    /// Take extra amounts.
    Grant(Grant),
    /// Hold amounts.
    Reserve(Reserve),
    /// Replace a hold by what was used.
    Settle(Settle),
    /// Give a hold back: the work was not done.
    Release(ReservationId),
    /// Expire what is due.
    Expire,
    /// Take a lease from the team's pool.
    Lease(LeaseGrant),
    /// Give back to the team's pool what is neither used nor held.
    ReturnIdle,
    /// The team's pool has nothing left either: refuse, and remember it under the key.
    Refuse(Reserve, Refusal),
    /// Know an API key.
    KnowKey(MeterKey),
    /// Stop an API key from reserving.
    RevokeKey {
        /// Which one.
        key: ApiKeyId,
        /// When nobody can be on the way any more who takes it for good.
        #[serde(with = "millis")]
        until: Timestamp,
    },
    /// Nothing but to look at the clock: a return from a leap is taken in with any command.
    SeeClock,
    /// An operator says that the clock is right: come back to it, also from a leap that was believed.
    ReturnToClock,
    /// Stop a session from reserving.
    RevokeSession {
        /// Which one.
        session: SessionId,
        /// When its last access token expires and the entry can be forgotten.
        #[serde(with = "millis")]
        until: Timestamp,
    },
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
    /// When the trial ends that it is held in; `None` with a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_ends_at: Option<Timestamp>,
}

/// Why nothing was held.
///
/// Those that end by themselves soon ([`Refusal::is_passing`]) are not remembered under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No plan has been pushed to this meter yet.
    NotConfigured,
    /// The session of the token was ended.
    SessionRevoked,
    /// This meter was not told of the API key, or has forgotten it: look it up and tell.
    KeyNotKnown,
    /// The API key was revoked, or its secret is wrong.
    KeyRefused,
    /// The API key may not do this.
    ScopeMissing {
        /// What it would need.
        scope: Scope,
    },
    /// The trial is over.
    TrialExpired {
        /// Since when.
        ended_at: Timestamp,
    },
    /// The plan is not paid any more.
    PaymentRequired {
        /// Which was held.
        plan: Plan,
        /// Since when it is over.
        ended_at: Timestamp,
    },
    /// The work costs money, nobody pays for the plan, and the user's address was not confirmed.
    EmailNotVerified,
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
    /// Requests come too fast.
    RateLimited {
        /// The limit that was reached.
        limit: RateLimit,
        /// Whose requests it counts.
        bucket: Bucket,
        /// When one will be admitted.
        retry_after_ms: u64,
    },
    /// The idempotency key was used before for something else.
    KeyReused,
}

impl Refusal {
    /// Whether the same request may be admitted a moment later without anything being bought: then its retry under the
    /// same key is a new decision.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::NotConfigured
                | Self::SessionRevoked
                | Self::KeyNotKnown
                | Self::KeyRefused
                | Self::ScopeMissing { .. }
                | Self::RateLimited { .. }
                | Self::EmailNotVerified
                | Self::KeyReused
        )
    }
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
    /// The lease is too small: ask the team's pool, then decide again.
    Short {
        /// What has to be there for this reservation.
        needed: Amounts,
    },
    /// Done; also when there was nothing to do.
    Done,
}
