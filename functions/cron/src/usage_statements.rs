//! What a tenant used in a month: kept, and told its owners and admins, once the month is over.

use serde::{Deserialize, Serialize};
use tollgate_api::statements::{StatementOut, StatementRowOut};
use tollgate_domain::{
    id::{Shard, TenantId},
    mail::Letter,
    month::Month,
    time::DAY_MS,
};
use tollgate_platform::{
    Problem, Scope, log, notifications,
    store::{
        self, directory_jobs,
        notifications::readers,
        usage_statements::{self, SumRow},
    },
};

use crate::jobs::{Next, Step};

/// Tenants of one step.
const PAGE: u32 = 20;

/// How long after a month's end it is added up: what was held is settled within that time.
const SETTLED_MS: i64 = DAY_MS;

/// The last month that is done for everybody, and where the next stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Stated {
    through: Option<String>,
    shard: u32,
    behind: String,
}

/// The month to add up next: the one after the last, or, before the first, the one that is over. `None`: none is due.
fn due(through: Option<Month>, newest: Month) -> Option<Month> {
    match through {
        None => Some(newest),
        Some(through) if through < newest => Some(through.next()),
        // Of a clock that was ahead: the month that is over is looked at again, and a statement that was made stays.
        Some(through) if through > newest => Some(newest),
        Some(_) => None,
    }
}

/// Makes statements of a month that is over for a day.
///
/// # Errors
/// When a database or the queue cannot be reached. A statement that was made stays as it is, and nobody is told twice.
pub async fn step(scope: &Scope, cursor: Option<&str>) -> Result<Step, Problem> {
    let stated: Stated = cursor.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let through: Option<Month> = stated.through.as_deref().and_then(|text| text.parse().ok());
    let newest = Month::of(scope.now().plus_millis(-SETTLED_MS)).previous();
    let Some(month) = due(through, newest) else {
        return Ok(Step { done: 0, next: Next::Rest(Some(text(&stated)?)) });
    };
    let shards: Vec<Shard> = store::shards(scope).collect();
    let shard = usize::try_from(stated.shard).ok().and_then(|at| shards.get(at)).ok_or_else(Problem::internal)?;
    let page = directory_jobs::tenants_with_usage(scope, *shard, &stated.behind, month.period(), PAGE).await?;
    let mut done = 0;
    for tenant in &page {
        match tenant.parse() {
            Ok(tenant) => state(scope, tenant, month).await?,
            Err(_) => log::error("usage_statements", "a tenant's id that is none", Some(scope)),
        }
        done += 1;
    }
    let next = match page.last().filter(|_| page.len() == PAGE as usize) {
        Some(last) => Stated { behind: last.clone(), ..stated },
        None if (stated.shard as usize) + 1 < shards.len() => {
            Stated { shard: stated.shard + 1, behind: String::new(), ..stated }
        }
        None => Stated { through: Some(month.to_string()), ..Stated::default() },
    };
    // The next step looks whether another month is due.
    Ok(Step { done, next: Next::From(text(&next)?) })
}

fn text(stated: &Stated) -> Result<String, Problem> {
    serde_json::to_string(stated).map_err(|_| Problem::internal())
}

/// Keeps a tenant's statement and tells of it. Done again after it broke off, the first statement stays, and each reader gets
/// one mail.
async fn state(scope: &Scope, tenant: TenantId, month: Month) -> Result<(), Problem> {
    let rows = usage_statements::sums(scope, tenant, month.period()).await?;
    let made = statement(month, scope, rows);
    let body = serde_json::to_string(&made).map_err(|_| Problem::internal())?;
    usage_statements::add(scope, tenant, month, scope.now(), &body).await?;
    let name = month.to_string();
    let link = format!("{}/usage/statements/{name}", scope.settings().public_url);
    let letter = Letter::MonthlySummary {
        month: &name,
        requests: made.requests,
        tokens: made.tokens,
        cost_microusd: made.cost_microusd,
        unpriced: made.unpriced_requests,
        link: &link,
    };
    for reader in readers(scope, tenant, None).await? {
        let event = format!("monthly_summary {name} {}", reader.user_id);
        notifications::tell(scope, tenant, event, &reader, &letter).await?;
    }
    Ok(())
}

fn statement(month: Month, scope: &Scope, rows: Vec<SumRow>) -> StatementOut {
    let period = month.period();
    let sum = |field: fn(&SumRow) -> u64| rows.iter().map(field).fold(0, u64::saturating_add);
    StatementOut {
        month: month.to_string(),
        from: period.start,
        to: period.end,
        made_at: scope.now(),
        requests: sum(|row| row.requests),
        tokens: sum(|row| row.tokens),
        emails: sum(|row| row.emails),
        cost_microusd: sum(|row| row.cost_microusd),
        unpriced_requests: sum(|row| row.unpriced),
        rows: rows.into_iter().map(shown).collect(),
    }
}

fn shown(row: SumRow) -> StatementRowOut {
    StatementRowOut {
        product: row.product,
        model: row.model,
        requests: row.requests,
        tokens: row.tokens,
        emails: row.emails,
        prompt_tokens: row.prompt_tokens,
        completion_tokens: row.completion_tokens,
        cost_microusd: row.cost_microusd,
        unpriced_requests: row.unpriced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_done_in_order_and_none_is_left_out() {
        let month = |text: &str| text.parse::<Month>().unwrap();
        assert_eq!(due(None, month("2026-10")), Some(month("2026-10")));
        assert_eq!(due(Some(month("2026-10")), month("2026-10")), None);
        assert_eq!(due(Some(month("2026-08")), month("2026-10")), Some(month("2026-09")));
        assert_eq!(due(Some(month("2026-12")), month("2026-10")), Some(month("2026-10")), "the clock was ahead");
    }
}
