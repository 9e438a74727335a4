//! What a tenant used in a month, as it was when the month was over.

use serde::Deserialize;
use tollgate_domain::{
    id::TenantId,
    month::Month,
    time::{Period, Timestamp},
};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[SUMS, ADD, ONE, LIST];

// As usage_reports adds up: hours that are rolled up from there, the others from the events.
const SUMS: Statement = Statement {
    name: "usage_statements.sums",
    sql: "WITH hours AS ( \
            SELECT h.product, h.model, h.requests, h.tokens, h.emails, h.prompt_tokens, h.completion_tokens, h.cost_microusd, \
                   h.unpriced \
            FROM usage_hourly h \
            WHERE h.tenant_id = ?1 AND h.hour >= ?2 AND h.hour < ?3 \
              AND NOT EXISTS (SELECT 1 FROM usage_dirty_hours d WHERE d.tenant_id = ?1 AND d.hour = h.hour) \
            UNION ALL \
            SELECT u.product, u.model, u.requests, u.tokens, u.emails, u.prompt_tokens, u.completion_tokens, \
                   coalesce(u.cost_microusd, 0), iif(u.cost_microusd IS NULL, u.requests, 0) \
            FROM usage_dirty_hours d \
            JOIN usage_events u ON u.tenant_id = ?1 AND u.at >= d.hour AND u.at < d.hour + 3600000 \
            WHERE d.tenant_id = ?1 AND d.hour >= ?2 AND d.hour < ?3 AND u.superseded = 0) \
          SELECT product, model, sum(requests) AS requests, sum(tokens) AS tokens, sum(emails) AS emails, \
            sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens, \
            sum(cost_microusd) AS cost_microusd, sum(unpriced) AS unpriced \
          FROM hours GROUP BY product, model ORDER BY product, model LIMIT 1000",
};
// The first is kept: it was told.
const ADD: Statement = Statement {
    name: "usage_statements.add",
    sql: "INSERT OR IGNORE INTO usage_statements (tenant_id, month, made_at, body) VALUES (?1, ?2, ?3, ?4)",
};
const ONE: Statement = Statement {
    name: "usage_statements.one",
    sql: "SELECT month, made_at, body FROM usage_statements WHERE tenant_id = ?1 AND month = ?2",
};
const LIST: Statement = Statement {
    name: "usage_statements.list",
    sql: "SELECT month, made_at, body FROM usage_statements WHERE tenant_id = ?1 AND (?2 IS NULL OR month < ?2) \
          ORDER BY month DESC LIMIT ?3",
};

/// What one model was used for in a product.
#[derive(Debug, Clone, Deserialize)]
pub struct SumRow {
    /// The product.
    pub product: String,
    /// `provider/model`
    pub model: String,
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
    /// Micro-dollars of what has a known price.
    pub cost_microusd: u64,
    /// Requests without a known price.
    pub unpriced: u64,
}

/// A statement as it is stored.
#[derive(Debug, Clone, Deserialize)]
pub struct StatementRow {
    /// Its month.
    pub month: String,
    /// Milliseconds.
    pub made_at: i64,
    /// JSON.
    pub body: String,
}

/// Adds up a span of whole hours, by product and model.
///
/// # Errors
/// When the database cannot be read.
pub async fn sums(scope: &Scope, tenant: TenantId, span: Period) -> Result<Vec<SumRow>, StoreError> {
    let params = [Param::Int(span.start.as_millis()), Param::Int(span.end.as_millis())];
    TenantDb::of(scope, tenant)?.all(SUMS, &params).await
}

/// Keeps a statement, unless the month has one.
///
/// # Errors
/// When the database cannot be written.
pub async fn add(scope: &Scope, tenant: TenantId, month: Month, now: Timestamp, body: &str) -> Result<(), StoreError> {
    let params = [Param::Text(&month.to_string()), Param::Int(now.as_millis()), Param::Text(body)];
    TenantDb::of(scope, tenant)?.run(ADD, &params).await.map(drop)
}

/// The statement of a month.
///
/// # Errors
/// When the database cannot be read.
pub async fn one(scope: &Scope, tenant: TenantId, month: Month) -> Result<Option<StatementRow>, StoreError> {
    TenantDb::of(scope, tenant)?.first(ONE, &[Param::Text(&month.to_string())]).await
}

/// Statements, newest first, of months before one.
///
/// # Errors
/// When the database cannot be read.
pub async fn list(
    scope: &Scope,
    tenant: TenantId,
    before: Option<Month>,
    limit: u32,
) -> Result<Vec<StatementRow>, StoreError> {
    let before = before.map(|month| month.to_string());
    TenantDb::of(scope, tenant)?.all(LIST, &[before.as_deref().into(), Param::Int(i64::from(limit))]).await
}
