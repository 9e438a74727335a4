//! `GET /usage/statements`, `GET /usage/statements/{month}`

use axum::extract::Path;
use http::StatusCode;
use serde::Deserialize;
use tollgate_api::{
    statements::{StatementLineOut, StatementOut, StatementRowOut},
    usage::PageOut,
};
use tollgate_domain::{account::Role, month::Month};
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Format, Page, Query, Reply, csv_text, cut},
    identity::{Fresh, Identity, needs::UsageRead},
    log,
    store::usage_statements::{self, StatementRow},
};

/// The tenant's statements, one for each month with usage, newest first. A month's is there about a day after its end. Of a
/// team, for owners and admins.
#[utoipa::path(get, path = "/usage/statements", operation_id = "list_statements", tag = "usage", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100, 20 when left out"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, body = PageOut<StatementLineOut>), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn list(scope: Scope, caller: Fresh<UsageRead>, Query(page): Query<Page>) -> Result<Reply, Problem> {
    looks_after(&caller)?;
    let limit = page.limit()?;
    let rows = usage_statements::list(&scope, caller.tenant, page.after()?, limit + 1).await?;
    let (rows, next_cursor) = cut(rows, limit, |row| row.month.clone());
    let data = rows.iter().map(|row| read(&scope, row).map(line)).collect::<Result<_, _>>()?;
    Ok(Reply::json(StatusCode::OK, &PageOut::<StatementLineOut> { data, next_cursor }))
}

/// As what.
#[derive(Debug, Deserialize)]
pub struct As {
    #[serde(default)]
    format: Option<String>,
}

/// The statement of a month, as JSON or as a file with a line for each product and model.
#[utoipa::path(get, path = "/usage/statements/{month}", operation_id = "read_statement", tag = "usage", security(("bearer" = [])),
    params(
        ("month" = String, Path, description = "A month in UTC, e.g. `2026-01`"),
        ("format" = Option<String>, Query, description = "`json` (when left out) or `csv`"),
    ),
    responses(
        (status = 200, content((StatementOut = "application/json"), (String = "text/csv"))),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn statement(
    scope: Scope,
    caller: Fresh<UsageRead>,
    Path(month): Path<String>,
    Query(wanted): Query<As>,
) -> Result<Reply, Problem> {
    looks_after(&caller)?;
    let format = Format::parse(wanted.format.as_deref().or(Some("json")))?;
    // What is no month has no statement either.
    let missing = || Problem::not_found("statement");
    let month: Month = month.parse().map_err(|_| missing())?;
    let row = usage_statements::one(&scope, caller.tenant, month).await?.ok_or_else(missing)?;
    let statement = read(&scope, &row)?;
    Ok(match format {
        Format::Json => Reply::json(StatusCode::OK, &statement),
        Format::Csv => {
            let disposition = format!("attachment; filename=\"usage-{month}.csv\"");
            Reply::bytes(StatusCode::OK, "text/csv; charset=utf-8", csv(&statement))
                .with("content-disposition", &disposition)
        }
    })
}

/// A statement is the whole tenant's.
fn looks_after(caller: &Identity) -> Result<(), Problem> {
    match caller.role {
        Role::Owner | Role::Admin => Ok(()),
        Role::Member => Err(Problem::new(Code::Forbidden, "Only owners and admins see the statements of a team.")),
    }
}

fn read(scope: &Scope, row: &StatementRow) -> Result<StatementOut, Problem> {
    serde_json::from_str(&row.body).map_err(|error| {
        log::error("statements", &format!("the statement of {} cannot be read: {error}", row.month), Some(scope));
        Problem::internal()
    })
}

fn line(statement: StatementOut) -> StatementLineOut {
    let StatementOut { month, made_at, requests, tokens, cost_microusd, .. } = statement;
    StatementLineOut { month, made_at, requests, tokens, cost_microusd }
}

const COLUMNS: &str =
    "month,product,model,requests,tokens,emails,prompt_tokens,completion_tokens,cost_microusd,unpriced_requests\r\n";

fn csv(statement: &StatementOut) -> String {
    let mut text = COLUMNS.to_owned();
    for row in &statement.rows {
        let StatementRowOut { product, model, requests, tokens, emails, prompt_tokens, completion_tokens, .. } = row;
        let numbers =
            [requests, tokens, emails, prompt_tokens, completion_tokens, &row.cost_microusd, &row.unpriced_requests];
        let mut fields = vec![statement.month.clone(), csv_text(product), csv_text(model)];
        fields.extend(numbers.iter().map(ToString::to_string));
        text.push_str(&fields.join(","));
        text.push_str("\r\n");
    }
    text
}
