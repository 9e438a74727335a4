//! Mails that were asked for.

use serde::Deserialize;
use tollgate_domain::{id::TenantId, time::Timestamp};

use super::{
    database::{Param, Statement, StoreError, TenantDb},
    deletions::address_hash,
};
use crate::{Scope, mail::Mail};

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[ASKED, IS_SENT, SENT];

// A mail that was on its way when its reader was deleted leaves nothing, and is not sent.
const ASKED: Statement = Statement {
    name: "mails.asked",
    sql: "INSERT OR IGNORE INTO mails (tenant_id, event, kind, recipient, created_at, body) \
          SELECT ?1, ?2, ?3, ?4, ?5, ?6 FROM tenants t \
          WHERE t.tenant_id = ?1 AND NOT EXISTS (SELECT 1 FROM deletions d WHERE d.tenant_id = ?1 AND d.address = ?7 AND d.requested_at > ?8)",
};
const IS_SENT: Statement =
    Statement { name: "mails.is_sent", sql: "SELECT sent_at FROM mails WHERE tenant_id = ?1 AND event = ?2" };
const SENT: Statement = Statement {
    name: "mails.sent",
    sql: "UPDATE mails SET sent_at = ?3 WHERE tenant_id = ?1 AND event = ?2 AND sent_at IS NULL",
};

/// How long a mail may be on its way to a reader who is deleted meanwhile.
const LATE_MS: i64 = 10 * 60 * 1000;

#[derive(Deserialize)]
struct SentAt {
    sent_at: Option<i64>,
}

/// Remembers that a mail was asked for; says whether it still is to be sent. `body` is kept where there is one.
///
/// # Errors
/// When the database cannot be written.
pub async fn mail_asked(scope: &Scope, mail: &Mail, body: Option<&str>, now: Timestamp) -> Result<bool, StoreError> {
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
    let row: Option<SentAt> = db.first(IS_SENT, &[event]).await?;
    Ok(row.is_some_and(|row| row.sent_at.is_none()))
}

/// Remembers that a mail was sent.
///
/// # Errors
/// When the database cannot be written.
pub async fn mail_sent(scope: &Scope, tenant: TenantId, event: &str, now: Timestamp) -> Result<(), StoreError> {
    TenantDb::of(scope, tenant)?.run(SENT, &[Param::Text(event), Param::Int(now.as_millis())]).await.map(drop)
}
