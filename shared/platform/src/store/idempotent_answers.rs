//! Answers under an `Idempotency-Key`. What is done with them is in [`crate::once`].

use serde::Deserialize;
use tollgate_domain::{
    id::{TenantId, UserId},
    time::Timestamp,
};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[BEGIN, STANDING, FINISH, FORGET, FORGET_OLD];

// Of two requests at once one writes its id. A row whose worker was not heard of, and one that is too old, is taken over.
const BEGIN: Statement = Statement {
    name: "idempotent_answers.begin",
    sql: "INSERT INTO idempotent_answers (tenant_id, user_id, key_hash, fingerprint, request_id, started_at) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
          ON CONFLICT (tenant_id, user_id, key_hash) DO UPDATE SET \
            fingerprint = excluded.fingerprint, request_id = excluded.request_id, started_at = excluded.started_at, \
            status = NULL, answer = NULL \
          WHERE (status IS NULL AND started_at <= ?7) OR started_at <= ?8",
};
const STANDING: Statement = Statement {
    name: "idempotent_answers.standing",
    sql: "SELECT a.fingerprint, a.request_id, a.status, a.answer FROM idempotent_answers a \
          WHERE a.tenant_id = ?1 AND a.user_id = ?2 AND a.key_hash = ?3",
};
const FINISH: Statement = Statement {
    name: "idempotent_answers.finish",
    sql: "UPDATE idempotent_answers SET status = ?5, answer = ?6 \
          WHERE tenant_id = ?1 AND user_id = ?2 AND key_hash = ?3 AND request_id = ?4",
};
const FORGET: Statement = Statement {
    name: "idempotent_answers.forget",
    sql: "DELETE FROM idempotent_answers WHERE tenant_id = ?1 AND user_id = ?2 AND key_hash = ?3 AND request_id = ?4",
};
const FORGET_OLD: Statement = Statement {
    name: "idempotent_answers.forget_old",
    sql: "DELETE FROM idempotent_answers WHERE tenant_id = ?1 AND user_id = ?2 AND started_at <= ?3",
};

/// Work under a key.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// The tenant.
    pub tenant: TenantId,
    /// Whose key it is.
    pub user: UserId,
    /// SHA-256 of the key.
    pub key_hash: &'a str,
    /// The request that wants to do it.
    pub request_id: &'a str,
}

/// What stands under a key.
#[derive(Debug, Deserialize)]
pub struct Standing {
    /// SHA-256 of what was asked.
    pub fingerprint: String,
    /// The request that does the work.
    pub request_id: String,
    /// What was answered; `None` while the work goes on.
    pub status: Option<u16>,
    /// The answer's body, sealed.
    pub answer: Option<String>,
}

/// Begins work, unless it was begun at `silent_since` or later, or is finished; answers what stands under the key then.
/// What was begun at `old_since` or earlier is forgotten.
///
/// # Errors
/// When the database cannot be read or written.
pub async fn begin(
    scope: &Scope,
    work: Work<'_>,
    fingerprint: &str,
    now: Timestamp,
    (silent_since, old_since): (Timestamp, Timestamp),
) -> Result<Option<Standing>, StoreError> {
    let db = TenantDb::of(scope, work.tenant)?;
    let user = work.user.to_string();
    let key = [Param::Text(&user), Param::Text(work.key_hash)];
    let instants = [now, silent_since, old_since].map(|at| Param::Int(at.as_millis()));
    let begun = [&key[..], &[Param::Text(fingerprint), Param::Text(work.request_id)], &instants].concat();
    db.run(BEGIN, &begun).await?;
    db.first(STANDING, &key).await
}

/// Keeps the answer.
///
/// # Errors
/// When the database cannot be written.
pub async fn finish(scope: &Scope, work: Work<'_>, status: u16, answer: &str) -> Result<(), StoreError> {
    let user = work.user.to_string();
    let params = [
        Param::Text(&user),
        Param::Text(work.key_hash),
        Param::Text(work.request_id),
        Param::Int(i64::from(status)),
        Param::Text(answer),
    ];
    TenantDb::of(scope, work.tenant)?.run(FINISH, &params).await.map(drop)
}

/// The work came to nothing: the key may be used again.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget(scope: &Scope, work: Work<'_>) -> Result<(), StoreError> {
    let user = work.user.to_string();
    let params = [Param::Text(&user), Param::Text(work.key_hash), Param::Text(work.request_id)];
    TenantDb::of(scope, work.tenant)?.run(FORGET, &params).await.map(drop)
}

/// Forgets a user's answers that are old.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget_old(scope: &Scope, tenant: TenantId, user: UserId, old: Timestamp) -> Result<(), StoreError> {
    let params = [Param::Text(&user.to_string()), Param::Int(old.as_millis())];
    TenantDb::of(scope, tenant)?.run(FORGET_OLD, &params).await.map(drop)
}
