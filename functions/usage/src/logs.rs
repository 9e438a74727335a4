//! `GET /usage/logs`

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::usage::{PageOut, UsageLogOut};
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Query, Reply},
    identity::Caller,
    meter::MeterClient,
};

/// The most rows of a page.
const MAX_LIMIT: u32 = 100;

/// How to page.
#[derive(Debug, Deserialize)]
pub struct Page {
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Option<String>,
}

/// What was used, newest first: one row for each settled reservation.
#[utoipa::path(get, path = "/usage/logs", tag = "usage", security(("bearer" = [])),
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100, 20 when left out"), ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, body = PageOut<UsageLogOut>), (status = 400, body = Problem), (status = 401, body = Problem), (status = 503, body = Problem)))]
#[worker::send]
pub async fn logs(scope: Scope, caller: Caller, Query(page): Query<Page>) -> Result<Reply, Problem> {
    let limit = page.limit.unwrap_or(20);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::new(Code::BadRequest, format!("limit must be 1 to {MAX_LIMIT}.")));
    }
    let before = page.cursor.as_deref().map(parse_cursor).transpose()?;
    // One row more than asked for tells whether there is another page.
    let mut rows = MeterClient::of(&caller).logs(&scope, caller.session, before, limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| format!("seq_{}", row.seq));
    let user = caller.user.to_string();
    let data = rows
        .into_iter()
        .map(|row| UsageLogOut::new(row.id.to_string(), row.at, user.clone(), row.amounts, row.detail))
        .collect();
    Ok(Reply::json(StatusCode::OK, &PageOut::<UsageLogOut> { data, next_cursor }))
}

fn parse_cursor(cursor: &str) -> Result<u64, Problem> {
    cursor
        .strip_prefix("seq_")
        .and_then(|number| number.parse().ok())
        .filter(|seq| *seq <= 9_000_000_000_000_000)
        .ok_or_else(|| Problem::new(Code::BadRequest, "cursor is not the next_cursor of a page."))
}

#[cfg(test)]
mod tests {
    use super::parse_cursor;

    #[test]
    fn only_our_own_cursors_are_taken() {
        assert_eq!(parse_cursor("seq_12"), Ok(12));
        for cursor in ["", "12", "seq_", "seq_-1", "seq_1 OR 1=1", "seq_99999999999999999999"] {
            assert!(parse_cursor(cursor).is_err(), "{cursor}");
        }
    }
}
