//! Statements that cross tenants, each with its reason. There is no other place for one.

use serde::Deserialize;
use tollgate_domain::{account::Email, id::Shard, time::Timestamp};
use wasm_bindgen::JsValue;
use worker::Env;

use super::{
    accounts::AccountRow,
    database::{Database, Statement, StoreError, binding, bound_shards, runs},
};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[ACCOUNT_BY_EMAIL, DIRTY_HOURS, ALL_HOURS_DIRTY, ANY_TENANT, OUTBOX];

// A sign-in knows an address and nothing else: the directory on the first shard says whose it is.
const ACCOUNT_BY_EMAIL: Statement = Statement {
    name: "directory.account_by_email",
    sql: "SELECT i.tenant_id, i.user_id, u.password_hash \
          FROM identities i JOIN users u ON u.tenant_id = i.tenant_id AND u.user_id = i.user_id \
          WHERE i.email = ?1",
};

// The roll-up works for all tenants of a shard: it asks which of them have hours that changed.
const DIRTY_HOURS: Statement = Statement {
    name: "directory.dirty_hours",
    sql: "SELECT tenant_id, hour FROM usage_dirty_hours WHERE hour < ?1 ORDER BY hour LIMIT ?2",
};

// To add everything up from scratch, every hour that has events or a roll-up counts as changed.
const ALL_HOURS_DIRTY: Statement = Statement {
    name: "directory.all_hours_dirty",
    sql: "INSERT OR IGNORE INTO usage_dirty_hours (tenant_id, hour) \
          SELECT tenant_id, at / 3600000 * 3600000 FROM usage_events UNION SELECT tenant_id, hour FROM usage_hourly",
};

// Readiness is asked by nobody in particular: it wants to know whether the tables are there, and reads one row at most.
const ANY_TENANT: Statement = Statement { name: "directory.any_tenant", sql: "SELECT 1 AS found FROM tenants LIMIT 1" };

/// The first database that does not answer, by its binding's name; `None` when all do.
pub async fn silent_database(env: &Env) -> Option<String> {
    for shard in bound_shards(env) {
        if !runs(env, shard, ANY_TENANT).await {
            return Some(binding(shard));
        }
    }
    None
}

/// An hour of a tenant whose roll-up is not up to date.
#[derive(Debug, Clone, Deserialize)]
pub struct DirtyHour {
    /// The tenant.
    pub tenant_id: String,
    /// The beginning of the hour, in milliseconds.
    pub hour: i64,
}

/// Hours that ended before an instant and are not rolled up, at most `limit`.
///
/// # Errors
/// When the database cannot be read.
pub async fn dirty_hours(
    scope: &Scope,
    shard: Shard,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<DirtyHour>, StoreError> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds are below 2^53")]
    let params = [JsValue::from_f64(before.as_millis() as f64), JsValue::from_f64(f64::from(limit))];
    Database::of(scope, shard)?.all(DIRTY_HOURS, &params).await
}

/// Makes every hour count as changed.
///
/// # Errors
/// When the database cannot be written.
pub async fn all_hours_dirty(scope: &Scope, shard: Shard) -> Result<(), StoreError> {
    Database::of(scope, shard)?.batch(&[(ALL_HOURS_DIRTY, Vec::new())]).await.map(drop)
}

/// Whose address this is.
pub async fn account_by_email(scope: &Scope, email: &Email) -> Result<Option<AccountRow>, StoreError> {
    let database = Database::of(scope, Shard::FIRST)?;
    let rows = database.all(ACCOUNT_BY_EMAIL, &[JsValue::from_str(email.as_str())]).await?;
    Ok(rows.into_iter().next())
}

// A developer's view of the mails that were sent, whoever they were for; bodies are kept in the local environment only.
const OUTBOX: Statement = Statement {
    name: "directory.outbox",
    sql: "SELECT body FROM mails WHERE body IS NOT NULL ORDER BY created_at DESC, event DESC LIMIT ?1",
};

#[derive(Deserialize)]
struct Body {
    body: String,
}

/// The latest mails as JSON, newest first: those of the first shard.
///
/// # Errors
/// When the database cannot be read.
pub async fn outbox(scope: &Scope, limit: u32) -> Result<Vec<String>, StoreError> {
    let params = [JsValue::from_f64(f64::from(limit))];
    let rows: Vec<Body> = Database::of(scope, Shard::FIRST)?.all(OUTBOX, &params).await?;
    Ok(rows.into_iter().map(|row| row.body).collect())
}
