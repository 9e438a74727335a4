//! Mails that were asked for.

use serde::Deserialize;
use tollgate_domain::{id::TenantId, time::Timestamp};

use super::{
    database::{Param, Statement, StoreError, TenantDb},
    deletions::address_hash,
};
use crate::{Scope, mail::Mail};

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[ASKED, STANDING, SENT, TRIED, REPLAYED];

// A mail that was on its way when its reader was deleted leaves nothing, and is not sent.
const ASKED: Statement = Statement {
    name: "mails.asked",
    sql: "INSERT OR IGNORE INTO mails (tenant_id, event, kind, recipient, created_at, body) \
          SELECT ?1, ?2, ?3, ?4, ?5, ?6 FROM tenants t \
          WHERE t.tenant_id = ?1 AND NOT EXISTS (SELECT 1 FROM deletions d WHERE d.tenant_id = ?1 AND d.address = ?7 AND d.requested_at > ?8)",
};
const STANDING: Statement = Statement {
    name: "mails.standing",
    sql: "SELECT sent_at, failed_at, attempts FROM mails WHERE tenant_id = ?1 AND event = ?2",
};
const SENT: Statement = Statement {
    name: "mails.sent",
    sql: "UPDATE mails SET sent_at = ?3, failed_at = NULL, error = NULL, body = iif(?4, body, NULL) \
          WHERE tenant_id = ?1 AND event = ?2 AND sent_at IS NULL",
};
const TRIED: Statement = Statement {
    name: "mails.tried",
    sql: "UPDATE mails SET attempts = attempts + 1, error = ?3, failed_at = ?4, body = coalesce(body, ?5) \
          WHERE tenant_id = ?1 AND event = ?2 AND sent_at IS NULL",
};
// What failed is sent again once, whoever asks how often: the next one finds it waiting.
const REPLAYED: Statement = Statement {
    name: "mails.replayed",
    sql: "UPDATE mails SET failed_at = NULL, attempts = 0 \
          WHERE tenant_id = ?1 AND event = ?2 AND failed_at IS NOT NULL AND sent_at IS NULL AND body IS NOT NULL \
          RETURNING body",
};

/// How long a mail may be on its way to a reader who is deleted meanwhile.
const LATE_MS: i64 = 10 * 60 * 1000;

#[derive(Deserialize)]
struct Standing {
    sent_at: Option<i64>,
    failed_at: Option<i64>,
    attempts: u32,
}

#[derive(Deserialize)]
struct Body {
    body: String,
}

/// Remembers that a mail was asked for; says how often it was tried in vain, and nothing when it is not to be sent (any more).
/// `body` is kept where there is one.
///
/// # Errors
/// When the database cannot be written.
pub async fn mail_asked(
    scope: &Scope,
    mail: &Mail,
    body: Option<&str>,
    now: Timestamp,
) -> Result<Option<u32>, StoreError> {
    let db = TenantDb::of(scope, mail.tenant)?;
    let event = Param::Text(&mail.event);
    let address = address_hash(&mail.to);
    let asked = [
        event,
        Param::Text(&mail.kind),
        Param::Text(&mail.to),
        Param::Int(now.as_millis()),
        body.into(),
        Param::Text(&address),
        Param::Int(now.as_millis() - LATE_MS),
    ];
    db.run(ASKED, &asked).await?;
    let row: Option<Standing> = db.first(STANDING, &[event]).await?;
    Ok(row.filter(|row| row.sent_at.is_none() && row.failed_at.is_none()).map(|row| row.attempts))
}

/// Remembers that a mail was sent, and forgets its text unless it is to be kept.
///
/// # Errors
/// When the database cannot be written.
pub async fn mail_sent(
    scope: &Scope,
    tenant: TenantId,
    event: &str,
    keeps_body: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [Param::Text(event), Param::Int(now.as_millis()), Param::Int(i64::from(keeps_body))];
    TenantDb::of(scope, tenant)?.run(SENT, &params).await.map(drop)
}

/// Remembers that a mail was not taken, and why. `given_up`: it is not tried again by itself, and its text is kept for an
/// operator's replay where there is one.
///
/// # Errors
/// When the database cannot be written.
pub async fn mail_tried(
    scope: &Scope,
    (tenant, event): (TenantId, &str),
    error: &str,
    given_up: Option<Timestamp>,
    body: Option<&str>,
) -> Result<(), StoreError> {
    let failed_at = given_up.map_or(Param::Null, |at| Param::Int(at.as_millis()));
    let params = [Param::Text(event), Param::Text(error), failed_at, body.into()];
    TenantDb::of(scope, tenant)?.run(TRIED, &params).await.map(drop)
}

/// Takes up a mail that had failed: its text, for the queue. `None` when it has not failed, or its text is kept nowhere.
///
/// # Errors
/// When the database cannot be written.
pub async fn mail_replayed(scope: &Scope, tenant: TenantId, event: &str) -> Result<Option<String>, StoreError> {
    let row: Option<Body> = TenantDb::of(scope, tenant)?.first(REPLAYED, &[Param::Text(event)]).await?;
    Ok(row.map(|row| row.body))
}
