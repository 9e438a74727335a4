//! `GET /usage/summary`

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::usage::{SummaryOut, SummaryRowOut, TotalsOut, TrendOut};
use tollgate_domain::time::{Period, Timestamp};
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Query, Reply},
    identity::{Fresh, needs::UsageRead},
    store::usage_reports::{self, GroupBy, SummaryRow},
};

use crate::{rows::Who, span};

/// What to add up.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    group_by: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
}

/// What was used, added up by whole hours in UTC, with the change against the span of the same length before it.
#[utoipa::path(get, path = "/usage/summary", tag = "usage", security(("bearer" = [])),
    params(
        ("from" = Option<String>, Query, description = "A day or an instant; 30 days before `to` when left out"),
        ("to" = Option<String>, Query, description = "A day or an instant, itself not included; now when left out"),
        ("group_by" = Option<String>, Query, description = "`day` (when left out), `model`, `provider` or `user`"),
        ("user_id" = Option<String>, Query, description = "One user of the team only"),
    ),
    responses((status = 200, body = SummaryOut), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn summary(scope: Scope, caller: Fresh<UsageRead>, Query(asked): Query<Asked>) -> Result<Reply, Problem> {
    let who = Who::of(&caller, asked.user_id.as_deref())?;
    let group_by = match asked.group_by.as_deref() {
        None | Some("day") => GroupBy::Day,
        Some("model") => GroupBy::Model,
        Some("provider") => GroupBy::Provider,
        Some("user") => GroupBy::User,
        Some(_) => return Err(Problem::new(Code::BadRequest, "group_by must be day, model, provider or user.")),
    };
    let span = span::parse(asked.from.as_deref(), asked.to.as_deref(), scope.now())?;
    let length = span.end.as_millis() - span.start.as_millis();
    let before = Period { start: Timestamp::from_millis((span.start.as_millis() - length).max(0)), end: span.start };
    let rows = usage_reports::summary(&scope, who.scope(), span, group_by).await?;
    let earlier = usage_reports::summary(&scope, who.scope(), before, GroupBy::Provider).await?;
    let (total, previous) = (totals(&rows), totals(&earlier));
    Ok(Reply::json(
        StatusCode::OK,
        &SummaryOut {
            from: span.start,
            to: span.end,
            trend: TrendOut {
                requests_percent: change_percent(previous.requests, total.requests),
                tokens_percent: change_percent(previous.tokens, total.tokens),
                cost_percent: change_percent(previous.cost_microusd, total.cost_microusd),
                previous,
            },
            total,
            data: rows.iter().map(|row| SummaryRowOut { key: row.key.clone(), totals: totals([row]) }).collect(),
        },
    ))
}

fn totals<'a>(rows: impl IntoIterator<Item = &'a SummaryRow>) -> TotalsOut {
    rows.into_iter().fold(TotalsOut::default(), |sum, row| TotalsOut {
        requests: sum.requests + row.requests,
        tokens: sum.tokens + row.tokens,
        emails: sum.emails + row.emails,
        prompt_tokens: sum.prompt_tokens + row.prompt_tokens,
        completion_tokens: sum.completion_tokens + row.completion_tokens,
        cost_microusd: sum.cost_microusd + row.cost_microusd,
        unpriced_requests: sum.unpriced_requests + row.unpriced,
    })
}

/// The change in whole percent, towards zero; `None` where there was nothing before.
fn change_percent(before: u64, now: u64) -> Option<i64> {
    if before == 0 {
        return None;
    }
    i64::try_from((i128::from(now) - i128::from(before)) * 100 / i128::from(before)).ok()
}

#[cfg(test)]
mod tests {
    use super::change_percent;

    #[test]
    fn a_change_needs_something_to_change_from() {
        assert_eq!(change_percent(0, 5), None);
        assert_eq!((change_percent(4, 5), change_percent(4, 1), change_percent(3, 4)), (Some(25), Some(-75), Some(33)));
        assert_eq!(change_percent(1, u64::MAX), None);
    }
}
