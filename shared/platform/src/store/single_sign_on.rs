//! A team's single sign-on: its provider and its domains.

use serde::Deserialize;
use tollgate_domain::{id::TenantId, time::Timestamp};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[SET, READ, REMOVE, DOMAINS, CLAIM, PROVEN, GIVE_UP];

const SET: Statement = Statement {
    name: "single_sign_on.set",
    sql: "INSERT INTO single_sign_on (tenant_id, issuer, client_id, client_secret, changed_at) VALUES (?1, ?2, ?3, ?4, ?5) \
          ON CONFLICT (tenant_id) DO UPDATE SET issuer = excluded.issuer, client_id = excluded.client_id, \
            client_secret = excluded.client_secret, changed_at = excluded.changed_at",
};
const READ: Statement = Statement {
    name: "single_sign_on.read",
    sql: "SELECT issuer, client_id, client_secret, changed_at FROM single_sign_on WHERE tenant_id = ?1",
};
const REMOVE: Statement =
    Statement { name: "single_sign_on.remove", sql: "DELETE FROM single_sign_on WHERE tenant_id = ?1" };
const DOMAINS: Statement = Statement {
    name: "single_sign_on.domains",
    sql: "SELECT domain, token, verified_at FROM sign_on_domains WHERE tenant_id = ?1 ORDER BY domain",
};
// A domain that is claimed again keeps its token: whoever set the record need not set another.
const CLAIM: Statement = Statement {
    name: "single_sign_on.claim",
    sql: "INSERT INTO sign_on_domains (tenant_id, domain, token, claimed_at) VALUES (?1, ?2, ?3, ?4) \
          ON CONFLICT (tenant_id, domain) DO NOTHING",
};
// Fails when another tenant has it.
const PROVEN: Statement = Statement {
    name: "single_sign_on.proven",
    sql: "UPDATE sign_on_domains SET verified_at = ?3 WHERE tenant_id = ?1 AND domain = ?2 AND verified_at IS NULL",
};
const GIVE_UP: Statement = Statement {
    name: "single_sign_on.give_up",
    sql: "DELETE FROM sign_on_domains WHERE tenant_id = ?1 AND domain = ?2",
};

/// A team's provider.
#[derive(Debug, Clone, Deserialize)]
pub struct SsoRow {
    /// The issuer.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// Sealed.
    pub client_secret: String,
    /// Milliseconds.
    pub changed_at: i64,
}

/// A domain that a team claims.
#[derive(Debug, Clone, Deserialize)]
pub struct DomainRow {
    /// The domain.
    pub domain: String,
    /// What stands in the record that proves it.
    pub token: String,
    /// Milliseconds, once it was proven.
    pub verified_at: Option<i64>,
}

/// Sets the provider.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_sso(
    scope: &Scope,
    tenant: TenantId,
    issuer: &str,
    client_id: &str,
    sealed_secret: &str,
) -> Result<(), StoreError> {
    let now = Param::Int(scope.now().as_millis());
    let params = [Param::Text(issuer), Param::Text(client_id), Param::Text(sealed_secret), now];
    TenantDb::of(scope, tenant)?.run(SET, &params).await.map(drop)
}

/// The provider, if there is one.
///
/// # Errors
/// When the database cannot be read.
pub async fn sso(scope: &Scope, tenant: TenantId) -> Result<Option<SsoRow>, StoreError> {
    TenantDb::of(scope, tenant)?.first(READ, &[]).await
}

/// Removes the provider; `false` when there was none.
///
/// # Errors
/// When the database cannot be written.
pub async fn remove_sso(scope: &Scope, tenant: TenantId) -> Result<bool, StoreError> {
    Ok(TenantDb::of(scope, tenant)?.run(REMOVE, &[]).await? == 1)
}

/// The domains that are claimed, proven or not.
///
/// # Errors
/// When the database cannot be read.
pub async fn sso_domains(scope: &Scope, tenant: TenantId) -> Result<Vec<DomainRow>, StoreError> {
    TenantDb::of(scope, tenant)?.all(DOMAINS, &[]).await
}

/// Claims a domain; `false` when it was claimed before.
///
/// # Errors
/// When the database cannot be written.
pub async fn claim_domain(scope: &Scope, tenant: TenantId, domain: &str, token: &str) -> Result<bool, StoreError> {
    let params = [Param::Text(domain), Param::Text(token), Param::Int(scope.now().as_millis())];
    Ok(TenantDb::of(scope, tenant)?.run(CLAIM, &params).await? == 1)
}

/// Notes that a domain was proven; `false` when it was before.
///
/// # Errors
/// `Taken("sign_on_domains.domain")` when another tenant has proven it.
pub async fn domain_proven(scope: &Scope, tenant: TenantId, domain: &str, now: Timestamp) -> Result<bool, StoreError> {
    let params = [Param::Text(domain), Param::Int(now.as_millis())];
    Ok(TenantDb::of(scope, tenant)?.run(PROVEN, &params).await? == 1)
}

/// Gives a domain up; `false` when it was not claimed.
///
/// # Errors
/// When the database cannot be written.
pub async fn give_domain_up(scope: &Scope, tenant: TenantId, domain: &str) -> Result<bool, StoreError> {
    Ok(TenantDb::of(scope, tenant)?.run(GIVE_UP, &[Param::Text(domain)]).await? == 1)
}
