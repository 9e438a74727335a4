//! Mails of all tenants, for the operator; with the reason.

use serde::Deserialize;
use tollgate_domain::id::TenantId;
use wasm_bindgen::JsValue;

use super::{
    database::{Database, Statement, StoreError},
    shards,
};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[FAILED];

// What could not be sent is the operator's to mend, whoever it was for.
const FAILED: Statement = Statement {
    name: "directory_mails.failed",
    sql: "SELECT tenant_id, event, kind, recipient, created_at, attempts, failed_at, error, body IS NOT NULL AS replayable \
          FROM mails WHERE failed_at IS NOT NULL AND (failed_at, tenant_id, event) < (?1, ?2, ?3) \
          ORDER BY failed_at DESC, tenant_id DESC, event DESC LIMIT ?4",
};

/// A mail that was given up.
#[derive(Debug, Clone, Deserialize)]
pub struct FailedMail {
    /// Whose.
    pub tenant_id: TenantId,
    /// What it is about.
    pub event: String,
    /// Its kind.
    pub kind: String,
    /// The address.
    pub recipient: String,
    /// Milliseconds.
    pub created_at: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// Milliseconds.
    pub failed_at: i64,
    /// What whoever was to carry it said.
    pub error: Option<String>,
    /// 1 when its text is kept.
    pub replayable: u8,
}

/// Where a page of failed mails ended.
#[derive(Debug, Clone)]
pub struct Place {
    /// Milliseconds.
    pub failed_at: i64,
    /// The tenant.
    pub tenant: String,
    /// The event.
    pub event: String,
}

/// Mails that were given up, newest first, behind a place.
///
/// # Errors
/// When a database cannot be read.
pub async fn failed_mails(scope: &Scope, behind: &Place, limit: u32) -> Result<Vec<FailedMail>, StoreError> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds are below 2^53")]
    let params = [
        JsValue::from_f64(behind.failed_at as f64),
        JsValue::from_str(&behind.tenant),
        JsValue::from_str(&behind.event),
        JsValue::from_f64(f64::from(limit)),
    ];
    let mut all: Vec<FailedMail> = Vec::new();
    for shard in shards(scope) {
        all.extend(Database::of(scope, shard)?.all::<FailedMail>(FAILED, &params).await?);
    }
    let place = |mail: &FailedMail| (mail.failed_at, mail.tenant_id.to_string(), mail.event.clone());
    all.sort_by_key(|mail| core::cmp::Reverse(place(mail)));
    all.truncate(limit as usize);
    Ok(all)
}
