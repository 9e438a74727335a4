//! Sessions: one a device, continued by refresh tokens.

use serde::Deserialize;
use tollgate_domain::{
    catalogue::Product,
    id::{SessionId, TenantId, UserId},
    time::Timestamp,
};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[OPEN, ROTATE, SESSION, END, DEVICES, LIST, LISTED, RECENT, PRODUCTS];

// Only while the password is the one that was looked at: a sign-in that a reset overtakes opens nothing.
const OPEN: Statement = Statement {
    name: "sessions.open",
    sql: "INSERT INTO sessions (tenant_id, session_id, user_id, refresh_hash, tag_key, user_agent, address, country, city, \
                                created_at, refreshed_at, expires_at) \
          SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11 \
          FROM users u WHERE u.tenant_id = ?1 AND u.user_id = ?3 AND u.password_hash = ?12",
};
// The comparison and the change are one statement: of two uses at once, one changes a row.
const ROTATE: Statement = Statement {
    name: "sessions.rotate",
    sql: "UPDATE sessions SET previous_hash = refresh_hash, refresh_hash = ?4, successor = ?5, refreshed_at = ?6, expires_at = ?7 \
          WHERE tenant_id = ?1 AND session_id = ?2 AND refresh_hash = ?3 AND revoked_at IS NULL AND expires_at > ?6",
};
const SESSION: Statement = Statement {
    name: "sessions.session",
    sql: "SELECT s.user_id, s.refreshed_at, s.expires_at, s.revoked_at, s.refresh_hash, s.tag_key, s.previous_hash, \
                 s.successor, u.role, u.product \
          FROM sessions s JOIN users u ON u.tenant_id = ?1 AND u.user_id = s.user_id \
          WHERE s.tenant_id = ?1 AND s.session_id = ?2",
};
const END: Statement = Statement {
    name: "sessions.end",
    sql: "UPDATE sessions SET revoked_at = ?3 WHERE tenant_id = ?1 AND session_id = ?2 AND revoked_at IS NULL",
};
const DEVICES: Statement = Statement {
    name: "sessions.devices",
    sql: "SELECT COUNT(*) AS sessions, COALESCE(SUM(COALESCE(s.user_agent, '') = ?3), 0) AS of_this_device \
          FROM sessions s WHERE s.tenant_id = ?1 AND s.user_id = ?2",
};
const LIST: Statement = Statement {
    name: "sessions.list",
    sql: "SELECT s.session_id, s.user_agent, s.address, s.country, s.city, s.created_at, s.refreshed_at, s.expires_at \
          FROM sessions s \
          WHERE s.tenant_id = ?1 AND s.user_id = ?2 AND s.revoked_at IS NULL AND s.expires_at > ?3 \
          ORDER BY s.refreshed_at DESC, s.session_id DESC LIMIT ?4",
};
const LISTED: Statement = Statement {
    name: "sessions.listed",
    sql: "SELECT s.session_id, s.user_agent, s.address, s.country, s.city, s.created_at, s.refreshed_at, s.expires_at \
          FROM sessions s \
          WHERE s.tenant_id = ?1 AND s.user_id = ?2 AND s.session_id = ?3 AND s.revoked_at IS NULL AND s.expires_at > ?4",
};
// Sessions that an access token may still be out for, also when they were ended just now.
const RECENT: Statement = Statement {
    name: "sessions.recent",
    sql: "SELECT s.session_id FROM sessions s WHERE s.tenant_id = ?1 AND s.user_id = ?2 AND s.refreshed_at > ?3 \
          AND (s.revoked_at IS NULL OR s.revoked_at >= ?4)",
};
const PRODUCTS: Statement = Statement {
    name: "sessions.products",
    sql: "SELECT p.product FROM subscriptions p WHERE p.tenant_id = ?1 AND p.user_id = ?2",
};

/// A session to be opened.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// Its id.
    pub id: SessionId,
    /// The tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// The stored hash of the password that was looked at.
    pub password_hash: &'a str,
    /// Hash of the refresh token.
    pub refresh_hash: &'a str,
    /// What its refresh tokens are tagged with.
    pub tag_key: &'a str,
    /// What the device calls itself.
    pub user_agent: Option<&'a str>,
    /// The address it comes from.
    pub address: Option<&'a str>,
    /// The country of that address.
    pub country: Option<&'a str>,
    /// The city of that address.
    pub city: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
    /// When it ends unless it is refreshed.
    pub expires_at: Timestamp,
}

/// A session with what a new access token needs.
#[derive(Debug, Clone, Deserialize)]
pub struct SessionRow {
    /// The user.
    pub user_id: String,
    /// Milliseconds.
    pub refreshed_at: i64,
    /// Milliseconds.
    pub expires_at: i64,
    /// Milliseconds, when it was ended.
    pub revoked_at: Option<i64>,
    /// Hash of the refresh token that is good now.
    pub refresh_hash: String,
    /// What its refresh tokens are tagged with; sessions of before do not have it.
    pub tag_key: Option<String>,
    /// Hash of the refresh token that was good before.
    pub previous_hash: Option<String>,
    /// The one that is good now, sealed under the one before.
    pub successor: Option<String>,
    /// The user's role.
    pub role: String,
    /// What the user registered for.
    pub product: String,
}

/// A session as its user sees it.
#[derive(Debug, Clone, Deserialize)]
pub struct ListedSession {
    /// Its id.
    pub session_id: String,
    /// What the device calls itself.
    pub user_agent: Option<String>,
    /// The address it was opened from.
    pub address: Option<String>,
    /// The country of that address.
    pub country: Option<String>,
    /// The city of that address.
    pub city: Option<String>,
    /// Milliseconds.
    pub created_at: i64,
    /// Milliseconds.
    pub refreshed_at: i64,
    /// Milliseconds.
    pub expires_at: i64,
}

/// A refresh token and the one that takes its place.
#[derive(Debug)]
pub struct Rotation<'a> {
    /// The hash of the one that is good.
    pub old_hash: &'a str,
    /// The hash of the next one.
    pub new_hash: &'a str,
    /// The next one, sealed under the one before.
    pub successor: &'a str,
    /// Now.
    pub now: Timestamp,
    /// When the session ends unless it is refreshed again.
    pub expires_at: Timestamp,
}

#[derive(Deserialize)]
struct Devices {
    sessions: i64,
    of_this_device: i64,
}

#[derive(Deserialize)]
struct Id {
    session_id: String,
}

#[derive(Deserialize)]
struct ProductName {
    product: String,
}

/// Opens a session; `false` when the password is another one by now.
pub async fn open_session(scope: &Scope, session: &NewSession<'_>) -> Result<bool, StoreError> {
    let changed = TenantDb::of(scope, session.tenant)?
        .run(
            OPEN,
            &[
                Param::Text(&session.id.to_string()),
                Param::Text(&session.user.to_string()),
                Param::Text(session.refresh_hash),
                Param::Text(session.tag_key),
                session.user_agent.into(),
                session.address.into(),
                session.country.into(),
                session.city.into(),
                Param::Int(session.now.as_millis()),
                Param::Int(session.expires_at.as_millis()),
                Param::Text(session.password_hash),
            ],
        )
        .await?;
    Ok(changed == 1)
}

/// Replaces the refresh token that is good by a new one; `false` when the old one is not (any more).
pub async fn rotate(
    scope: &Scope,
    tenant: TenantId,
    session: SessionId,
    rotation: &Rotation<'_>,
) -> Result<bool, StoreError> {
    let changed = TenantDb::of(scope, tenant)?
        .run(
            ROTATE,
            &[
                Param::Text(&session.to_string()),
                Param::Text(rotation.old_hash),
                Param::Text(rotation.new_hash),
                Param::Text(rotation.successor),
                Param::Int(rotation.now.as_millis()),
                Param::Int(rotation.expires_at.as_millis()),
            ],
        )
        .await?;
    Ok(changed == 1)
}

/// A session of a tenant.
pub async fn session(scope: &Scope, tenant: TenantId, session: SessionId) -> Result<Option<SessionRow>, StoreError> {
    TenantDb::of(scope, tenant)?.first(SESSION, &[Param::Text(&session.to_string())]).await
}

/// Ends a session; `false` when it was ended before.
pub async fn end_session(
    scope: &Scope,
    tenant: TenantId,
    session: SessionId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let changed = TenantDb::of(scope, tenant)?
        .run(END, &[Param::Text(&session.to_string()), Param::Int(now.as_millis())])
        .await?;
    Ok(changed == 1)
}

/// Whether a user signed in before, and never on a device that calls itself so.
pub async fn is_new_device(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    user_agent: Option<&str>,
) -> Result<bool, StoreError> {
    let db = TenantDb::of(scope, tenant)?;
    let found: Option<Devices> =
        db.first(DEVICES, &[Param::Text(&user.to_string()), Param::Text(user_agent.unwrap_or_default())]).await?;
    Ok(found.is_some_and(|devices| devices.sessions > 0 && devices.of_this_device == 0))
}

/// A user's sessions, the one that was used last first.
pub async fn sessions(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<ListedSession>, StoreError> {
    let params = [Param::Text(&user.to_string()), Param::Int(now.as_millis()), Param::Int(i64::from(limit))];
    TenantDb::of(scope, tenant)?.all(LIST, &params).await
}

/// One session of a user, while it stands.
pub async fn listed_session(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    session: SessionId,
    now: Timestamp,
) -> Result<Option<ListedSession>, StoreError> {
    let params = [Param::Text(&user.to_string()), Param::Text(&session.to_string()), Param::Int(now.as_millis())];
    TenantDb::of(scope, tenant)?.first(LISTED, &params).await
}

/// A user's sessions that were refreshed after an instant and stand, or were ended at another one or later.
pub async fn recent_sessions(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    refreshed_after: Timestamp,
    ended_from: Timestamp,
) -> Result<Vec<SessionId>, StoreError> {
    let params =
        [Param::Text(&user.to_string()), Param::Int(refreshed_after.as_millis()), Param::Int(ended_from.as_millis())];
    let rows: Vec<Id> = TenantDb::of(scope, tenant)?.all(RECENT, &params).await?;
    Ok(rows.iter().filter_map(|row| row.session_id.parse().ok()).collect())
}

/// What a user subscribes to.
pub async fn users_products(scope: &Scope, tenant: TenantId, user: UserId) -> Result<Vec<Product>, StoreError> {
    let rows: Vec<ProductName> = TenantDb::of(scope, tenant)?.all(PRODUCTS, &[Param::Text(&user.to_string())]).await?;
    Ok(rows.iter().filter_map(|row| Product::parse(&row.product)).collect())
}
