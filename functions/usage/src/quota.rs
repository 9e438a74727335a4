//! `GET /usage/quota`

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::usage::{MeterOut, QuotaOut};
use tollgate_domain::{
    catalogue::{Plan, limits},
    meter::{Entitlement, MeterName, Standing},
    time::Timestamp,
};
use tollgate_platform::{
    Problem, Scope,
    cost::Counts,
    http::{Query, Reply},
    identity::{Allowed, Identity, needs::UsageRead},
    meter::{MeterClient, MeterReply, Owner, PoolClient, PoolReply, PoolRequest, Snapshot},
};

/// How fresh.
#[derive(Debug, Deserialize)]
pub struct Freshness {
    #[serde(default)]
    fresh: bool,
}

/// Where the caller's meters stand; in a team, where the team's stand. Read from a copy that is seconds old (`as_of`);
/// with `fresh=true` the meter itself is asked.
#[utoipa::path(get, path = "/usage/quota", tag = "usage", security(("bearer" = [])),
    params(("fresh" = Option<bool>, Query, description = "`true` asks the meter itself instead of its copy")),
    responses((status = 200, body = QuotaOut), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn quota(
    scope: Scope,
    caller: Allowed<UsageRead>,
    Query(freshness): Query<Freshness>,
) -> Result<Reply, Problem> {
    let snapshot = match if freshness.fresh { None } else { copied(&scope, &caller).await } {
        Some(snapshot) => snapshot,
        None => fresh(&scope, &caller).await?,
    };
    let Snapshot { product, plan, standings, as_of, pooled } = snapshot;
    let data = standings.into_iter().map(MeterOut::from).collect();
    Ok(Reply::json(
        StatusCode::OK,
        &QuotaOut { data, product: product.to_string(), plan: plan.to_string(), pooled, as_of },
    ))
}

/// The copy in KV; `None` when there is none yet, or KV is away: then the meter is asked.
async fn copied(scope: &Scope, caller: &Identity) -> Option<Snapshot> {
    let own = Owner { tenant: caller.tenant, user: Some(caller.user), product: caller.product };
    let snapshot = read(scope, &own).await?;
    if snapshot.pooled { read(scope, &Owner { user: None, ..own }).await } else { Some(snapshot) }
}

async fn read(scope: &Scope, owner: &Owner) -> Option<Snapshot> {
    scope.cost().add(Counts { kv_reads: 1, ..Counts::default() });
    let counters = scope.env().kv("COUNTERS").ok()?;
    let snapshot: Snapshot = counters.get(&owner.snapshot_key()).json().await.ok().flatten()?;
    // A copy from before a period ended tells of a period that is over.
    let over = snapshot.standings.iter().any(|standing| standing.resets_at <= scope.now());
    (!over).then_some(snapshot)
}

async fn fresh(scope: &Scope, caller: &Identity) -> Result<Snapshot, Problem> {
    let MeterReply::Standing { entitlement, standings, as_of } =
        MeterClient::of(caller).standing(scope, caller.session).await?
    else {
        return Err(Problem::dependency("meter"));
    };
    let snapshot = |plan, pooled, standings| Snapshot { product: caller.product, plan, pooled, standings, as_of };
    match entitlement {
        // A meter that was never told its plan has counted nothing: what is true is the plan's beginning.
        None => Ok(snapshot(Plan::Trial, false, untouched(caller, as_of))),
        Some(Entitlement { plan, pooled: false, .. }) => Ok(snapshot(plan, false, standings)),
        Some(entitlement) => {
            let plan = entitlement.plan;
            match PoolClient::of(caller).ask(scope, &PoolRequest::Standing).await? {
                PoolReply::Standing { entitlement: Some(_), standings, .. } => Ok(snapshot(plan, true, standings)),
                // Nobody has asked the pool for anything yet.
                _ => Ok(snapshot(plan, true, unused(&entitlement, as_of))),
            }
        }
    }
}

fn untouched(caller: &Identity, as_of: Timestamp) -> Vec<Standing> {
    let Some(limits) = limits(caller.product, Plan::Trial) else {
        return Vec::new();
    };
    let resets_at = as_of.plus_days(caller.product.trial_days());
    MeterName::ALL.into_iter().filter_map(|meter| standing(meter, limits.get(meter), resets_at)).collect()
}

fn unused(entitlement: &Entitlement, as_of: Timestamp) -> Vec<Standing> {
    let resets_at = entitlement.terms.period(as_of).end;
    MeterName::ALL.into_iter().filter_map(|meter| standing(meter, entitlement.limits.get(meter), resets_at)).collect()
}

fn standing(meter: MeterName, limit: tollgate_domain::meter::Limit, resets_at: Timestamp) -> Option<Standing> {
    (limit != tollgate_domain::meter::Limit::NotIncluded).then(|| Standing {
        meter,
        limit: limit.included(),
        ceiling: limit.ceiling(),
        used: 0,
        reserved: 0,
        resets_at,
    })
}
