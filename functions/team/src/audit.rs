//! `GET /audit`

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::{audit::AuditOut, usage::PageOut};
use tollgate_domain::time::Timestamp;
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Query, Reply},
    identity::AdminOf,
    log,
    store::{self, AuditFilter, AuditRow},
};

use crate::instants;

/// The most rows of a page.
const MAX_LIMIT: u32 = 100;

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
    responses((status = 200, body = PageOut<AuditOut>), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 503, body = Problem)))]
#[worker::send]
pub async fn audit(scope: Scope, admin: AdminOf, Query(asked): Query<Asked>) -> Result<Reply, Problem> {
    let limit = asked.limit.unwrap_or(20);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::new(Code::BadRequest, format!("limit must be 1 to {MAX_LIMIT}.")));
    }
    let (from, to) = instants::span(asked.from.as_deref(), asked.to.as_deref())?;
    let before = asked.cursor.as_deref().map_or(Ok(u64::from(u32::MAX)), cursor)?;
    let (action, actor) = (asked.action.as_deref(), asked.actor.as_deref());
    let filter = AuditFilter { before, from, to, action, actor, limit: limit + 1 };
    let mut rows = store::audit_page(&scope, admin.tenant, filter).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.seq.to_string());
    let data = rows.into_iter().filter_map(|row| entry(&scope, row)).collect();
    Ok(Reply::json(StatusCode::OK, &PageOut::<AuditOut> { data, next_cursor }))
}

fn cursor(text: &str) -> Result<u64, Problem> {
    let number = text.parse::<u32>().ok().filter(|seq| *seq > 0 && seq.to_string() == text);
    number.map(u64::from).ok_or_else(|| Problem::new(Code::BadRequest, "cursor is not the next_cursor of a page."))
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

#[cfg(test)]
mod tests {
    use super::cursor;

    #[test]
    fn only_our_own_cursors_are_taken() {
        assert_eq!(cursor("12"), Ok(12));
        for text in ["", "0", "-1", "012", "+1", "1.0", "99999999999999999999", "1' OR 1=1"] {
            assert!(cursor(text).is_err(), "{text}");
        }
    }
}
