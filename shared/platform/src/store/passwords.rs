//! The stored hashes of passwords, and what ends with the old one.

use serde::Deserialize;
use tollgate_domain::id::{SessionId, TenantId, UserId};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[OF_USER, REPLACE, END_OTHERS];

const OF_USER: Statement = Statement {
    name: "passwords.of_user",
    sql: "SELECT u.email, u.password_hash FROM users u WHERE u.tenant_id = ?1 AND u.user_id = ?2",
};
// Compared with what was looked at: of two changes at once, one counts.
const REPLACE: Statement = Statement {
    name: "passwords.replace",
    sql: "UPDATE users SET password_hash = ?4 WHERE tenant_id = ?1 AND user_id = ?2 AND password_hash = ?3",
};
// Only when the change before it in the transaction was made.
const END_OTHERS: Statement = Statement {
    name: "passwords.end_others",
    sql: "UPDATE sessions SET revoked_at = ?5 \
          WHERE tenant_id = ?1 AND user_id = ?2 AND session_id <> ?3 AND revoked_at IS NULL AND EXISTS \
          (SELECT 1 FROM users u WHERE u.tenant_id = ?1 AND u.user_id = ?2 AND u.password_hash = ?4)",
};

/// A user's sign-in name and stored hash.
#[derive(Debug, Clone, Deserialize)]
pub struct PasswordRow {
    /// The sign-in name.
    pub email: String,
    /// PHC string, or `NO_PASSWORD`.
    pub password_hash: String,
}

/// A user's sign-in name and stored hash.
///
/// # Errors
/// When the database cannot be read.
pub async fn password(scope: &Scope, tenant: TenantId, user: UserId) -> Result<Option<PasswordRow>, StoreError> {
    TenantDb::of(scope, tenant)?.first(OF_USER, &[Param::Text(&user.to_string())]).await
}

/// Stores the same password under a stronger hash. Nothing happens when the stored hash is another one by now.
///
/// # Errors
/// When the database cannot be written.
pub async fn renew_password_hash(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    before: &str,
    after: &str,
) -> Result<(), StoreError> {
    let params = [Param::Text(&user.to_string()), Param::Text(before), Param::Text(after)];
    TenantDb::of(scope, tenant)?.run(REPLACE, &params).await.map(drop)
}

/// Stores another password and ends every session but one; `false`, and nothing is changed, when the stored hash is another
/// one by now.
///
/// # Errors
/// When the database cannot be written.
pub async fn change_password(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    stays: SessionId,
    before: &str,
    after: &str,
) -> Result<bool, StoreError> {
    let (user, stays) = (user.to_string(), stays.to_string());
    let user = Param::Text(&user);
    let changed = TenantDb::of(scope, tenant)?
        .batch(&[
            (REPLACE, vec![user, Param::Text(before), Param::Text(after)]),
            (END_OTHERS, vec![user, Param::Text(&stays), Param::Text(after), Param::Int(scope.now().as_millis())]),
        ])
        .await?;
    Ok(changed.first() == Some(&1))
}
