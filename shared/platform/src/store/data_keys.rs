//! The tenants' data keys, sealed. What seals and opens them is in [`crate::vault`].

use serde::Deserialize;
use tollgate_domain::{id::TenantId, time::Timestamp};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[OF_TENANT, ADD, REWRAP];

const OF_TENANT: Statement = Statement {
    name: "data_keys.of_tenant",
    sql: "SELECT sealed FROM data_keys WHERE tenant_id = ?1 ORDER BY version",
};
// Of two requests that make a tenant's first key at once, one wins, and both read that one.
const ADD: Statement = Statement {
    name: "data_keys.add",
    sql: "INSERT INTO data_keys (tenant_id, version, master_version, sealed, created_at) VALUES (?1, ?2, ?3, ?4, ?5) \
          ON CONFLICT (tenant_id, version) DO NOTHING",
};
// Compared with what was read: a run that was overtaken by another changes nothing.
pub(super) const REWRAP: Statement = Statement {
    name: "data_keys.rewrap",
    sql: "UPDATE data_keys SET sealed = ?4, master_version = ?5 WHERE tenant_id = ?1 AND version = ?2 AND sealed = ?3",
};

#[derive(Deserialize)]
struct Row {
    sealed: String,
}

/// A tenant's data keys, oldest first, sealed.
///
/// # Errors
/// When the database cannot be read.
pub async fn data_keys(scope: &Scope, tenant: TenantId) -> Result<Vec<String>, StoreError> {
    let rows: Vec<Row> = TenantDb::of(scope, tenant)?.all(OF_TENANT, &[]).await?;
    Ok(rows.into_iter().map(|row| row.sealed).collect())
}

/// Stores a data key unless there is one of its version.
///
/// # Errors
/// When the database cannot be written.
pub async fn add_data_key(
    scope: &Scope,
    tenant: TenantId,
    version: u32,
    master_version: u32,
    sealed: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        Param::Int(i64::from(version)),
        Param::Int(i64::from(master_version)),
        Param::Text(sealed),
        Param::Int(now.as_millis()),
    ];
    TenantDb::of(scope, tenant)?.run(ADD, &params).await.map(drop)
}
