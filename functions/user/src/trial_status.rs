//! `GET /user/trial-status`

use http::StatusCode;
use tollgate_api::account::TrialStatusOut;
use tollgate_domain::{
    catalogue::Plan,
    subscription::Status,
    time::Timestamp,
    trial::{Trial, TrialStatus},
};
use tollgate_platform::{
    Problem, Scope,
    http::Reply,
    identity::{Allowed, needs::BillingRead},
    store,
};

use crate::profile::session_ended;

/// Where the caller's trial stands.
#[utoipa::path(get, path = "/user/trial-status", tag = "accounts", security(("bearer" = [])), responses(
    (status = 200, body = TrialStatusOut), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn trial_status(scope: Scope, caller: Allowed<BillingRead>) -> Result<Reply, Problem> {
    let row = store::subscription(&scope, caller.tenant, caller.user, caller.product, caller.session)
        .await?
        .ok_or_else(|| Problem::not_found("subscription"))?;
    if caller.session.is_some() && row.session_stands == 0 {
        return Err(session_ended());
    }
    let now = scope.now();
    let trial = row.trial();
    let days_remaining = trial.map_or(0, |trial: Trial| trial.days_remaining(now));
    let ends_at = trial.map(|trial| trial.ends_at);
    let plan_ended = row.ended_at.map(Timestamp::from_millis).filter(|at| now >= *at);
    let (status, message) = match trial.filter(|_| row.plan == Plan::Trial.as_str()) {
        _ if let Some(at) = plan_ended => (
            TrialStatus::Ended,
            format!("The plan {} ended at {at}. Nothing was deleted; choose a plan to go on.", row.plan),
        ),
        Some(trial) if !trial.was_given() => (
            TrialStatus::Expired,
            format!(
                "There was a trial of {} for you before, and there is one for each person. Choose a plan to go on.",
                caller.product
            ),
        ),
        Some(trial) if trial.is_over(now) => (
            TrialStatus::Expired,
            format!("The trial ended at {}. Nothing was deleted; choose a plan to go on.", trial.ends_at),
        ),
        Some(trial) => (
            TrialStatus::Trialing,
            format!(
                "{days_remaining} {} of the trial left; it ends at {}.",
                if days_remaining == 1 { "day" } else { "days" },
                trial.ends_at
            ),
        ),
        None if row.billing_status.as_deref() == Some(Status::PastDue.as_str()) => (
            TrialStatus::PastDue,
            format!("A payment for the plan {} is missing: pay it in the customer portal.", row.plan),
        ),
        None => (TrialStatus::Active, format!("The plan {} is active.", row.plan)),
    };
    let upgrade_url = format!("{}/subscription/plans", scope.settings().public_url);
    Ok(Reply::json(
        StatusCode::OK,
        &TrialStatusOut { status, trial_ends_at: ends_at, days_remaining, message, upgrade_url },
    ))
}
