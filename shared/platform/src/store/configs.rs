//! Settings of users.

use serde::Deserialize;
use tollgate_api::config::Precondition;
use tollgate_domain::id::{SessionId, TenantId, UserId};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[CONFIG, PUT];

// One statement answers the settings, and whether the session that asks still stands.
const CONFIG: Statement = Statement {
    name: "configs.config",
    sql: "SELECT coalesce(c.version, 0) AS version, coalesce(c.settings, '{}') AS settings, \
            CASE WHEN s.session_id IS NOT NULL AND s.revoked_at IS NULL THEN 1 ELSE 0 END AS session_stands \
          FROM users u \
          LEFT JOIN user_configs c ON c.tenant_id = ?1 AND c.user_id = u.user_id \
          LEFT JOIN sessions s ON s.tenant_id = ?1 AND s.session_id = ?3 AND s.user_id = u.user_id \
          WHERE u.tenant_id = ?1 AND u.user_id = ?2",
};
// The comparison and the change are one statement: of two writers who saw the same version, one changes a row. ?5: the version
// that must be there; none: any; -2: one that was stored.
const PUT: Statement = Statement {
    name: "configs.put",
    sql: "INSERT INTO user_configs (tenant_id, user_id, version, settings, updated_at) \
          SELECT ?1, ?2, 1, ?3, ?4 FROM users u \
          WHERE u.tenant_id = ?1 AND u.user_id = ?2 AND (?5 IS NULL \
            OR ?5 = coalesce((SELECT c.version FROM user_configs c WHERE c.tenant_id = ?1 AND c.user_id = ?2), 0) \
            OR (?5 = -2 AND EXISTS (SELECT 1 FROM user_configs c WHERE c.tenant_id = ?1 AND c.user_id = ?2))) \
          ON CONFLICT (tenant_id, user_id) \
            DO UPDATE SET version = version + 1, settings = excluded.settings, updated_at = excluded.updated_at \
          RETURNING version",
};

/// A user's settings.
#[derive(Debug, Clone, Deserialize)]
pub struct ConfigRow {
    /// Rises with every change; 0 while nothing was stored.
    pub version: i64,
    /// A JSON object.
    pub settings: String,
    /// 1 while the session that asks stands.
    pub session_stands: i64,
}

#[derive(Deserialize)]
struct Version {
    version: i64,
}

/// A user's settings, with the state of the session that asks, where one does.
///
/// # Errors
/// When the database cannot be read.
pub async fn config(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    session: Option<SessionId>,
) -> Result<Option<ConfigRow>, StoreError> {
    let session = session.map(|session| session.to_string());
    let params = [Param::Text(&user.to_string()), session.as_deref().into()];
    TenantDb::of(scope, tenant)?.first(CONFIG, &params).await
}

/// Replaces a user's settings and answers their version; `None` when the precondition does not hold.
///
/// # Errors
/// When the database cannot be written.
pub async fn put_config(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    settings: &str,
    precondition: Precondition,
) -> Result<Option<i64>, StoreError> {
    let expected = match precondition {
        Precondition::None => Param::Null,
        Precondition::Stored => Param::Int(-2),
        Precondition::Version(version) => Param::Int(version),
    };
    let params = [Param::Text(&user.to_string()), Param::Text(settings), Param::Int(scope.now().as_millis()), expected];
    let row: Option<Version> = TenantDb::of(scope, tenant)?.first(PUT, &params).await?;
    Ok(row.map(|row| row.version))
}
