//! `GET /user/trial-status`

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::account::TrialStatusOut;
use tollgate_domain::{
    catalogue::{Plan, Product},
    subscription::Status,
    time::Timestamp,
    trial::{Trial, TrialStatus},
};
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Query, Reply},
    identity::{Allowed, needs::BillingRead},
    store::{self, SubscriptionRow},
};

use crate::profile::session_ended;

/// Which product.
#[derive(Debug, Deserialize)]
pub struct Which {
    #[serde(default)]
    product: Option<String>,
}

/// Where the caller's trial stands.
#[utoipa::path(get, path = "/user/trial-status", tag = "accounts", security(("bearer" = [])),
    params(("product" = Option<String>, Query, description = "`agent`, `chat` or `gmail`; that of the token when left out")), responses(
    (status = 200, body = TrialStatusOut), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem, description = "Nothing of the product was ever held"), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn trial_status(
    scope: Scope,
    caller: Allowed<BillingRead>,
    Query(which): Query<Which>,
) -> Result<Reply, Problem> {
    let product = match which.product.as_deref() {
        None => caller.product,
        Some(name) => Product::parse(name)
            .ok_or_else(|| Problem::new(Code::BadRequest, "product must be agent, chat or gmail."))?,
    };
    let row = store::subscription(&scope, caller.tenant, caller.user, product, caller.session)
        .await?
        .ok_or_else(|| Problem::not_found("subscription"))?;
    if caller.session.is_some() && row.session_stands == 0 {
        return Err(session_ended());
    }
    let now = scope.now();
    let with_card = row.card_trial_ends_at.map(Timestamp::from_millis);
    let trial = match with_card {
        Some(ends_at) => Some(Trial { started_at: Timestamp::from_millis(row.anchor_at), ends_at }),
        None => row.trial(),
    };
    let days_remaining = trial.map_or(0, |trial: Trial| trial.days_remaining(now));
    let ends_at = trial.map(|trial| trial.ends_at);
    let stands = |status: Status| row.billing_status.as_deref() == Some(status.as_str());
    // A plan is held, or a trial with a card that was to become one.
    let missing = stands(Status::PastDue) && (with_card.is_some() || row.plan != Plan::Trial.as_str());
    let plan = if with_card.is_some() { "that was chosen" } else { row.plan.as_str() };
    let plan_ended = row.ended_at.map(Timestamp::from_millis).filter(|at| now >= *at);
    let (status, message) = match trial.filter(|_| row.plan == Plan::Trial.as_str()) {
        _ if let Some(at) = plan_ended => (
            TrialStatus::Ended,
            format!("The plan {} ended at {at}. Nothing was deleted; choose a plan to go on.", row.plan),
        ),
        _ if missing => {
            (TrialStatus::PastDue, format!("A payment for the plan {plan} is missing: pay it in the customer portal."))
        }
        Some(trial) if with_card.is_some() => (TrialStatus::Trialing, of_card(&row, trial, days_remaining)),
        Some(trial) if !trial.was_given() && row.trial_denied_by.is_some() => (
            TrialStatus::Expired,
            format!(
                "The company of your address has {product} already: ask its team for a seat, or choose a plan to go on."
            ),
        ),
        Some(trial) if !trial.was_given() => (
            TrialStatus::Expired,
            format!(
                "There was a trial of {product} for you before, and there is one for each person. Choose a plan to go on."
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
        None => (TrialStatus::Active, format!("The plan {} is active.", row.plan)),
    };
    let upgrade_url = format!("{}/subscription/plans", scope.settings().public_url);
    Ok(Reply::json(
        StatusCode::OK,
        &TrialStatusOut {
            status,
            trial_ends_at: ends_at,
            days_remaining: if status == TrialStatus::Trialing { days_remaining } else { 0 },
            message,
            upgrade_url,
        },
    ))
}

/// A trial that a checkout began with.
fn of_card(row: &SubscriptionRow, trial: Trial, days_remaining: u64) -> String {
    let days = if days_remaining == 1 { "day" } else { "days" };
    let then = if row.billing_status.as_deref() == Some(Status::Cancelling.as_str()) {
        "It was cancelled: nothing will be charged."
    } else {
        "Then the plan that was chosen begins, and the card on file is charged."
    };
    if days_remaining == 0 {
        // Stripe makes the first invoice within the hour, whether it was cancelled in the meantime or not.
        return format!(
            "The trial ended at {}; the first payment for the plan that was chosen is on its way.",
            trial.ends_at
        );
    }
    format!("{days_remaining} {days} of the trial left; it ends at {}. {then}", trial.ends_at)
}
