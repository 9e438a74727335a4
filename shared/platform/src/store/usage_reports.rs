//! Reading the analytics copy: logs, summaries, roll-ups.

use serde::Deserialize;
use tollgate_domain::{
    id::{TenantId, UserId},
    time::{Period, Timestamp},
};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[
    LOGS,
    SUMMARY_BY_DAY,
    SUMMARY_BY_MODEL,
    SUMMARY_BY_PROVIDER,
    SUMMARY_BY_USER,
    ROLL_UP_CLEAR,
    ROLL_UP,
    ROLL_UP_DONE,
];

/// Milliseconds of an hour.
pub const HOUR_MS: i64 = 3_600_000;

const LOGS: Statement = Statement {
    name: "usage_reports.logs",
    sql: "SELECT at, reservation_id, user_id, product, function, provider, model, requests, tokens, emails, prompt_tokens, \
            completion_tokens, estimated, cost_microusd, request_id, outcome, api_key_id, seq \
          FROM usage_events \
          WHERE tenant_id = ?1 AND superseded = 0 AND product = ?2 AND (?3 IS NULL OR user_id = ?3) \
            AND at >= ?4 AND at <= ?5 AND (at < ?5 OR reservation_id < ?6) \
          ORDER BY at DESC, reservation_id DESC LIMIT ?7",
};

// Hours that are rolled up are read from there, the others from the events: a summary is never behind.
macro_rules! summary {
    ($name:literal, $key:literal) => {
        Statement {
            name: $name,
            sql: concat!(
                "WITH hours AS ( \
                   SELECT h.hour, h.user_id, h.provider, h.model, h.requests, h.tokens, h.emails, h.prompt_tokens, \
                          h.completion_tokens, h.cost_microusd, h.unpriced \
                   FROM usage_hourly h \
                   WHERE h.tenant_id = ?1 AND h.product = ?2 AND h.hour >= ?3 AND h.hour < ?4 AND (?5 IS NULL OR h.user_id = ?5) \
                     AND NOT EXISTS (SELECT 1 FROM usage_dirty_hours d WHERE d.tenant_id = ?1 AND d.hour = h.hour) \
                   UNION ALL \
                   SELECT d.hour, u.user_id, u.provider, u.model, u.requests, u.tokens, u.emails, u.prompt_tokens, \
                          u.completion_tokens, coalesce(u.cost_microusd, 0), iif(u.cost_microusd IS NULL, u.requests, 0) \
                   FROM usage_dirty_hours d \
                   JOIN usage_events u ON u.tenant_id = ?1 AND u.at >= d.hour AND u.at < d.hour + 3600000 \
                   WHERE d.tenant_id = ?1 AND d.hour >= ?3 AND d.hour < ?4 \
                     AND u.product = ?2 AND u.superseded = 0 AND (?5 IS NULL OR u.user_id = ?5)) \
                 SELECT ",
                $key,
                " AS key, sum(requests) AS requests, sum(tokens) AS tokens, sum(emails) AS emails, \
                   sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens, \
                   sum(cost_microusd) AS cost_microusd, sum(unpriced) AS unpriced \
                 FROM hours GROUP BY 1 ORDER BY 1 LIMIT 1000"
            ),
        }
    };
}

const SUMMARY_BY_DAY: Statement =
    summary!("usage_reports.summary_by_day", "strftime('%Y-%m-%d', hour / 1000, 'unixepoch')");
const SUMMARY_BY_MODEL: Statement = summary!("usage_reports.summary_by_model", "model");
const SUMMARY_BY_PROVIDER: Statement = summary!("usage_reports.summary_by_provider", "provider");
const SUMMARY_BY_USER: Statement = summary!("usage_reports.summary_by_user", "user_id");

const ROLL_UP_CLEAR: Statement = Statement {
    name: "usage_reports.roll_up_clear",
    sql: "DELETE FROM usage_hourly WHERE tenant_id = ?1 AND hour = ?2",
};
const ROLL_UP: Statement = Statement {
    name: "usage_reports.roll_up",
    sql: "INSERT INTO usage_hourly (tenant_id, hour, user_id, product, provider, model, requests, tokens, emails, \
            prompt_tokens, completion_tokens, cost_microusd, unpriced) \
          SELECT ?1, ?2, user_id, product, provider, model, sum(requests), sum(tokens), sum(emails), sum(prompt_tokens), \
            sum(completion_tokens), sum(coalesce(cost_microusd, 0)), sum(iif(cost_microusd IS NULL, requests, 0)) \
          FROM usage_events WHERE tenant_id = ?1 AND at >= ?2 AND at < ?2 + 3600000 AND superseded = 0 \
          GROUP BY user_id, product, provider, model",
};
const ROLL_UP_DONE: Statement = Statement {
    name: "usage_reports.roll_up_done",
    sql: "DELETE FROM usage_dirty_hours WHERE tenant_id = ?1 AND hour = ?2",
};

/// One settled reservation.
#[derive(Debug, Clone, Deserialize)]
pub struct UsageEventRow {
    /// Milliseconds.
    pub at: i64,
    /// `res_…`
    pub reservation_id: String,
    /// Who.
    pub user_id: String,
    /// For which product.
    pub product: String,
    /// The function that did the work.
    pub function: String,
    /// The provider; empty where none was asked.
    pub provider: String,
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
    /// 1 when the tokens are an estimate.
    pub estimated: u8,
    /// Micro-dollars; `None` when the price is not known.
    pub cost_microusd: Option<u64>,
    /// The request.
    pub request_id: String,
    /// How it ended.
    pub outcome: String,
    /// The API key it was sent with.
    pub api_key_id: Option<String>,
    /// Its number in the ledger.
    pub seq: u64,
}

/// Which rows: of the tenant, or of one of its users.
#[derive(Debug, Clone, Copy)]
pub struct UsageScope {
    /// The tenant of the verified caller.
    pub tenant: TenantId,
    /// One user; `None` for all of the tenant.
    pub user: Option<UserId>,
    /// The product.
    pub product: tollgate_domain::catalogue::Product,
}

/// Where a page begins: after this row, going back in time.
#[derive(Debug, Clone)]
pub struct Before {
    /// The row's instant.
    pub at: Timestamp,
    /// The row's reservation.
    pub reservation_id: String,
}

/// Settled reservations, newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn logs(
    scope: &Scope,
    of: UsageScope,
    since: Timestamp,
    before: &Before,
    limit: u32,
) -> Result<Vec<UsageEventRow>, StoreError> {
    let user = of.user.map(|user| user.to_string());
    let params = [
        Param::Text(of.product.as_str()),
        user.as_deref().into(),
        Param::Int(since.as_millis()),
        Param::Int(before.at.as_millis()),
        Param::Text(&before.reservation_id),
        Param::Int(i64::from(limit)),
    ];
    TenantDb::of(scope, of.tenant)?.all(LOGS, &params).await
}

/// What a summary is grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// Days in UTC.
    Day,
    /// `provider/model`.
    Model,
    /// Provider.
    Provider,
    /// User.
    User,
}

/// The sums of one group.
#[derive(Debug, Clone, Deserialize)]
pub struct SummaryRow {
    /// The day, model, provider or user.
    pub key: String,
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

/// Sums over whole hours.
///
/// # Errors
/// When the database cannot be read.
pub async fn summary(
    scope: &Scope,
    of: UsageScope,
    span: Period,
    group_by: GroupBy,
) -> Result<Vec<SummaryRow>, StoreError> {
    let user = of.user.map(|user| user.to_string());
    let params = [
        Param::Text(of.product.as_str()),
        Param::Int(span.start.as_millis()),
        Param::Int(span.end.as_millis()),
        user.as_deref().into(),
    ];
    let statement = match group_by {
        GroupBy::Day => SUMMARY_BY_DAY,
        GroupBy::Model => SUMMARY_BY_MODEL,
        GroupBy::Provider => SUMMARY_BY_PROVIDER,
        GroupBy::User => SUMMARY_BY_USER,
    };
    TenantDb::of(scope, of.tenant)?.all(statement, &params).await
}

/// Adds up one hour of one tenant anew, as one transaction: doing it again gives the same.
///
/// # Errors
/// When the database cannot be written: then nothing has changed.
pub async fn roll_up(scope: &Scope, tenant: TenantId, hour: i64) -> Result<(), StoreError> {
    let params = || vec![Param::Int(hour)];
    let statements = [(ROLL_UP_CLEAR, params()), (ROLL_UP, params()), (ROLL_UP_DONE, params())];
    TenantDb::of(scope, tenant)?.batch(&statements).await.map(drop)
}
