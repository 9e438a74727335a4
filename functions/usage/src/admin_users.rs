//! `GET /admin/users`

use std::collections::HashMap;

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::{
    team::UserUsageOut,
    usage::{PageOut, TotalsOut},
};
use tollgate_domain::id::UserId;
use tollgate_platform::{
    Problem, Scope,
    http::{Query, Reply, cursor, cut, limit},
    identity::{AdminWith, needs::TeamRead},
    store::usage_reports::{self, GroupBy, SummaryRow, UsageScope},
    team,
};

use crate::span;

/// Which span, and which page.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Option<String>,
}

/// The team's users, each with what they used: by whole hours in UTC, the last 30 days when nothing else is asked for.
#[utoipa::path(get, path = "/admin/users", operation_id = "admin_users", tag = "team", security(("bearer" = [])),
    params(
        ("from" = Option<String>, Query, description = "A day or an instant; 30 days before `to` when left out"),
        ("to" = Option<String>, Query, description = "A day or an instant; now when left out"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100, 20 when left out"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, body = PageOut<UserUsageOut>), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "`forbidden` or `plan_lacks_feature`"), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn users(scope: Scope, admin: AdminWith<TeamRead>, Query(asked): Query<Asked>) -> Result<Reply, Problem> {
    let limit = limit(asked.limit)?;
    let after: Option<UserId> = cursor(asked.cursor.as_deref())?;
    let span = span::parse(asked.from.as_deref(), asked.to.as_deref(), scope.now())?;
    let stored = team::load(&scope, admin.tenant).await?;
    team::require_seats(&scope, &stored)?;
    let product = stored.product.unwrap_or(admin.product);
    let of = UsageScope { tenant: admin.tenant, user: None, product };
    let rows = usage_reports::summary(&scope, of, span, GroupBy::User).await?;
    let used: HashMap<&str, &SummaryRow> = rows.iter().map(|row| (row.key.as_str(), row)).collect();
    let later = stored.people.iter().filter(|person| after.is_none_or(|after| person.user > after));
    let (people, next_cursor) = cut(later, limit, |last| last.user.to_string());
    let data = people
        .into_iter()
        .map(|person| UserUsageOut {
            member: team::member(person),
            usage: used.get(person.user.to_string().as_str()).map(|row| totals(row)).unwrap_or_default(),
        })
        .collect();
    Ok(Reply::json(StatusCode::OK, &PageOut::<UserUsageOut> { data, next_cursor }))
}

fn totals(row: &SummaryRow) -> TotalsOut {
    TotalsOut {
        requests: row.requests,
        tokens: row.tokens,
        emails: row.emails,
        prompt_tokens: row.prompt_tokens,
        completion_tokens: row.completion_tokens,
        cost_microusd: row.cost_microusd,
        unpriced_requests: row.unpriced,
    }
}
