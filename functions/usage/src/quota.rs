//! `GET /usage/quota`

use http::StatusCode;
use tollgate_api::usage::{MeterOut, QuotaOut};
use tollgate_domain::{
    catalogue::Plan,
    meter::{Limit, MeterName},
};
use tollgate_platform::{
    Problem, Scope,
    http::Reply,
    identity::Caller,
    meter::{MeterClient, MeterReply},
};

/// Where the caller's meters stand, as the meter itself knows it.
#[utoipa::path(get, path = "/usage/quota", tag = "usage", security(("bearer" = [])),
    params(("fresh" = Option<bool>, Query, description = "Accepted for clients of later releases: this release always asks the meter.")),
    responses((status = 200, body = QuotaOut), (status = 401, body = Problem), (status = 503, body = Problem)))]
#[worker::send]
pub async fn quota(scope: Scope, caller: Caller) -> Result<Reply, Problem> {
    let MeterReply::Standing { entitlement, standings, as_of, .. } =
        MeterClient::of(&caller).standing(&scope, caller.session).await?
    else {
        return Err(Problem::dependency("meter"));
    };
    // A meter that was never told its plan has counted nothing: what is true is the plan's beginning.
    let plan = entitlement.map_or(Plan::Trial, |entitlement| entitlement.plan);
    let data = if entitlement.is_some() {
        standings.into_iter().map(MeterOut::from).collect()
    } else {
        untouched(&caller, as_of)
    };
    Ok(Reply::json(
        StatusCode::OK,
        &QuotaOut { data, product: caller.product.to_string(), plan: plan.to_string(), as_of },
    ))
}

fn untouched(caller: &Caller, as_of: tollgate_domain::time::Timestamp) -> Vec<MeterOut> {
    let Some(limits) = tollgate_domain::catalogue::limits(caller.product, Plan::Trial) else {
        return Vec::new();
    };
    MeterName::ALL
        .into_iter()
        .filter_map(|meter| match limits.get(meter) {
            Limit::Hard(limit) => Some(tollgate_domain::meter::Standing {
                meter,
                limit: Some(limit),
                ceiling: Some(limit),
                used: 0,
                reserved: 0,
                resets_at: as_of.plus_days(caller.product.trial_days()),
            }),
            _ => None,
        })
        .map(MeterOut::from)
        .collect()
}
