//! What goes over the wire between a function and a meter object.

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    id::{ApiKeyId, ReservationId, SessionId},
    ledger::Hash,
    meter::{Credential, Decision, Entitlement, Grant, LeaseGrant, MeterKey, Refusal, Reserve, Settle, Standing},
    pool::Report,
    time::{Timestamp, millis},
};

use super::export::{Owner, UsageRow};

/// An answer kept under an idempotency key, so that a retry is the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// The body as it was sent.
    pub body: String,
    /// `X-Tollgate-Cost-Microusd`, where it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_microusd: Option<u64>,
}

/// How a reservation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The work was done.
    Settle {
        /// What it took.
        settle: Settle,
        /// What was answered, where the request had an idempotency key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<Answer>,
    },
    /// The work was not done; nothing is charged.
    Release {
        /// Which reservation.
        id: ReservationId,
        /// Who gives it back: see [`MeterRequest::Working`]. One whose work was taken over has nothing to give back.
        attempt: ReservationId,
        /// The request's idempotency key: it may be used for another try.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// What to answer those who wait for the same key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<Answer>,
    },
}

/// What a meter object is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeterRequest {
    /// Take in what ended, then decide what begins.
    Work {
        /// Reservations that ended.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ends: Vec<End>,
        /// Some to begin; one alone, where it has an idempotency key.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reserves: Vec<Reserve>,
    },
    /// The work of a reservation with an idempotency key is still going on. Who is not heard of for
    /// [`WORKING_LEASE_MS`](super::WORKING_LEASE_MS) is taken for lost, and the next retry carries the work out.
    Working {
        /// Which reservation.
        id: ReservationId,
        /// Who works on it: the id that this caller proposed in its own reserve.
        attempt: ReservationId,
    },
    /// Take a plan.
    Configure {
        /// Whose meter this is: an object does not know its own name.
        owner: Owner,
        /// The plan.
        entitlement: Entitlement,
    },
    /// Take extra amounts.
    Grant(Grant),
    /// The team's pool has nothing left: give back what is idle.
    Recall(LeaseGrant),
    /// The analytics copy has the rows after the first and up to the second number of each pair.
    Exported(Vec<(u64, u64)>),
    /// Is this key good? Asked before much is read of whoever holds it.
    Prove(Credential),
    /// Walk the ledger.
    Verify {
        /// The session that asks, where one does.
        session: Option<SessionId>,
    },
    /// The clock is right, says an operator: come back to it.
    ReturnToClock,
    /// The user is deleted: forget everything.
    Delete,
    /// Know API keys.
    KnowKeys(Vec<MeterKey>),
    /// Stop API keys.
    RevokeKeys {
        /// Which.
        keys: Vec<ApiKeyId>,
        /// Until when they are remembered as stopped.
        #[serde(with = "millis")]
        until: Timestamp,
    },
    /// Stop a session.
    RevokeSession {
        /// Which.
        session: SessionId,
        /// When it can be forgotten.
        #[serde(with = "millis")]
        until: Timestamp,
    },
    /// Where the meters stand.
    Standing {
        /// The session that asks, where one does.
        session: Option<SessionId>,
    },
    /// What the analytics copy does not have yet, oldest first.
    Unexported {
        /// The session that asks, where one does.
        session: Option<SessionId>,
    },
}

/// The answer to a reserve of [`MeterRequest::Work`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Worked {
    /// The decision. Admitted, or admitted before and up to this caller to carry out.
    Decided(Decision),
    /// The same key was answered before.
    Replayed(Answer),
    /// The same key is being answered and that takes long.
    InProgress,
    /// The same key was answered, but the answer was too large to keep.
    NotKept,
}

/// The result of a walk over a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Rows there ever were.
    pub rows: u64,
    /// The hash of the last one.
    pub head: Hash,
    /// The first row that does not fit the one before it; `None` when the chain is whole.
    pub broken_at: Option<u64>,
    /// Whether the rows add up to what the object decides with.
    pub adds_up: bool,
}

/// What a meter object answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeterReply {
    /// To `Work`: one for each reserve.
    Worked(Vec<Worked>),
    /// To everything that has no answer of its own.
    Done,
    /// The session that asks was ended.
    SessionRevoked,
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
    /// To `Unexported`.
    Unexported {
        /// The rows.
        rows: Vec<UsageRow>,
        /// All rows up to this one are in the analytics copy.
        confirmed: u64,
    },
    /// To `Prove`: why it is not, or `None`.
    Proven(Option<Refusal>),
    /// To `Recall`; `None` from a meter that has no part in a team.
    Recalled(Option<Report>),
    /// To `Verify`.
    Verified(Verified),
    /// The object could not do it; its log knows why.
    Failed,
}
