//! API keys: found by their id, never by their secret.

use serde::Deserialize;
use tollgate_domain::{
    account::Role,
    api_key::{ApiKey, Scopes},
    catalogue::Product,
    id::{ApiKeyId, SessionId, TenantId, UserId},
    mail::key_line,
    meter::RateLimit,
    secret_hash::SecretHash,
    time::Timestamp,
};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[
    ADD,
    FIND,
    OWN,
    LIST,
    SESSION_STANDS,
    REPLACE,
    ADD_REPLACEMENT,
    REVOKE,
    REVOKE_ALL,
    REVOKED_SINCE,
    TOUCH,
    TOUCH_EXPORTED,
];

/// How often a key's last use is written at most.
const TOUCH_EVERY_MS: i64 = 60 * 60 * 1000;

// The count and the new row are one statement: of two at once, no more than the most are there afterwards.
const ADD: Statement = Statement {
    name: "api_keys.add",
    sql: "INSERT INTO api_keys (tenant_id, key_id, user_id, product, name, hash, last_four, scopes, per_minute, created_at, expires_at) \
          SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 \
          WHERE (SELECT count(*) FROM api_keys k WHERE k.tenant_id = ?1 AND k.user_id = ?3 AND k.revoked_at IS NULL \
                 AND k.replaced_by IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?10)) < ?12",
};
// The user beside it: a key dies with its user, and has the role that the user has now.
const FIND: Statement = Statement {
    name: "api_keys.find",
    sql: "SELECT k.key_id, k.user_id, k.product, k.name, k.hash, k.last_four, k.scopes, k.per_minute, k.created_at, k.expires_at, \
                 k.revoked_at, k.replaced_by, k.last_used_at, u.role, 1 AS session_stands \
          FROM api_keys k JOIN users u ON u.tenant_id = ?1 AND u.user_id = k.user_id \
          WHERE k.tenant_id = ?1 AND k.key_id = ?2",
};
const OWN: Statement = Statement {
    name: "api_keys.own",
    sql: "SELECT k.key_id, k.user_id, k.product, k.name, k.hash, k.last_four, k.scopes, k.per_minute, k.created_at, k.expires_at, \
                 k.revoked_at, k.replaced_by, k.last_used_at, 'member' AS role, \
                 CASE WHEN s.session_id IS NOT NULL AND s.revoked_at IS NULL THEN 1 ELSE 0 END AS session_stands \
          FROM api_keys k LEFT JOIN sessions s ON s.tenant_id = ?1 AND s.session_id = ?4 AND s.user_id = ?3 \
          WHERE k.tenant_id = ?1 AND k.key_id = ?2 AND k.user_id = ?3",
};
// Ids are ordered by time.
const LIST: Statement = Statement {
    name: "api_keys.list",
    sql: "SELECT key_id, user_id, product, name, hash, last_four, scopes, per_minute, created_at, expires_at, \
                 revoked_at, replaced_by, last_used_at, 'member' AS role, 1 AS session_stands FROM api_keys \
          WHERE tenant_id = ?1 AND user_id = ?2 AND revoked_at IS NULL AND (?3 IS NULL OR key_id < ?3) \
          ORDER BY key_id DESC LIMIT ?4",
};
const SESSION_STANDS: Statement = Statement {
    name: "api_keys.session_stands",
    sql: "SELECT 1 AS found FROM sessions WHERE tenant_id = ?1 AND session_id = ?2 AND user_id = ?3 AND revoked_at IS NULL",
};
// Of two rotations at once, one finds the row as it was read. What still lives through its overlap counts here.
const REPLACE: Statement = Statement {
    name: "api_keys.replace",
    sql: "UPDATE api_keys SET expires_at = ?4, replaced_by = ?5 \
          WHERE tenant_id = ?1 AND key_id = ?2 AND user_id = ?3 AND replaced_by IS NULL AND revoked_at IS NULL \
            AND (SELECT count(*) FROM api_keys k WHERE k.tenant_id = ?1 AND k.user_id = ?3 AND k.revoked_at IS NULL \
                 AND (k.expires_at IS NULL OR k.expires_at > ?6)) < ?7",
};
const ADD_REPLACEMENT: Statement = Statement {
    name: "api_keys.add_replacement",
    sql: "INSERT INTO api_keys (tenant_id, key_id, user_id, product, name, hash, last_four, scopes, per_minute, created_at, expires_at) \
          SELECT ?1, ?3, k.user_id, k.product, k.name, ?4, ?5, k.scopes, k.per_minute, ?6, ?7 \
          FROM api_keys k WHERE k.tenant_id = ?1 AND k.key_id = ?2 AND k.replaced_by = ?3",
};
const REVOKE: Statement = Statement {
    name: "api_keys.revoke",
    sql: "UPDATE api_keys SET revoked_at = ?4 WHERE tenant_id = ?1 AND key_id = ?2 AND user_id = ?3 AND revoked_at IS NULL",
};
const REVOKE_ALL: Statement = Statement {
    name: "api_keys.revoke_all",
    sql: "UPDATE api_keys SET revoked_at = ?3 WHERE tenant_id = ?1 AND user_id = ?2 AND revoked_at IS NULL",
};
const REVOKED_SINCE: Statement = Statement {
    name: "api_keys.revoked_since",
    sql: "SELECT key_id, product FROM api_keys WHERE tenant_id = ?1 AND user_id = ?2 AND revoked_at >= ?3",
};
const TOUCH: Statement = Statement {
    name: "api_keys.touch",
    sql: "UPDATE api_keys SET last_used_at = ?3 WHERE tenant_id = ?1 AND key_id = ?2 \
            AND (last_used_at IS NULL OR last_used_at <= ?3 - 3600000)",
};
// With the rows of a meter's ledger, whose calls write nothing here.
pub(super) const TOUCH_EXPORTED: Statement = Statement {
    name: "api_keys.touch_exported",
    sql: "UPDATE api_keys SET last_used_at = ?3 WHERE tenant_id = ?1 \
            AND key_id IN (SELECT e.value ->> 'api_key_id' FROM json_each(?2) e) \
            AND (last_used_at IS NULL OR last_used_at <= ?3 - 3600000)",
};

/// A key's row.
#[derive(Debug, Clone, Deserialize)]
pub struct ApiKeyRow {
    key_id: String,
    user_id: String,
    product: String,
    /// What its holder calls it.
    pub name: String,
    hash: String,
    /// The last characters of its text.
    pub last_four: String,
    scopes: String,
    per_minute: Option<u32>,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    replaced_by: Option<String>,
    /// Milliseconds; within an hour.
    pub last_used_at: Option<i64>,
    role: String,
    session_stands: i64,
}

impl ApiKeyRow {
    /// The key; `None` when the row holds what no release of ours has written.
    pub fn key(&self, tenant: TenantId) -> Option<ApiKey> {
        let replaced_by = self.replaced_by.as_deref().map(str::parse).transpose().ok()?;
        Some(ApiKey {
            tenant,
            user: self.user_id.parse().ok()?,
            product: Product::parse(&self.product)?,
            id: self.key_id.parse().ok()?,
            hash: SecretHash::parse(&self.hash)?,
            scopes: Scopes::parse_stored(&self.scopes).ok()?,
            rate: self.per_minute.map(RateLimit::of_key),
            created_at: Timestamp::from_millis(self.created_at),
            expires_at: self.expires_at.map(Timestamp::from_millis),
            revoked_at: self.revoked_at.map(Timestamp::from_millis),
            replaced_by,
        })
    }

    /// A line about it in a mail.
    pub fn line(&self) -> String {
        key_line(&self.name, &self.last_four, self.last_used_at.map(Timestamp::from_millis))
    }

    /// The user's role.
    pub fn role(&self) -> Option<Role> {
        Role::parse(&self.role)
    }

    /// Whether the session that asks still stands.
    pub const fn session_stands(&self) -> bool {
        self.session_stands != 0
    }

    /// Whether its last use is to be written, by the clock.
    pub fn is_touch_due(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|at| at <= now.plus_millis(-TOUCH_EVERY_MS).as_millis())
    }
}

/// Stores a new key; `false` when the user has `most` already.
///
/// # Errors
/// When the database cannot be written.
pub async fn add_api_key(
    scope: &Scope,
    key: &ApiKey,
    name: &str,
    last_four: &str,
    most: u32,
) -> Result<bool, StoreError> {
    let (id, user) = (key.id.to_string(), key.user.to_string());
    let (hash, scopes) = (key.hash.to_string(), key.scopes.to_string());
    let params = [
        Param::Text(&id),
        Param::Text(&user),
        Param::Text(key.product.as_str()),
        Param::Text(name),
        Param::Text(&hash),
        Param::Text(last_four),
        Param::Text(&scopes),
        key.rate.map_or(Param::Null, |rate| Param::Int(i64::from(rate.per_minute))),
        Param::Int(key.created_at.as_millis()),
        instant(key.expires_at),
        Param::Int(i64::from(most)),
    ];
    Ok(TenantDb::of(scope, key.tenant)?.run(ADD, &params).await? == 1)
}

fn instant(at: Option<Timestamp>) -> Param<'static> {
    at.map_or(Param::Null, |at| Param::Int(at.as_millis()))
}

/// A key of a tenant with its user's role, for verifying.
///
/// # Errors
/// When the database cannot be read.
pub async fn find_api_key(scope: &Scope, tenant: TenantId, key: ApiKeyId) -> Result<Option<ApiKeyRow>, StoreError> {
    TenantDb::of(scope, tenant)?.first(FIND, &[Param::Text(&key.to_string())]).await
}

/// A user's own key, with the state of the session that asks.
///
/// # Errors
/// When the database cannot be read.
pub async fn own_api_key(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    key: ApiKeyId,
    session: SessionId,
) -> Result<Option<ApiKeyRow>, StoreError> {
    let (key, user, session) = (key.to_string(), user.to_string(), session.to_string());
    TenantDb::of(scope, tenant)?.first(OWN, &[Param::Text(&key), Param::Text(&user), Param::Text(&session)]).await
}

/// A user's keys that are not revoked, the newest first, from the one after `after`.
///
/// # Errors
/// When the database cannot be read.
pub async fn api_keys(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    after: Option<ApiKeyId>,
    limit: u32,
) -> Result<Vec<ApiKeyRow>, StoreError> {
    let (user, after) = (user.to_string(), after.map(|key| key.to_string()));
    let params = [Param::Text(&user), after.as_deref().into(), Param::Int(i64::from(limit))];
    TenantDb::of(scope, tenant)?.all(LIST, &params).await
}

/// Whether a session still stands.
///
/// # Errors
/// When the database cannot be read.
pub async fn session_stands(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    session: SessionId,
) -> Result<bool, StoreError> {
    let params = [session.to_string(), user.to_string()];
    let [session, user] = &params;
    let found: Option<serde_json::Value> =
        TenantDb::of(scope, tenant)?.first(SESSION_STANDS, &[Param::Text(session), Param::Text(user)]).await?;
    Ok(found.is_some())
}

/// Writes a rotation as one transaction; `false` when the old key is no longer as it was read, or the user has `most` keys
/// that live.
///
/// # Errors
/// When the database cannot be written.
pub async fn replace_api_key(
    scope: &Scope,
    old: &ApiKey,
    new: &ApiKey,
    last_four: &str,
    most: u32,
) -> Result<bool, StoreError> {
    let (old_id, new_id, user) = (old.id.to_string(), new.id.to_string(), old.user.to_string());
    let hash = new.hash.to_string();
    let now = Param::Int(new.created_at.as_millis());
    let changed = TenantDb::of(scope, old.tenant)?
        .batch(&[
            (
                REPLACE,
                vec![
                    Param::Text(&old_id),
                    Param::Text(&user),
                    instant(old.expires_at),
                    Param::Text(&new_id),
                    now,
                    Param::Int(i64::from(most)),
                ],
            ),
            (
                ADD_REPLACEMENT,
                vec![
                    Param::Text(&old_id),
                    Param::Text(&new_id),
                    Param::Text(&hash),
                    Param::Text(last_four),
                    now,
                    instant(new.expires_at),
                ],
            ),
        ])
        .await?;
    Ok(changed == [1, 1])
}

/// Revokes a user's key; `false` when it was revoked before, or is not there.
///
/// # Errors
/// When the database cannot be written.
pub async fn revoke_api_key(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    key: ApiKeyId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (key, user) = (key.to_string(), user.to_string());
    let params = [Param::Text(&key), Param::Text(&user), Param::Int(now.as_millis())];
    Ok(TenantDb::of(scope, tenant)?.run(REVOKE, &params).await? == 1)
}

#[derive(Deserialize)]
struct RevokedRow {
    key_id: String,
    product: String,
}

/// How long ago a key may have been revoked for its meter to be told again.
const TELL_AGAIN_MS: i64 = 60 * 60 * 1000;

/// Revokes all keys of a user; answers those that were good within the last hour, with the product of each: a meter that
/// could not be told is told when this is done again.
///
/// # Errors
/// When the database cannot be written.
pub async fn revoke_all_api_keys(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    now: Timestamp,
) -> Result<Vec<(ApiKeyId, Product)>, StoreError> {
    let user = user.to_string();
    let db = TenantDb::of(scope, tenant)?;
    db.run(REVOKE_ALL, &[Param::Text(&user), Param::Int(now.as_millis())]).await?;
    let since = now.plus_millis(-TELL_AGAIN_MS).as_millis();
    let rows: Vec<RevokedRow> = db.all(REVOKED_SINCE, &[Param::Text(&user), Param::Int(since)]).await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.key_id.parse().ok()?, Product::parse(&row.product)?))).collect())
}

/// Notes that a key was used, unless that was noted within the hour.
///
/// # Errors
/// When the database cannot be written.
pub async fn touch_api_key(scope: &Scope, tenant: TenantId, key: ApiKeyId, now: Timestamp) -> Result<(), StoreError> {
    let key = key.to_string();
    let params = [Param::Text(&key), Param::Int(now.as_millis())];
    // As a query without rows: the hot path has no other use for transactions, and stays small without them.
    TenantDb::of(scope, tenant)?.all::<ApiKeyRow>(TOUCH, &params).await.map(drop)
}
