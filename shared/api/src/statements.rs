//! Statements of usage, one a month.

use serde::{Deserialize, Serialize};
use tollgate_domain::time::Timestamp;

/// What one model was used for in a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StatementRowOut {
    /// The product.
    pub product: String,
    /// `provider/model`
    pub model: String,
    /// Requests.
    pub requests: u64,
    /// Tokens that counted.
    pub tokens: u64,
    /// E-mails.
    pub emails: u64,
    /// Tokens of prompts.
    pub prompt_tokens: u64,
    /// Tokens of answers.
    pub completion_tokens: u64,
    /// Micro-dollars of what has a known price.
    pub cost_microusd: u64,
    /// Requests without a known price: their cost is unknown, not 0.
    pub unpriced_requests: u64,
}

/// `GET /usage/statements/{month}`: what a tenant used in a month, as it was added up a day after its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StatementOut {
    /// A month in UTC.
    #[schema(example = "2026-01")]
    pub month: String,
    /// Its first instant.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The first instant after it.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// When it was added up.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// Requests.
    pub requests: u64,
    /// Tokens that counted.
    pub tokens: u64,
    /// E-mails.
    pub emails: u64,
    /// Micro-dollars of what has a known price.
    pub cost_microusd: u64,
    /// Requests without a known price.
    pub unpriced_requests: u64,
    /// By product and model.
    pub rows: Vec<StatementRowOut>,
}

/// A statement in the list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct StatementLineOut {
    /// The month.
    #[schema(example = "2026-01")]
    pub month: String,
    /// When it was added up.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// Requests.
    pub requests: u64,
    /// Tokens that counted.
    pub tokens: u64,
    /// Micro-dollars of what has a known price.
    pub cost_microusd: u64,
}
