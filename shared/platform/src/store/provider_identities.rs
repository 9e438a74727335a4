//! What a user signs in with at other parties.

use serde::Deserialize;
use tollgate_domain::{
    account::NO_PASSWORD,
    id::{IdentityId, TenantId, UserId},
    time::Timestamp,
};

use super::{
    database::{Param, Statement, StoreError, TenantDb},
    first_proof,
};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[ADD, LIST, REMOVE, TAKE_OVER, ADD_CODE, CREDENTIAL];

/// Fails when the subject is linked with any account.
pub(super) const ADD: Statement = Statement {
    name: "provider_identities.add",
    sql: "INSERT INTO provider_identities (tenant_id, realm, issuer, subject, identity_id, user_id, email, linked_at) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
};
const LIST: Statement = Statement {
    name: "provider_identities.list",
    sql: "SELECT identity_id, realm, issuer, email, linked_at FROM provider_identities \
          WHERE tenant_id = ?1 AND user_id = ?2 ORDER BY identity_id",
};
// While there is another way in: a password, or another identity that opens something in this tenant.
const REMOVE: Statement = Statement {
    name: "provider_identities.remove",
    sql: "DELETE FROM provider_identities WHERE tenant_id = ?1 AND user_id = ?2 AND identity_id = ?3 AND ( \
            EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = ?1 AND u.user_id = ?2 AND u.password_hash <> ?4) \
            OR EXISTS (SELECT 1 FROM provider_identities p WHERE p.tenant_id = ?1 AND p.user_id = ?2 AND p.identity_id <> ?3 \
                         AND (p.realm = ?1 OR p.realm IN ('google', 'github', 'oidc'))))",
};
// Only while nobody has confirmed the address: of two at once one counts.
const TAKE_OVER: Statement = Statement {
    name: "provider_identities.take_over",
    sql: "UPDATE users SET password_hash = ?3, email_verified = 1 WHERE tenant_id = ?1 AND user_id = ?2 AND email_verified = 0",
};
const ADD_CODE: Statement = Statement {
    name: "provider_identities.add_code",
    sql: "INSERT INTO sign_in_codes (tenant_id, code_hash, browser_hash, user_id, realm, is_new, expires_at) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
};

const CREDENTIAL: Statement = Statement {
    name: "provider_identities.credential",
    sql: "SELECT password_hash FROM users WHERE tenant_id = ?1 AND user_id = ?2",
};

/// A subject of a provider, to be linked.
#[derive(Debug, Clone, Copy)]
pub struct NewIdentity<'a> {
    /// The link's id.
    pub id: IdentityId,
    /// Whose word it is.
    pub realm: &'a str,
    /// The issuer.
    pub issuer: &'a str,
    /// Who, there.
    pub subject: &'a str,
    /// The address that was told.
    pub email: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

/// `?2` and on of [`ADD`].
pub(super) fn values<'a>(identity: &NewIdentity<'a>, id: &'a str, user: &'a str) -> Vec<Param<'a>> {
    vec![
        Param::Text(identity.realm),
        Param::Text(identity.issuer),
        Param::Text(identity.subject),
        Param::Text(id),
        Param::Text(user),
        identity.email.into(),
        Param::Int(identity.now.as_millis()),
    ]
}

#[derive(Deserialize)]
struct Credential {
    password_hash: String,
}

/// What stands for a user's password: see [`crate::sign_in::open`].
///
/// # Errors
/// When the database cannot be read.
pub async fn credential(scope: &Scope, tenant: TenantId, user: UserId) -> Result<Option<String>, StoreError> {
    let row: Option<Credential> =
        TenantDb::of(scope, tenant)?.first(CREDENTIAL, &[Param::Text(&user.to_string())]).await?;
    Ok(row.map(|row| row.password_hash))
}

/// A linked sign-in.
#[derive(Debug, Clone, Deserialize)]
pub struct IdentityRow {
    /// The link's id.
    pub identity_id: String,
    /// Whose word it is.
    pub realm: String,
    /// The issuer.
    pub issuer: String,
    /// The address that was told.
    pub email: Option<String>,
    /// Milliseconds.
    pub linked_at: i64,
}

/// What a user signs in with elsewhere.
///
/// # Errors
/// When the database cannot be read.
pub async fn provider_identities(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
) -> Result<Vec<IdentityRow>, StoreError> {
    TenantDb::of(scope, tenant)?.all(LIST, &[Param::Text(&user.to_string())]).await
}

/// Links a subject with an account.
///
/// # Errors
/// `Taken` when it is linked already.
pub async fn link(scope: &Scope, tenant: TenantId, user: UserId, identity: &NewIdentity<'_>) -> Result<(), StoreError> {
    let (id, user) = (identity.id.to_string(), user.to_string());
    TenantDb::of(scope, tenant)?.run(ADD, &values(identity, &id, &user)).await.map(drop)
}

/// Removes a link; `false` when it is the last way in, or gone.
///
/// # Errors
/// When the database cannot be written.
pub async fn unlink(scope: &Scope, tenant: TenantId, user: UserId, id: IdentityId) -> Result<bool, StoreError> {
    let (id, user) = (id.to_string(), user.to_string());
    let params = [Param::Text(&user), Param::Text(&id), Param::Text(NO_PASSWORD)];
    Ok(TenantDb::of(scope, tenant)?.run(REMOVE, &params).await? == 1)
}

/// Gives an account whose address nobody has confirmed to the owner of the address: what opened it before opens it no more.
/// One transaction. `false` when the address was confirmed in the meantime: then the password stays, and the subject is linked
/// all the same.
///
/// # Errors
/// `Taken` when the subject is linked already.
pub async fn take_over(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    identity: &NewIdentity<'_>,
) -> Result<bool, StoreError> {
    let (id, user) = (identity.id.to_string(), user.to_string());
    let mut writes = first_proof::endings(&user, None, identity.now);
    let at = writes.len();
    writes.push((TAKE_OVER, vec![Param::Text(&user), Param::Text(NO_PASSWORD)]));
    writes.push((ADD, values(identity, &id, &user)));
    let changed = TenantDb::of(scope, tenant)?.batch(&writes).await?;
    Ok(changed.get(at) == Some(&1))
}

/// A code that a page exchanges for tokens.
#[derive(Debug, Clone, Copy)]
pub struct NewSignInCode<'a> {
    /// The code's hash.
    pub hash: &'a str,
    /// The hash of the browser's cookie, where it is bound to one.
    pub browser: Option<&'a str>,
    /// Who.
    pub user: UserId,
    /// Through whom.
    pub realm: &'a str,
    /// Whether the account was made just now.
    pub is_new: bool,
    /// The first instant at which it is not good.
    pub expires_at: Timestamp,
}

/// Remembers a code.
///
/// # Errors
/// When the database cannot be written.
pub async fn add_sign_in_code(scope: &Scope, tenant: TenantId, code: &NewSignInCode<'_>) -> Result<(), StoreError> {
    let user = code.user.to_string();
    let params = [
        Param::Text(code.hash),
        code.browser.into(),
        Param::Text(&user),
        Param::Text(code.realm),
        Param::Int(i64::from(code.is_new)),
        Param::Int(code.expires_at.as_millis()),
    ];
    TenantDb::of(scope, tenant)?.run(ADD_CODE, &params).await.map(drop)
}
