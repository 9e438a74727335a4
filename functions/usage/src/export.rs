//! `GET /usage/export`

use serde::Deserialize;
use tollgate_api::usage::UsageLogOut;
use tollgate_domain::time::Period;
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Pump, Query, Reply, csv_text, pipe},
    identity::{Fresh, needs::UsageRead},
    log,
    store::usage_reports::{self, Before, UsageEventRow},
};

use crate::{
    rows::{self, Who},
    span,
};

/// Rows read at a time: what the stream holds in memory.
const ROWS_AT_ONCE: u32 = 1_000;

/// What to export.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    format: Option<String>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
}

/// Every settled reservation of a span, newest first, as a file that is written while it is read.
#[utoipa::path(get, path = "/usage/export", tag = "usage", security(("bearer" = [])),
    params(
        ("format" = Option<String>, Query, description = "`csv` (when left out) or `json`"),
        ("from" = Option<String>, Query, description = "A day or an instant; 30 days before `to` when left out"),
        ("to" = Option<String>, Query, description = "A day or an instant, itself not included; now when left out"),
        ("user_id" = Option<String>, Query, description = "One user of the team only"),
    ),
    responses(
        (status = 200, description = "Rows as in `GET /usage/logs`", content((String = "text/csv"), (Vec<UsageLogOut> = "application/json"))),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 503, body = Problem)))]
#[worker::send]
pub async fn export(scope: Scope, caller: Fresh<UsageRead>, Query(asked): Query<Asked>) -> Result<Reply, Problem> {
    let who = Who::of(&caller, asked.user_id.as_deref())?;
    let format = match asked.format.as_deref() {
        None | Some("csv") => Format::Csv,
        Some("json") => Format::Json,
        Some(_) => return Err(Problem::new(Code::BadRequest, "format must be csv or json.")),
    };
    let span = span::parse(asked.from.as_deref(), asked.to.as_deref(), scope.now())?;
    let first = Before { at: span.end, reservation_id: String::new() };
    // The first page before the answer begins: a database that is away is a 503, not a file that breaks off.
    let page = usage_reports::logs(&scope, who.scope(), span.start, &first, ROWS_AT_ONCE).await?;
    let (pump, readable) = pipe().map_err(|error| {
        log::error("export", &format!("{error:?}"), Some(&scope));
        Problem::internal()
    })?;
    let writer = scope.clone();
    scope.wait_until(async move { write(&writer, who, span, format, page, pump).await });
    let (content_type, name) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "usage.csv"),
        Format::Json => ("application/json", "usage.json"),
    };
    Ok(Reply::stream(content_type, readable).with("content-disposition", &format!("attachment; filename=\"{name}\"")))
}

async fn write(scope: &Scope, who: Who, span: Period, format: Format, page: Vec<UsageEventRow>, mut pump: Pump) {
    pump.write(if format == Format::Csv { CSV_HEAD } else { "[" }).await;
    let mut page = page;
    let mut first = true;
    loop {
        let full = page.len() == ROWS_AT_ONCE as usize;
        let last = page.last().map(|row| Before {
            at: tollgate_domain::time::Timestamp::from_millis(row.at),
            reservation_id: row.reservation_id.clone(),
        });
        let mut text = String::new();
        for row in page {
            let row = rows::log(row);
            match format {
                Format::Csv => csv_row(&mut text, &row),
                Format::Json => {
                    text.push_str(if first { "\n" } else { ",\n" });
                    text.push_str(&serde_json::to_string(&row).unwrap_or_default());
                }
            }
            first = false;
        }
        pump.write(&text).await;
        let Some(last) = last.filter(|_| full && !pump.is_gone()) else { break };
        page = match usage_reports::logs(scope, who.scope(), span.start, &last, ROWS_AT_ONCE).await {
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

const CSV_HEAD: &str = "at,id,user_id,function,model,requests,tokens,emails,prompt_tokens,completion_tokens,estimated,cost_microusd,request_id,outcome,api_key_id\r\n";

fn csv_row(text: &mut String, row: &UsageLogOut) {
    let numbers = [row.requests, row.tokens, row.emails, row.prompt_tokens, row.completion_tokens];
    let mut fields =
        vec![row.at.to_string(), row.id.clone(), row.user_id.clone(), csv_text(&row.function), csv_text(&row.model)];
    fields.extend(numbers.iter().map(ToString::to_string));
    fields.push(row.estimated.to_string());
    fields.push(row.cost_microusd.map(|cost| cost.to_string()).unwrap_or_default());
    fields.push(csv_text(&row.request_id));
    fields.push(csv_text(&row.outcome));
    fields.push(row.api_key_id.clone().unwrap_or_default());
    text.push_str(&fields.join(","));
    text.push_str("\r\n");
}
