//! `GET /audit/export`

use serde::Deserialize;
use tollgate_api::audit::AuditOut;
use tollgate_domain::{
    audit::{Action, Outcome},
    id::TenantId,
    time::Timestamp,
};
use tollgate_platform::{
    Code, Problem, Scope, audit,
    http::{Pump, Query, Reply, csv_text, pipe},
    identity::{AdminOf, actor},
    log,
    store::{self, AuditFilter, AuditRow},
};

use crate::{audit::entry, instants};

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
}

/// What is exported, while it is read.
struct Rows {
    tenant: TenantId,
    asked: Asked,
    from: Timestamp,
    to: Timestamp,
}

impl Rows {
    async fn before(&self, scope: &Scope, before: u64) -> Result<Vec<AuditRow>, Problem> {
        let (action, actor) = (self.asked.action.as_deref(), self.asked.actor.as_deref());
        let filter = AuditFilter { before, from: self.from, to: self.to, action, actor, limit: ROWS_AT_ONCE };
        Ok(store::audit_page(scope, self.tenant, filter).await?)
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
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 503, body = Problem)))]
#[worker::send]
pub async fn export(scope: Scope, admin: AdminOf, Query(asked): Query<Asked>) -> Result<Reply, Problem> {
    let format = match asked.format.as_deref() {
        None | Some("csv") => Format::Csv,
        Some("json") => Format::Json,
        Some(_) => return Err(Problem::new(Code::BadRequest, "format must be csv or json.")),
    };
    let (from, to) = instants::span(asked.from.as_deref(), asked.to.as_deref())?;
    let tenant = admin.tenant;
    let done =
        audit::entry(&scope, actor(&admin), Action::AuditExport, "tenant", Some(tenant.to_string()), Outcome::Success);
    audit::record(&scope, tenant, &done).await;
    let rows = Rows { tenant, asked, from, to };
    // The first page before the answer begins: a database that is away is a 503, not a file that breaks off.
    let page = rows.before(&scope, u64::from(u32::MAX)).await?;
    let (pump, readable) = pipe().map_err(|error| {
        log::error("export", &format!("{error:?}"), Some(&scope));
        Problem::internal()
    })?;
    let writer = scope.clone();
    scope.wait_until(async move { write(&writer, rows, format, page, pump).await });
    let (content_type, name) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "audit.csv"),
        Format::Json => ("application/json", "audit.json"),
    };
    Ok(Reply::stream(content_type, readable).with("content-disposition", &format!("attachment; filename=\"{name}\"")))
}

async fn write(scope: &Scope, rows: Rows, format: Format, page: Vec<AuditRow>, mut pump: Pump) {
    pump.write(if format == Format::Csv { CSV_HEAD } else { "[" }).await;
    let mut page = page;
    let mut first = true;
    loop {
        let full = page.len() == ROWS_AT_ONCE as usize;
        let last = page.last().map(|row| row.seq);
        let mut text = String::new();
        for row in page.into_iter().filter_map(|row| entry(scope, row)) {
            match format {
                Format::Csv => csv_row(&mut text, row),
                Format::Json => {
                    text.push_str(if first { "\n" } else { ",\n" });
                    text.push_str(&serde_json::to_string(&row).unwrap_or_default());
                }
            }
            first = false;
        }
        pump.write(&text).await;
        let Some(last) = last.filter(|_| full && !pump.is_gone()) else { break };
        page = match rows.before(scope, last).await {
            Ok(page) => page,
            // The file must not look whole: the line breaks off.
            Err(_) => return pump.abort().await,
        };
    }
    if format == Format::Json {
        pump.write("\n]\n").await;
    }
    pump.close().await;
}

const CSV_HEAD: &str =
    "seq,at,action,outcome,actor_kind,actor_id,target_kind,target_id,ip,user_agent,request_id,details,hash\r\n";

fn csv_row(text: &mut String, row: AuditOut) {
    let entry = row.entry;
    let details = if entry.details.is_empty() {
        String::new()
    } else {
        serde_json::to_string(&entry.details).unwrap_or_default()
    };
    let optional = |text: Option<String>| csv_text(&text.unwrap_or_default());
    let fields = [
        row.seq.to_string(),
        row.at.to_string(),
        csv_text(&entry.action),
        csv_text(&entry.outcome),
        csv_text(&entry.actor.kind),
        optional(entry.actor.id.or(entry.actor.function)),
        csv_text(&entry.target.kind),
        optional(entry.target.id),
        optional(entry.source.ip),
        optional(entry.source.user_agent),
        optional(entry.source.request_id),
        csv_text(&details),
        csv_text(&row.hash),
    ];
    text.push_str(&fields.join(","));
    text.push_str("\r\n");
}
