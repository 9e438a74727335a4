//! `GET /audit/export`

use serde::Deserialize;
use tollgate_api::audit::AuditOut;
use tollgate_domain::{
    audit::{Action, Outcome},
    id::TenantId,
    time::Timestamp,
};
use tollgate_platform::{
    Problem, Scope, audit,
    http::{Export, Format, Query, Reply, export},
    identity::{AdminOf, actor},
    store::{self, AuditFilter},
};

use crate::{entries::entry, span::span};

/// Rows read at a time: what the stream holds in memory.
const ROWS_AT_ONCE: u32 = 500;

/// What to export.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    format: Option<String>,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    actor: Option<String>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
}

/// What is exported, and where the page before ended.
struct Rows {
    tenant: TenantId,
    asked: Asked,
    from: Timestamp,
    to: Timestamp,
    before: Option<u64>,
}

impl Export for Rows {
    type Row = AuditOut;

    const FILE: &'static str = "audit";

    #[rustfmt::skip] // as the line stands in the file
    const COLUMNS: &'static [&'static str] = &[
        "seq", "at", "action", "outcome", "actor_kind", "actor_id", "target_kind", "target_id", "ip", "user_agent",
        "request_id", "details", "hash",
    ];

    fn fields(row: &AuditOut) -> Vec<String> {
        let entry = &row.entry;
        let details = if entry.details.is_empty() {
            String::new()
        } else {
            serde_json::to_string(&entry.details).unwrap_or_default()
        };
        let optional = |text: &Option<String>| text.clone().unwrap_or_default();
        vec![
            row.seq.to_string(),
            row.at.to_string(),
            entry.action.clone(),
            entry.outcome.clone(),
            entry.actor.kind.clone(),
            optional(if entry.actor.id.is_some() { &entry.actor.id } else { &entry.actor.function }),
            entry.target.kind.clone(),
            optional(&entry.target.id),
            optional(&entry.source.ip),
            optional(&entry.source.user_agent),
            optional(&entry.source.request_id),
            details,
            row.hash.clone(),
        ]
    }

    async fn next(&mut self, scope: &Scope) -> Result<Option<Vec<AuditOut>>, Problem> {
        let Some(before) = self.before.take() else { return Ok(None) };
        let (action, actor) = (self.asked.action.as_deref(), self.asked.actor.as_deref());
        let filter = AuditFilter { before, from: self.from, to: self.to, action, actor, limit: ROWS_AT_ONCE };
        let page = store::audit_page(scope, self.tenant, filter).await?;
        self.before = page.last().filter(|_| page.len() == ROWS_AT_ONCE as usize).map(|row| row.seq);
        Ok(Some(page.into_iter().filter_map(|row| entry(scope, row)).collect()))
    }
}

/// The tenant's log, newest first, as a file that is written while it is read. The export itself stands in the log.
#[utoipa::path(get, path = "/audit/export", operation_id = "export_audit", tag = "audit", security(("bearer" = [])),
    params(
        ("format" = Option<String>, Query, description = "`csv` (when left out) or `json`"),
        ("action" = Option<String>, Query, description = "Of this action only"),
        ("actor" = Option<String>, Query, description = "By this user or key only"),
        ("from" = Option<String>, Query, description = "A day or an instant"),
        ("to" = Option<String>, Query, description = "A day or an instant, itself not included"),
    ),
    responses(
        (status = 200, description = "Entries as in `GET /audit`", content((String = "text/csv"), (Vec<AuditOut> = "application/json"))),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn export_audit(scope: Scope, admin: AdminOf, Query(asked): Query<Asked>) -> Result<Reply, Problem> {
    let format = Format::parse(asked.format.as_deref())?;
    let (from, to) = span(asked.from.as_deref(), asked.to.as_deref())?;
    let tenant = admin.tenant;
    let done =
        audit::entry(&scope, actor(&admin), Action::AuditExport, "tenant", Some(tenant.to_string()), Outcome::Success);
    audit::record(&scope, tenant, &done).await;
    export(&scope, format, Rows { tenant, asked, from, to, before: Some(u64::from(u32::MAX)) }).await
}
