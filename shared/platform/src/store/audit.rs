//! The audit log of a tenant.

use serde::Deserialize;
use tollgate_domain::{
    audit::{Actor, Entry, Head, Outcome, Stored},
    id::TenantId,
    ledger::Hash,
    time::Timestamp,
};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[HEAD, APPEND, PAGE, AFTER];

const HEAD: Statement = Statement {
    name: "audit.head",
    sql: "SELECT seq, at, body, hash FROM audit WHERE tenant_id = ?1 ORDER BY seq DESC LIMIT 1",
};
// The key is tenant and number: of two entries at once, one fails here and is appended after the other.
pub(super) const APPEND: Statement = Statement {
    name: "audit.append",
    sql: "INSERT INTO audit (tenant_id, seq, at, action, actor, outcome, body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
};
const PAGE: Statement = Statement {
    name: "audit.page",
    sql: "SELECT seq, at, body, hash FROM audit \
          WHERE tenant_id = ?1 AND seq < ?2 AND at >= ?3 AND at < ?4 AND (?5 IS NULL OR action = ?5) AND (?6 IS NULL OR actor = ?6) \
          ORDER BY seq DESC LIMIT ?7",
};

const AFTER: Statement = Statement {
    name: "audit.after",
    sql: "SELECT seq, at, body, hash FROM audit WHERE tenant_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
};

/// A row of the log.
#[derive(Debug, Clone, Deserialize)]
pub struct AuditRow {
    /// Its number.
    pub seq: u64,
    /// Milliseconds.
    pub at: i64,
    /// The entry as JSON.
    pub body: String,
    /// Its hash, in hexadecimal digits.
    pub hash: String,
}

impl AuditRow {
    /// The row as the chain reads it; `None` when its hash is none.
    pub fn stored(self) -> Option<Stored> {
        let hash = Hash::parse(&self.hash)?;
        Some(Stored { seq: self.seq, at: Timestamp::from_millis(self.at), body: self.body, hash })
    }
}

/// Which entries are looked for, newest first.
#[derive(Debug, Clone, Copy)]
pub struct AuditFilter<'a> {
    /// Those before this number.
    pub before: u64,
    /// From this instant on.
    pub from: Timestamp,
    /// And before this one.
    pub to: Timestamp,
    /// Of this action.
    pub action: Option<&'a str>,
    /// By this user or key.
    pub actor: Option<&'a str>,
    /// At most so many.
    pub limit: u32,
}

/// Where a tenant's chain ends.
///
/// # Errors
/// When the database cannot be read, or holds no hash where one must be.
pub async fn audit_head(scope: &Scope, tenant: TenantId) -> Result<Head, StoreError> {
    let Some(row) = TenantDb::of(scope, tenant)?.first::<AuditRow>(HEAD, &[]).await? else {
        return Ok(Head::empty(tenant));
    };
    let stored = row.stored().ok_or(StoreError::Failed)?;
    Ok(Head { rows: stored.seq, hash: stored.hash, at: stored.at })
}

/// Stores a row.
///
/// # Errors
/// `Taken` when another row has its number.
pub async fn append_audit(scope: &Scope, tenant: TenantId, entry: &Entry, row: &Stored) -> Result<(), StoreError> {
    let values = AppendValues::of(entry, row);
    TenantDb::of(scope, tenant)?.run(APPEND, &values.params()).await.map(drop)
}

/// What [`APPEND`] binds, for other repositories' transactions.
pub(super) struct AppendValues<'a> {
    entry: &'a Entry,
    row: &'a Stored,
    actor: Option<String>,
    hash: String,
}

impl<'a> AppendValues<'a> {
    pub(super) fn of(entry: &'a Entry, row: &'a Stored) -> Self {
        let actor = match &entry.actor {
            Actor::User { id } => Some(id.to_string()),
            Actor::ApiKey { id, .. } => Some(id.to_string()),
            Actor::System { function } => Some(function.clone()),
            Actor::Anonymous => None,
        };
        Self { entry, row, actor, hash: row.hash.to_string() }
    }

    pub(super) fn params(&self) -> Vec<Param<'_>> {
        let outcome = match self.entry.outcome {
            Outcome::Success => "success",
            Outcome::Denied => "denied",
            Outcome::Failed => "failed",
        };
        vec![
            Param::Int(i64::try_from(self.row.seq).unwrap_or(i64::MAX)),
            Param::Int(self.row.at.as_millis()),
            Param::Text(self.entry.action.as_str()),
            self.actor.as_deref().into(),
            Param::Text(outcome),
            Param::Text(&self.row.body),
            Param::Text(&self.hash),
        ]
    }
}

/// A page of the log, newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn audit_page(scope: &Scope, tenant: TenantId, filter: AuditFilter<'_>) -> Result<Vec<AuditRow>, StoreError> {
    TenantDb::of(scope, tenant)?
        .all(
            PAGE,
            &[
                Param::Int(i64::try_from(filter.before).unwrap_or(i64::MAX)),
                Param::Int(filter.from.as_millis()),
                Param::Int(filter.to.as_millis()),
                filter.action.into(),
                filter.actor.into(),
                Param::Int(i64::from(filter.limit)),
            ],
        )
        .await
}

/// Rows after a number, oldest first: to walk along the chain.
///
/// # Errors
/// When the database cannot be read.
pub async fn audit_after(scope: &Scope, tenant: TenantId, seq: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
    let params = [Param::Int(i64::try_from(seq).unwrap_or(i64::MAX)), Param::Int(i64::from(limit))];
    TenantDb::of(scope, tenant)?.all(AFTER, &params).await
}
