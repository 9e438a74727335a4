//! What was used beyond soft limits, and how much of it Stripe was told.

use serde::Deserialize;
use tollgate_domain::{
    catalogue::Product,
    id::{TenantId, UserId},
    meter::{Amounts, MeterName},
    overage::{MeteredPeriod, WITHOUT_END},
    time::{Period, Timestamp},
};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::{Scope, store::usage_reports::HOUR_MS};

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[OPEN, BEGIN, CHANGE, USED];

const OPEN: Statement = Statement {
    name: "overage.open",
    sql: "SELECT meter, period_start, period_end, included, pooled, reported, claim, revision FROM overage_periods \
          WHERE tenant_id = ?1 AND product = ?2 AND closed = 0 ORDER BY period_start, meter",
};
const BEGIN: Statement = Statement {
    name: "overage.begin",
    sql: "INSERT OR IGNORE INTO overage_periods (tenant_id, product, meter, period_start, period_end, included, pooled, reported, \
            claim, revision, closed) VALUES (?1, ?2, ?3, ?4, ?6, ?7, ?8, ?9, ?10, ?5 + 1, ?11)",
};
// Only by who has seen the latest change.
const CHANGE: Statement = Statement {
    name: "overage.change",
    sql: "UPDATE overage_periods SET period_end = ?6, included = ?7, pooled = ?8, reported = ?9, claim = ?10, revision = ?5 + 1, \
            closed = ?11 WHERE tenant_id = ?1 AND product = ?2 AND meter = ?3 AND period_start = ?4 AND revision = ?5",
};
// As usage_reports adds up: whole hours that are rolled up from there, the others from the events; and the parts of hours at
// both ends of the period, which a billing anchor cuts. `?4` to `?5` is the period, `?6` to `?7` the whole hours in it.
const USED: Statement = Statement {
    name: "overage.used",
    sql: "WITH amounts AS ( \
            SELECT h.requests, h.tokens, h.emails FROM usage_hourly h \
            WHERE h.tenant_id = ?1 AND h.product = ?2 AND (?3 IS NULL OR h.user_id = ?3) AND h.hour >= ?6 AND h.hour < ?7 \
              AND NOT EXISTS (SELECT 1 FROM usage_dirty_hours d WHERE d.tenant_id = ?1 AND d.hour = h.hour) \
            UNION ALL \
            SELECT u.requests, u.tokens, u.emails FROM usage_dirty_hours d \
            JOIN usage_events u ON u.tenant_id = ?1 AND u.at >= d.hour AND u.at < d.hour + 3600000 \
            WHERE d.tenant_id = ?1 AND d.hour >= ?6 AND d.hour < ?7 \
              AND u.product = ?2 AND u.superseded = 0 AND (?3 IS NULL OR u.user_id = ?3) \
            UNION ALL \
            SELECT u.requests, u.tokens, u.emails FROM usage_events u \
            WHERE u.tenant_id = ?1 AND u.at >= ?4 AND u.at < ?6 \
              AND u.product = ?2 AND u.superseded = 0 AND (?3 IS NULL OR u.user_id = ?3) \
            UNION ALL \
            SELECT u.requests, u.tokens, u.emails FROM usage_events u \
            WHERE u.tenant_id = ?1 AND u.at >= ?7 AND u.at < ?5 \
              AND u.product = ?2 AND u.superseded = 0 AND (?3 IS NULL OR u.user_id = ?3)) \
          SELECT coalesce(sum(requests), 0) AS requests, coalesce(sum(tokens), 0) AS tokens, coalesce(sum(emails), 0) AS emails \
          FROM amounts",
};

/// A period with the number of its latest change; 0 before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPeriod {
    /// The period.
    pub period: MeteredPeriod,
    /// How often it was changed.
    pub revision: i64,
}

#[derive(Deserialize)]
struct Row {
    meter: MeterName,
    period_start: i64,
    period_end: i64,
    included: u64,
    pooled: u8,
    reported: u64,
    claim: Option<String>,
    revision: i64,
}

impl Row {
    fn read(self) -> Result<StoredPeriod, StoreError> {
        let instant = Timestamp::from_millis;
        let claim = self.claim.as_deref().map(serde_json::from_str).transpose().map_err(|_| StoreError::Failed)?;
        let period = MeteredPeriod {
            meter: self.meter,
            period: Period { start: instant(self.period_start), end: instant(self.period_end) },
            included: self.included,
            pooled: self.pooled == 1,
            reported: self.reported,
            claim,
        };
        Ok(StoredPeriod { period, revision: self.revision })
    }
}

/// The periods of a tenant's product that are not over for good, oldest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn open(scope: &Scope, tenant: TenantId, product: Product) -> Result<Vec<StoredPeriod>, StoreError> {
    let rows: Vec<Row> = TenantDb::of(scope, tenant)?.all(OPEN, &[Param::Text(product.as_str())]).await?;
    rows.into_iter().map(Row::read).collect()
}

/// Stores a period after the change with the number `revision`, for good when it is `closed`. Answers whether it was stored:
/// not when somebody else has changed it since.
///
/// # Errors
/// When the database cannot be written.
pub async fn store(
    scope: &Scope,
    tenant: TenantId,
    product: Product,
    period: &MeteredPeriod,
    revision: i64,
    closed: bool,
) -> Result<bool, StoreError> {
    let claim = period.claim.as_ref().map(serde_json::to_string).transpose().map_err(|_| StoreError::Failed)?;
    let number = |number: u64| Param::Int(number.min(WITHOUT_END).cast_signed());
    let params = [
        Param::Text(product.as_str()),
        Param::Text(period.meter.as_str()),
        Param::Int(period.period.start.as_millis()),
        Param::Int(revision),
        Param::Int(period.period.end.as_millis()),
        number(period.included),
        Param::Int(i64::from(period.pooled)),
        number(period.reported),
        claim.as_deref().into(),
        Param::Int(i64::from(closed)),
    ];
    let statement = if revision == 0 { BEGIN } else { CHANGE };
    Ok(TenantDb::of(scope, tenant)?.run(statement, &params).await? == 1)
}

#[derive(Deserialize)]
struct UsedRow {
    requests: u64,
    tokens: u64,
    emails: u64,
}

/// The whole hours of a period: what lies before and behind them is part of an hour.
fn whole_hours(period: Period) -> (i64, i64) {
    let (start, end) = (period.start.as_millis(), period.end.as_millis());
    let first = (start + HOUR_MS - 1).div_euclid(HOUR_MS) * HOUR_MS;
    let first = first.min(end.max(start));
    (first, (end.div_euclid(HOUR_MS) * HOUR_MS).max(first))
}

/// What was used of a product in a period: by one user, or by the whole tenant.
///
/// # Errors
/// When the database cannot be read.
pub async fn used(
    scope: &Scope,
    tenant: TenantId,
    product: Product,
    user: Option<UserId>,
    period: Period,
) -> Result<Amounts, StoreError> {
    let user = user.map(|user| user.to_string());
    let (first, last) = whole_hours(period);
    let params = [
        Param::Text(product.as_str()),
        user.as_deref().into(),
        Param::Int(period.start.as_millis()),
        Param::Int(period.end.as_millis()),
        Param::Int(first),
        Param::Int(last),
    ];
    let row: Option<UsedRow> = TenantDb::of(scope, tenant)?.first(USED, &params).await?;
    Ok(row.map_or(Amounts::ZERO, |row| Amounts { requests: row.requests, tokens: row.tokens, emails: row.emails }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_its_whole_hours_and_the_parts_at_both_ends() {
        let hours = |start: i64, end: i64| {
            let minute = |minutes: i64| Timestamp::from_millis(minutes * 60_000);
            let (first, last) = whole_hours(Period { start: minute(start), end: minute(end) });
            (first / 60_000, last / 60_000)
        };
        assert_eq!(hours(60, 180), (60, 180));
        assert_eq!(hours(61, 179), (120, 120));
        assert_eq!(hours(50, 250), (60, 240));
        assert_eq!(hours(20, 70), (60, 60));
        assert_eq!(hours(20, 40), (40, 40), "within an hour nothing is counted twice");
        assert_eq!(hours(20, 20), (20, 20));
        assert_eq!(hours(90, 20), (90, 90), "a period that was cut to nothing");
    }
}
