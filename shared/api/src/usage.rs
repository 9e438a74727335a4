//! Usage: quotas and logs.

use serde::Serialize;
use tollgate_domain::{
    meter::{Amounts, MeterName, Standing, UsageDetail},
    time::Timestamp,
};

/// Where one meter stands.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct MeterOut {
    /// Which: `requests`, `tokens`, `emails`.
    #[schema(value_type = String)]
    pub meter: MeterName,
    /// The plan's limit in this period; `null` without one.
    pub limit: Option<u64>,
    /// Used in this period.
    pub used: u64,
    /// Held by requests in flight.
    pub reserved: u64,
    /// What is left; `null` without a limit.
    pub remaining: Option<u64>,
    /// When it starts again; for a trial, when it ends.
    #[schema(value_type = String, format = DateTime)]
    pub resets_at: Timestamp,
    /// The used share, rounded down; `null` without a limit.
    pub percent: Option<u64>,
    /// The highest of 80, 90 and 100 that is reached.
    pub warning: Option<u8>,
    /// Used beyond the limit, where the plan bills that instead of stopping; 0 otherwise.
    pub overage: u64,
}

impl From<Standing> for MeterOut {
    fn from(standing: Standing) -> Self {
        Self {
            meter: standing.meter,
            limit: standing.limit,
            used: standing.used,
            reserved: standing.reserved,
            remaining: standing.remaining(),
            resets_at: standing.resets_at,
            percent: standing.percent(),
            warning: standing.warning(),
            overage: standing.overage(),
        }
    }
}

/// `GET /usage/quota`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct QuotaOut {
    /// One for each meter of the plan.
    pub data: Vec<MeterOut>,
    /// The product the plan is for.
    pub product: String,
    /// The plan.
    pub plan: String,
    /// The instant this was true.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
}

/// One settled reservation.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct UsageLogOut {
    /// `res_…`
    pub id: String,
    /// When it was settled.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who.
    pub user_id: String,
    /// The function that did the work.
    pub function: String,
    /// `provider/model`
    pub model: String,
    /// Requests counted.
    pub requests: u64,
    /// Tokens counted.
    pub tokens: u64,
    /// E-mails counted.
    pub emails: u64,
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub completion_tokens: u64,
    /// Whether the tokens are an estimate because the provider sent no usage.
    pub estimated: bool,
    /// What the provider charges; `null` when the model has no known price.
    pub cost_microusd: Option<u64>,
    /// The request.
    pub request_id: String,
    /// `completed`, `cut`, `client_gone` or `failed`; `expired` for work that was never settled.
    pub outcome: String,
}

impl UsageLogOut {
    /// A row of a user's log.
    pub fn new(id: String, at: Timestamp, user_id: String, amounts: Amounts, detail: UsageDetail) -> Self {
        Self {
            id,
            at,
            user_id,
            function: detail.function,
            model: detail.model,
            requests: amounts.requests,
            tokens: amounts.tokens,
            emails: amounts.emails,
            prompt_tokens: detail.prompt_tokens,
            completion_tokens: detail.completion_tokens,
            estimated: detail.estimated,
            cost_microusd: detail.cost_microusd,
            request_id: detail.request_id,
            outcome: detail.outcome,
        }
    }
}

/// A page of a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PageOut<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Pass it as `?cursor=` for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}
