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
    /// Whether the meters are a team's: then what is leased to its members counts as held.
    pub pooled: bool,
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
    /// The API key that it was sent with; `null` for somebody signed in.
    pub api_key_id: Option<String>,
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
            api_key_id: detail.api_key.map(|key| key.to_string()),
        }
    }
}

/// `GET /usage/ledger/verify`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LedgerOut {
    /// Rows there ever were.
    pub rows: u64,
    /// The hash of the last one: keep it, and you can tell later whether the past was changed.
    pub head_hash: String,
    /// Whether every row fits the one before it and all add up to what the meter decides with.
    pub ok: bool,
    /// The first row that does not fit; `null` when all do.
    pub broken_at: Option<u64>,
}

/// Sums over a span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct TotalsOut {
    /// Requests.
    pub requests: u64,
    /// Tokens.
    pub tokens: u64,
    /// E-mails.
    pub emails: u64,
    /// Tokens of prompts.
    pub prompt_tokens: u64,
    /// Tokens of answers.
    pub completion_tokens: u64,
    /// What providers charge, of the models with a known price.
    pub cost_microusd: u64,
    /// Requests of models without a known price: their cost is unknown and in no sum.
    pub unpriced_requests: u64,
}

/// One group of a summary.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SummaryRowOut {
    /// The day (`2026-01-31`), `provider/model`, provider or user.
    pub key: String,
    /// Its sums.
    #[serde(flatten)]
    pub totals: TotalsOut,
}

/// The change against the span of the same length before; `null` where there was nothing before.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TrendOut {
    /// Of the requests, in percent.
    pub requests_percent: Option<i64>,
    /// Of the tokens, in percent.
    pub tokens_percent: Option<i64>,
    /// Of the cost, in percent.
    pub cost_percent: Option<i64>,
    /// The sums of that span.
    pub previous: TotalsOut,
}

/// `GET /usage/summary`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SummaryOut {
    /// The first instant of the span.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The first instant after it.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// All of it.
    pub total: TotalsOut,
    /// Against the span before.
    pub trend: TrendOut,
    /// By group, in order of the key.
    pub data: Vec<SummaryRowOut>,
}

/// A page of a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PageOut<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Pass it as `?cursor=` for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}
