//! Statements of sign-ins through other parties that no tenant is known for yet, each with its reason.

use serde::{Deserialize, de::DeserializeOwned};
use tollgate_domain::{account::Email, id::Shard, time::Timestamp};
use wasm_bindgen::JsValue;

use super::{
    database::{Database, Statement, StoreError, bound_shards},
    directory::credential_of,
};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] =
    &[ADD_FLOW, DROP_FLOWS, DROP_CODES, TAKE_FLOW, TAKE_CODE, ACCOUNT_BY_SUBJECT, DOMAIN_TENANT];

// Whoever begins a sign-in is nobody yet, so a flow belongs to no tenant: the browser's secret is the key to it.
const ADD_FLOW: Statement = Statement {
    name: "directory_federation.add_flow",
    sql: "INSERT INTO sign_in_flows (state_hash, browser_hash, realm, verifier, nonce, return_to, expires_at) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
};

// Those who never came back leave rows of no tenant behind: each new flow clears what is over.
const DROP_FLOWS: Statement =
    Statement { name: "directory_federation.drop_flows", sql: "DELETE FROM sign_in_flows WHERE expires_at <= ?1" };

// Codes that were never exchanged belong to tenants that nobody asks for: they are cleared for all of them at once.
const DROP_CODES: Statement =
    Statement { name: "directory_federation.drop_codes", sql: "DELETE FROM sign_in_codes WHERE expires_at <= ?1" };

// A callback knows its state and its cookie and no tenant. Read and removed in one: of two callbacks at once one gets it.
const TAKE_FLOW: Statement = Statement {
    name: "directory_federation.take_flow",
    sql: "DELETE FROM sign_in_flows WHERE state_hash = ?1 AND browser_hash = ?2 AND expires_at > ?3 \
          RETURNING realm, verifier, nonce, return_to",
};

// A page that exchanges its code knows no tenant: the code says whose it is, once.
const TAKE_CODE: Statement = Statement {
    name: "directory_federation.take_code",
    sql: "DELETE FROM sign_in_codes WHERE code_hash = ?1 AND expires_at > ?2 AND (browser_hash IS NULL OR browser_hash = ?3) \
          RETURNING tenant_id, user_id, realm, is_new",
};

// A provider knows a subject and no tenant; the link is on the tenant's shard.
const ACCOUNT_BY_SUBJECT: Statement = Statement {
    name: "directory_federation.account_by_subject",
    sql: "SELECT p.tenant_id, p.user_id, u.password_hash, u.email_verified, u.email \
          FROM provider_identities p JOIN users u ON u.tenant_id = p.tenant_id AND u.user_id = p.user_id \
          WHERE p.realm = ?1 AND p.issuer = ?2 AND p.subject = ?3",
};

// Somebody types an address at the sign-in: whose single sign-on its domain belongs to is asked before a tenant is known.
const DOMAIN_TENANT: Statement = Statement {
    name: "directory_federation.domain_tenant",
    sql: "SELECT tenant_id FROM sign_on_domains WHERE domain = ?1 AND verified_at IS NOT NULL",
};

/// A sign-in that begins.
#[derive(Debug, Clone, Copy)]
pub struct NewFlow<'a> {
    /// The hash of the state.
    pub state_hash: &'a str,
    /// The hash of the browser's cookie.
    pub browser_hash: &'a str,
    /// Whose word is asked for.
    pub realm: &'a str,
    /// The PKCE verifier.
    pub verifier: &'a str,
    /// What the ID token must repeat.
    pub nonce: &'a str,
    /// Where the browser goes afterwards.
    pub return_to: Option<&'a str>,
    /// The first instant at which it is over.
    pub expires_at: Timestamp,
}

/// A sign-in that came back.
#[derive(Debug, Clone, Deserialize)]
pub struct FlowRow {
    /// Whose word was asked for.
    pub realm: String,
    /// The PKCE verifier.
    pub verifier: String,
    /// What the ID token must repeat.
    pub nonce: String,
    /// Where the browser goes afterwards.
    pub return_to: Option<String>,
}

/// Whom a code is for.
#[derive(Debug, Clone, Deserialize)]
pub struct CodeRow {
    /// The tenant.
    pub tenant_id: String,
    /// The user.
    pub user_id: String,
    /// Through whom they signed in.
    pub realm: String,
    /// 1 when the account was made just now.
    pub is_new: i64,
}

/// An account, as a sign-in through another party needs it.
#[derive(Debug, Clone, Deserialize)]
pub struct HolderRow {
    /// The tenant.
    pub tenant_id: String,
    /// The user.
    pub user_id: String,
    /// What stands for the password: see [`crate::sign_in::open`].
    pub password_hash: String,
    /// 1 when the address was confirmed.
    pub email_verified: i64,
    /// The address.
    pub email: String,
}

#[derive(Deserialize)]
struct TenantRow {
    tenant_id: String,
}

fn text(text: &str) -> JsValue {
    JsValue::from_str(text)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds are below 2^53")]
fn at(instant: Timestamp) -> JsValue {
    JsValue::from_f64(instant.as_millis() as f64)
}

/// Remembers a flow, and forgets what is over.
///
/// # Errors
/// When the database cannot be written.
pub async fn add_flow(scope: &Scope, flow: &NewFlow<'_>) -> Result<(), StoreError> {
    let now = at(scope.now());
    let row = vec![
        text(flow.state_hash),
        text(flow.browser_hash),
        text(flow.realm),
        text(flow.verifier),
        text(flow.nonce),
        flow.return_to.map_or(JsValue::NULL, text),
        at(flow.expires_at),
    ];
    let writes = [(DROP_FLOWS, vec![now.clone()]), (DROP_CODES, vec![now.clone()]), (ADD_FLOW, row)];
    Database::of(scope, Shard::FIRST)?.batch(&writes).await?;
    for shard in bound_shards(scope.env()).filter(|shard| *shard != Shard::FIRST) {
        Database::of(scope, shard)?.batch(&[(DROP_CODES, vec![now.clone()])]).await?;
    }
    Ok(())
}

/// The first row that a statement answers, asked on one shard after the other.
async fn on_any_shard<T: DeserializeOwned>(
    scope: &Scope,
    statement: Statement,
    params: &[JsValue],
) -> Result<Option<T>, StoreError> {
    for shard in bound_shards(scope.env()) {
        let rows: Vec<T> = Database::of(scope, shard)?.all(statement, params).await?;
        if let Some(row) = rows.into_iter().next() {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// Takes a flow out: `None` when there is none of that state and browser, or its time is over.
///
/// # Errors
/// When the database cannot be written.
pub async fn take_flow(scope: &Scope, state_hash: &str, browser_hash: &str) -> Result<Option<FlowRow>, StoreError> {
    let params = [text(state_hash), text(browser_hash), at(scope.now())];
    let rows = Database::of(scope, Shard::FIRST)?.all(TAKE_FLOW, &params).await?;
    Ok(rows.into_iter().next())
}

/// Takes a code out: `None` when it is not good (any more), or another browser's.
///
/// # Errors
/// When the database cannot be written.
pub async fn take_code(
    scope: &Scope,
    code_hash: &str,
    browser_hash: Option<&str>,
) -> Result<Option<CodeRow>, StoreError> {
    let params = [text(code_hash), at(scope.now()), browser_hash.map_or(JsValue::NULL, text)];
    on_any_shard(scope, TAKE_CODE, &params).await
}

/// Whose account a provider's subject opens.
///
/// # Errors
/// When the database cannot be read.
pub async fn account_by_subject(
    scope: &Scope,
    realm: &str,
    issuer: &str,
    subject: &str,
) -> Result<Option<HolderRow>, StoreError> {
    let params = [text(realm), text(issuer), text(subject)];
    on_any_shard(scope, ACCOUNT_BY_SUBJECT, &params).await
}

/// Whose address this is, and whether it is confirmed.
///
/// # Errors
/// When the database cannot be read.
pub async fn holder(scope: &Scope, email: &Email) -> Result<Option<HolderRow>, StoreError> {
    credential_of(scope, email).await
}

/// The tenant that has proven that a domain is its own.
///
/// # Errors
/// When the database cannot be read.
pub async fn domain_tenant(scope: &Scope, domain: &str) -> Result<Option<String>, StoreError> {
    let row: Option<TenantRow> = on_any_shard(scope, DOMAIN_TENANT, &[text(domain)]).await?;
    Ok(row.map(|row| row.tenant_id))
}
