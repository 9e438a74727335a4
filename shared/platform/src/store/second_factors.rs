//! The second factors of users. What is done with them is in `functions/credentials`.

use serde::Deserialize;
use tollgate_domain::{
    id::{TenantId, UserId},
    time::Timestamp,
};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[OF_USER, ENROLL, CONFIRM, USE, RECOVERY_CODES, DROP];

const OF_USER: Statement = Statement {
    name: "second_factors.of_user",
    sql: "SELECT f.secret, f.sealed_for, f.confirmed_at, f.last_step, f.recovery_codes FROM second_factors f \
          WHERE f.tenant_id = ?1 AND f.user_id = ?2",
};
// Until it is confirmed, another one takes its place; then nothing does.
const ENROLL: Statement = Statement {
    name: "second_factors.enroll",
    sql: "INSERT INTO second_factors (tenant_id, user_id, secret, sealed_for, enrolled_at) VALUES (?1, ?2, ?3, ?1, ?4) \
          ON CONFLICT (tenant_id, user_id) DO UPDATE SET secret = excluded.secret, sealed_for = excluded.sealed_for, \
            enrolled_at = excluded.enrolled_at WHERE second_factors.confirmed_at IS NULL",
};
const CONFIRM: Statement = Statement {
    name: "second_factors.confirm",
    sql: "UPDATE second_factors SET confirmed_at = ?4, last_step = ?5, recovery_codes = ?6 \
          WHERE tenant_id = ?1 AND user_id = ?2 AND secret = ?3 AND confirmed_at IS NULL",
};
// The comparison and the change are one statement: of two sign-ins with the same code, one changes a row.
const USE: Statement = Statement {
    name: "second_factors.use",
    sql: "UPDATE second_factors SET last_step = ?4, secret = ?5, sealed_for = ?1 \
          WHERE tenant_id = ?1 AND user_id = ?2 AND secret = ?3 AND last_step < ?4",
};
const RECOVERY_CODES: Statement = Statement {
    name: "second_factors.recovery_codes",
    sql: "UPDATE second_factors SET recovery_codes = ?4 WHERE tenant_id = ?1 AND user_id = ?2 AND recovery_codes = ?3",
};
const DROP: Statement = Statement {
    name: "second_factors.drop",
    sql: "DELETE FROM second_factors WHERE tenant_id = ?1 AND user_id = ?2 AND confirmed_at IS NOT NULL",
};

/// A user's second factor, as it is stored.
#[derive(Debug, Clone, Deserialize)]
pub struct SecondFactorRow {
    /// The app's secret, sealed.
    pub secret: String,
    /// The tenant under whose data key it is.
    pub sealed_for: String,
    /// Milliseconds; `None` while it is not confirmed.
    pub confirmed_at: Option<i64>,
    /// The time step of the latest code that was taken.
    pub last_step: Option<u64>,
    /// The codes that are left, as JSON.
    pub recovery_codes: Option<String>,
}

/// A user's second factor.
///
/// # Errors
/// When the database cannot be read.
pub async fn second_factor(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
) -> Result<Option<SecondFactorRow>, StoreError> {
    TenantDb::of(scope, tenant)?.first(OF_USER, &[Param::Text(&user.to_string())]).await
}

/// Stores a secret that waits to be confirmed; `false` when there is a confirmed one.
///
/// # Errors
/// When the database cannot be written.
pub async fn enroll_second_factor(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    secret: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let params = [Param::Text(&user.to_string()), Param::Text(secret), Param::Int(now.as_millis())];
    Ok(TenantDb::of(scope, tenant)?.run(ENROLL, &params).await? == 1)
}

/// Switches a secret that was read on; `false` when it is another one by now, or on already.
///
/// # Errors
/// When the database cannot be written.
pub async fn confirm_second_factor(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    secret: &str,
    step: i64,
    recovery_codes: &str,
) -> Result<bool, StoreError> {
    let params = [
        Param::Text(&user.to_string()),
        Param::Text(secret),
        Param::Int(scope.now().as_millis()),
        Param::Int(step),
        Param::Text(recovery_codes),
    ];
    Ok(TenantDb::of(scope, tenant)?.run(CONFIRM, &params).await? == 1)
}

/// Uses a time step up; `false` when it, or a later one, was used since the secret was read. `resealed` is what is stored in
/// the secret's place: the same, or the same sealed for this tenant.
///
/// # Errors
/// When the database cannot be written.
pub async fn use_second_factor(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    secret: &str,
    step: i64,
    resealed: &str,
) -> Result<bool, StoreError> {
    let params = [Param::Text(&user.to_string()), Param::Text(secret), Param::Int(step), Param::Text(resealed)];
    Ok(TenantDb::of(scope, tenant)?.run(USE, &params).await? == 1)
}

/// Stores other recovery codes in the place of those that were read; `false` when they are others by now.
///
/// # Errors
/// When the database cannot be written.
pub async fn replace_recovery_codes(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    before: &str,
    after: &str,
) -> Result<bool, StoreError> {
    let params = [Param::Text(&user.to_string()), Param::Text(before), Param::Text(after)];
    Ok(TenantDb::of(scope, tenant)?.run(RECOVERY_CODES, &params).await? == 1)
}

/// Removes a confirmed second factor.
///
/// # Errors
/// When the database cannot be written.
pub async fn drop_second_factor(scope: &Scope, tenant: TenantId, user: UserId) -> Result<(), StoreError> {
    TenantDb::of(scope, tenant)?.run(DROP, &[Param::Text(&user.to_string())]).await.map(drop)
}
