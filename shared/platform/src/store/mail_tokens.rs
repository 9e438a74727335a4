//! Tokens that are sent by mail, and what they are good for.

use serde::Deserialize;
use tollgate_domain::time::Timestamp;

use super::{
    database::{Param, Statement, StoreError, TenantDb},
    first_proof,
};
use crate::{Scope, identity::MailToken};

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[ISSUE, HOLDER, VERIFY, RESET, END_SESSIONS, USE];

// At most one open of a kind: the next one takes the place of the one before.
const ISSUE: Statement = Statement {
    name: "mail_tokens.issue",
    sql: "INSERT INTO mail_tokens (tenant_id, user_id, kind, hash, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
          ON CONFLICT (tenant_id, user_id, kind) \
          DO UPDATE SET hash = excluded.hash, created_at = excluded.created_at, expires_at = excluded.expires_at",
};
const HOLDER: Statement = Statement {
    name: "mail_tokens.holder",
    sql: "SELECT u.email, u.email_verified FROM mail_tokens m JOIN users u ON u.tenant_id = ?1 AND u.user_id = m.user_id \
          WHERE m.tenant_id = ?1 AND m.user_id = ?2 AND m.kind = ?3 AND m.hash = ?4 AND m.expires_at > ?5",
};
// What a token is good for happens in one transaction with its end, and only while it is there: of two uses at once one counts.
const VERIFY: Statement = Statement {
    name: "mail_tokens.verify",
    sql: "UPDATE users SET email_verified = 1 WHERE tenant_id = ?1 AND user_id = ?2 AND EXISTS (SELECT 1 FROM mail_tokens m \
          WHERE m.tenant_id = ?1 AND m.user_id = ?2 AND m.kind = ?3 AND m.hash = ?4 AND m.expires_at > ?5)",
};
// Whoever reads the mail has the mailbox: the address is confirmed, too.
const RESET: Statement = Statement {
    name: "mail_tokens.reset",
    sql: "UPDATE users SET password_hash = ?6, email_verified = 1 WHERE tenant_id = ?1 AND user_id = ?2 AND EXISTS \
          (SELECT 1 FROM mail_tokens m \
           WHERE m.tenant_id = ?1 AND m.user_id = ?2 AND m.kind = ?3 AND m.hash = ?4 AND m.expires_at > ?5)",
};
const END_SESSIONS: Statement = Statement {
    name: "mail_tokens.end_sessions",
    sql: "UPDATE sessions SET revoked_at = ?5 WHERE tenant_id = ?1 AND user_id = ?2 AND revoked_at IS NULL AND EXISTS \
          (SELECT 1 FROM mail_tokens m \
           WHERE m.tenant_id = ?1 AND m.user_id = ?2 AND m.kind = ?3 AND m.hash = ?4 AND m.expires_at > ?5)",
};
const USE: Statement = Statement {
    name: "mail_tokens.use",
    sql: "DELETE FROM mail_tokens WHERE tenant_id = ?1 AND user_id = ?2 AND kind = ?3 AND hash = ?4 AND expires_at > ?5",
};

/// Whose token it is.
#[derive(Debug, Clone, Deserialize)]
pub struct Holder {
    /// The address.
    pub email: String,
    /// 1 when it was proven before.
    pub email_verified: i64,
}

/// Remembers a token; an older one of its kind is dead from now on.
///
/// # Errors
/// When the database cannot be written.
pub async fn issue_mail_token(scope: &Scope, token: &MailToken, now: Timestamp) -> Result<(), StoreError> {
    let (user, hash) = (token.user.to_string(), token.hash());
    let expires_at = now.plus_millis(token.kind.lives_ms());
    let params = [
        Param::Text(&user),
        Param::Text(token.kind.as_str()),
        Param::Text(&hash),
        Param::Int(now.as_millis()),
        Param::Int(expires_at.as_millis()),
    ];
    TenantDb::of(scope, token.tenant)?.run(ISSUE, &params).await.map(drop)
}

/// The user of a token; `None` when the token is not good (any more).
///
/// # Errors
/// When the database cannot be read.
pub async fn mail_token_holder(scope: &Scope, token: &MailToken, now: Timestamp) -> Result<Option<Holder>, StoreError> {
    let (user, hash) = (token.user.to_string(), token.hash());
    let db = TenantDb::of(scope, token.tenant)?;
    db.first(HOLDER, &proof(token, &user, &hash, now)).await
}

/// Uses a token up to confirm its user's address; `false` when it is not good (any more). Where it is the first proof, and not
/// that of whoever made the account, everything made before ends with it.
///
/// # Errors
/// When the database cannot be written.
pub async fn verify_email(
    scope: &Scope,
    token: &MailToken,
    is_its_maker: bool,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (user, hash) = (token.user.to_string(), token.hash());
    let proof = proof(token, &user, &hash, now);
    let db = TenantDb::of(scope, token.tenant)?;
    let mailed = Some((token.kind.as_str(), hash.as_str()));
    let mut writes = if is_its_maker {
        first_proof::of_its_maker(&user, mailed, now)
    } else {
        first_proof::endings(&user, mailed, now)
    };
    writes.extend([(VERIFY, proof.to_vec()), (USE, proof.to_vec())]);
    let changed = db.batch(&writes).await?;
    Ok(changed.last() == Some(&1))
}

/// Uses a token up to set a password and to end every session; `false` when it is not good (any more). Where it is the first
/// proof of the address, everything made before ends with it.
///
/// # Errors
/// When the database cannot be written.
pub async fn reset_password(
    scope: &Scope,
    token: &MailToken,
    password_hash: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (user, hash) = (token.user.to_string(), token.hash());
    let proof = proof(token, &user, &hash, now);
    let reset = proof.iter().copied().chain([Param::Text(password_hash)]).collect();
    let db = TenantDb::of(scope, token.tenant)?;
    let mut writes = first_proof::endings(&user, Some((token.kind.as_str(), &hash)), now);
    writes.extend([(RESET, reset), (END_SESSIONS, proof.to_vec()), (USE, proof.to_vec())]);
    let changed = db.batch(&writes).await?;
    Ok(changed.last() == Some(&1))
}

/// `?2` to `?5` of the statements that ask for a good token.
fn proof<'a>(token: &MailToken, user: &'a str, hash: &'a str, now: Timestamp) -> [Param<'a>; 4] {
    [Param::Text(user), Param::Text(token.kind.as_str()), Param::Text(hash), Param::Int(now.as_millis())]
}
