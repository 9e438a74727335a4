//! Sessions: one a device, continued by refresh tokens.

use serde::Deserialize;
use tollgate_domain::{
    id::{SessionId, TenantId, UserId},
    time::Timestamp,
};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[OPEN, ROTATE, SESSION, END];

const OPEN: Statement = Statement {
    name: "sessions.open",
    sql: "INSERT INTO sessions (tenant_id, session_id, user_id, refresh_hash, user_agent, created_at, refreshed_at, expires_at) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
};
// The comparison and the change are one statement: of two uses at once, one changes a row.
const ROTATE: Statement = Statement {
    name: "sessions.rotate",
    sql: "UPDATE sessions SET refresh_hash = ?4, refreshed_at = ?5, expires_at = ?6 \
          WHERE tenant_id = ?1 AND session_id = ?2 AND refresh_hash = ?3 AND revoked_at IS NULL AND expires_at > ?5",
};
const SESSION: Statement = Statement {
    name: "sessions.session",
    sql: "SELECT s.user_id, s.expires_at, s.revoked_at, s.refresh_hash, u.role, u.product \
          FROM sessions s JOIN users u ON u.tenant_id = ?1 AND u.user_id = s.user_id \
          WHERE s.tenant_id = ?1 AND s.session_id = ?2",
};
const END: Statement = Statement {
    name: "sessions.end",
    sql: "UPDATE sessions SET revoked_at = ?3 WHERE tenant_id = ?1 AND session_id = ?2 AND revoked_at IS NULL",
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
    /// Hash of the refresh token.
    pub refresh_hash: &'a str,
    /// What the device calls itself.
    pub user_agent: Option<&'a str>,
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
    pub expires_at: i64,
    /// Milliseconds, when it was ended.
    pub revoked_at: Option<i64>,
    /// Hash of the refresh token that is good now.
    pub refresh_hash: String,
    /// The user's role.
    pub role: String,
    /// What the user registered for.
    pub product: String,
}

/// Opens a session.
pub async fn open_session(scope: &Scope, session: &NewSession<'_>) -> Result<(), StoreError> {
    TenantDb::of(scope, session.tenant)?
        .run(
            OPEN,
            &[
                Param::Text(&session.id.to_string()),
                Param::Text(&session.user.to_string()),
                Param::Text(session.refresh_hash),
                session.user_agent.into(),
                Param::Int(session.now.as_millis()),
                Param::Int(session.expires_at.as_millis()),
            ],
        )
        .await
        .map(drop)
}

/// Replaces the refresh token that is good by a new one; `false` when the old one is not (any more).
pub async fn rotate(
    scope: &Scope,
    tenant: TenantId,
    session: SessionId,
    old_hash: &str,
    new_hash: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<bool, StoreError> {
    let changed = TenantDb::of(scope, tenant)?
        .run(
            ROTATE,
            &[
                Param::Text(&session.to_string()),
                Param::Text(old_hash),
                Param::Text(new_hash),
                Param::Int(now.as_millis()),
                Param::Int(expires_at.as_millis()),
            ],
        )
        .await?;
    Ok(changed == 1)
}

/// A session of a tenant.
pub async fn session(scope: &Scope, tenant: TenantId, session: SessionId) -> Result<Option<SessionRow>, StoreError> {
    TenantDb::of(scope, tenant)?.first(SESSION, &[Param::Text(&session.to_string())]).await
}

/// Ends a session; ending it again changes nothing.
pub async fn end_session(
    scope: &Scope,
    tenant: TenantId,
    session: SessionId,
    now: Timestamp,
) -> Result<(), StoreError> {
    TenantDb::of(scope, tenant)?
        .run(END, &[Param::Text(&session.to_string()), Param::Int(now.as_millis())])
        .await
        .map(drop)
}
