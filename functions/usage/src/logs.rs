//! `GET /usage/logs`

use std::collections::HashSet;

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::usage::{PageOut, UsageLogOut};
use tollgate_domain::{page::UsageCursor, time::Timestamp};
use tollgate_platform::{
    Problem, Scope,
    http::{LATEST_INSTANT, Query, Reply, cursor, cut, limit},
    identity::{Fresh, needs::UsageRead},
    meter::MeterClient,
    store::usage_reports::{self, Before},
};

use crate::rows::{self, Who};

/// How to page.
#[derive(Debug, Deserialize)]
pub struct Page {
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
}

/// What was used, newest first: one row for each settled reservation. Owners and admins see their whole team, members
/// themselves. One's own rows are there at once, those of others within seconds.
#[utoipa::path(get, path = "/usage/logs", tag = "usage", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100, 20 when left out"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("user_id" = Option<String>, Query, description = "One user of the team only"),
    ),
    responses((status = 200, body = PageOut<UsageLogOut>), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn logs(scope: Scope, caller: Fresh<UsageRead>, Query(page): Query<Page>) -> Result<Reply, Problem> {
    let limit = limit(page.limit)?;
    let who = Who::of(&caller, page.user_id.as_deref())?;
    let before = match cursor::<UsageCursor>(page.cursor.as_deref())? {
        Some(last) => Before { at: last.at, reservation_id: last.reservation.to_string() },
        None => Before { at: LATEST_INSTANT, reservation_id: String::new() },
    };
    // The meter also says whether the caller's session still stands.
    let (unexported, confirmed) = MeterClient::of(&*caller).unexported(&scope, caller.session).await?;
    let copied = usage_reports::logs(&scope, who.scope(), Timestamp::from_millis(0), &before, limit + 1).await?;
    let user = caller.user.to_string();
    let late: HashSet<String> = unexported.iter().filter(|row| row.late).map(|row| row.id.to_string()).collect();
    let own =
        unexported.into_iter().filter(|_| who.includes(caller.user)).filter(|row| row.detail.outcome != "released");
    let mut data: Vec<UsageLogOut> = own
        .map(|row| UsageLogOut::new(row.id.to_string(), row.at, user.clone(), row.amounts, row.detail))
        .filter(|row| (row.at, row.id.as_str()) < (before.at, before.reservation_id.as_str()))
        // What the copy got between the two questions is in both.
        .chain(copied.into_iter().filter(|row| row.user_id != user || row.seq <= confirmed).map(rows::log))
        .filter(|row| !(row.outcome == "expired" && late.contains(&row.id)))
        .collect();
    data.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
    let (data, next_cursor) = cut(data, limit, |row| format!("{}.{}", row.at.as_millis(), row.id));
    Ok(Reply::json(StatusCode::OK, &PageOut::<UsageLogOut> { data, next_cursor }))
}
