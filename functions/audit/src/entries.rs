//! `GET /audit`

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::{audit::AuditOut, usage::PageOut};
use tollgate_domain::{page::NumberCursor, time::Timestamp};
use tollgate_platform::{
    Problem, Scope,
    http::{Query, Reply, cursor, cut, limit},
    identity::AdminOf,
    log,
    store::{self, AuditFilter, AuditRow},
};

use crate::span::span;

/// Which entries, and how to page.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    actor: Option<String>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Option<String>,
}

/// Who did what to what, from where: the tenant's log, newest first.
#[utoipa::path(get, path = "/audit", tag = "audit", security(("bearer" = [])),
    params(
        ("action" = Option<String>, Query, description = "Of this action only, e.g. `team.role_change`"),
        ("actor" = Option<String>, Query, description = "By this user or key only"),
        ("from" = Option<String>, Query, description = "A day or an instant"),
        ("to" = Option<String>, Query, description = "A day or an instant, itself not included"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100, 20 when left out"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, body = PageOut<AuditOut>), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn audit(scope: Scope, admin: AdminOf, Query(asked): Query<Asked>) -> Result<Reply, Problem> {
    let limit = limit(asked.limit)?;
    let (from, to) = span(asked.from.as_deref(), asked.to.as_deref())?;
    let before = cursor(asked.cursor.as_deref())?.map_or(u64::from(u32::MAX), |NumberCursor(seq)| u64::from(seq));
    let (action, actor) = (asked.action.as_deref(), asked.actor.as_deref());
    let filter = AuditFilter { before, from, to, action, actor, limit: limit + 1 };
    let rows = store::audit_page(&scope, admin.tenant, filter).await?;
    let (rows, next_cursor) = cut(rows, limit, |row| row.seq.to_string());
    let data = rows.into_iter().filter_map(|row| entry(&scope, row)).collect();
    Ok(Reply::json(StatusCode::OK, &PageOut::<AuditOut> { data, next_cursor }))
}

/// A row as it is answered. One that cannot be read was not written by any release: `GET /audit/verify` tells of it.
pub fn entry(scope: &Scope, row: AuditRow) -> Option<AuditOut> {
    match serde_json::from_str(&row.body) {
        Ok(entry) => Some(AuditOut { seq: row.seq, at: Timestamp::from_millis(row.at), entry, hash: row.hash }),
        Err(error) => {
            log::error("audit", &format!("entry {} cannot be read: {error}", row.seq), Some(scope));
            None
        }
    }
}
