//! `GET /usage/export`

use serde::Deserialize;
use tollgate_api::usage::UsageLogOut;
use tollgate_domain::time::Timestamp;
use tollgate_platform::{
    Problem, Scope,
    http::{Export, Format, Query, Reply, export},
    identity::{Fresh, needs::UsageRead},
    store::usage_reports::{self, Before},
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

/// What is exported, and where the page before ended.
struct Rows {
    who: Who,
    start: Timestamp,
    before: Option<Before>,
}

impl Export for Rows {
    type Row = UsageLogOut;

    const FILE: &'static str = "usage";

    #[rustfmt::skip] // as the line stands in the file
    const COLUMNS: &'static [&'static str] = &[
        "at", "id", "user_id", "function", "model", "requests", "tokens", "emails", "prompt_tokens", "completion_tokens",
        "estimated", "cost_microusd", "request_id", "outcome", "api_key_id",
    ];

    fn fields(row: &UsageLogOut) -> Vec<String> {
        let numbers = [row.requests, row.tokens, row.emails, row.prompt_tokens, row.completion_tokens];
        let mut fields =
            vec![row.at.to_string(), row.id.clone(), row.user_id.clone(), row.function.clone(), row.model.clone()];
        fields.extend(numbers.iter().map(ToString::to_string));
        fields.push(row.estimated.to_string());
        fields.push(row.cost_microusd.map(|cost| cost.to_string()).unwrap_or_default());
        fields.extend([row.request_id.clone(), row.outcome.clone(), row.api_key_id.clone().unwrap_or_default()]);
        fields
    }

    async fn next(&mut self, scope: &Scope) -> Result<Option<Vec<UsageLogOut>>, Problem> {
        let Some(before) = self.before.take() else { return Ok(None) };
        let page = usage_reports::logs(scope, self.who.scope(), self.start, &before, ROWS_AT_ONCE).await?;
        self.before = page
            .last()
            .filter(|_| page.len() == ROWS_AT_ONCE as usize)
            .map(|row| Before { at: Timestamp::from_millis(row.at), reservation_id: row.reservation_id.clone() });
        Ok(Some(page.into_iter().map(rows::log).collect()))
    }
}

/// Every settled reservation of a span, newest first, as a file that is written while it is read.
#[utoipa::path(get, path = "/usage/export", operation_id = "export", tag = "usage", security(("bearer" = [])),
    params(
        ("format" = Option<String>, Query, description = "`csv` (when left out) or `json`"),
        ("from" = Option<String>, Query, description = "A day or an instant; 30 days before `to` when left out"),
        ("to" = Option<String>, Query, description = "A day or an instant, itself not included; now when left out"),
        ("user_id" = Option<String>, Query, description = "One user of the team only"),
    ),
    responses(
        (status = 200, description = "Rows as in `GET /usage/logs`", content((String = "text/csv"), (Vec<UsageLogOut> = "application/json"))),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn export_usage(
    scope: Scope,
    caller: Fresh<UsageRead>,
    Query(asked): Query<Asked>,
) -> Result<Reply, Problem> {
    let who = Who::of(&caller, asked.user_id.as_deref())?;
    let format = Format::parse(asked.format.as_deref())?;
    let span = span::parse(asked.from.as_deref(), asked.to.as_deref(), scope.now())?;
    let first = Before { at: span.end, reservation_id: String::new() };
    export(&scope, format, Rows { who, start: span.start, before: Some(first) }).await
}
