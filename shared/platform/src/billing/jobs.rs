//! Jobs of billing: `cron` says when, `billing` when something was changed; `stripe-webhook` does them.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tollgate_api::{FieldError, Problem, Validate};
use tollgate_domain::{catalogue::Product, id::TenantId};

use super::held::Held;

use crate::{Scope, log, service, store::directory_jobs::HeldProduct};

/// The path, in `stripe-webhook`; no address leads there.
pub const JOBS_PATH: &str = "/internal/billing-jobs";

/// Which job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// What the clock brings, and events that were lost on their way.
    Sweep,
    /// Subscriptions against Stripe.
    Reconcile,
    /// What goes beyond soft limits, to Stripe, from here on.
    ReportOverage(Place),
    /// What was changed for a tenant, to its meters: see [`super::tell`].
    Tell {
        /// The tenant.
        tenant: TenantId,
        /// What of it.
        product: Product,
    },
}

/// Where a job stands that goes through what all tenants hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// Which of the shards, from 0.
    pub shard: usize,
    /// After what of it; `None` at its beginning.
    pub after: Option<HeldProduct>,
}

impl Validate for Job {
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        Ok(())
    }
}

/// What was done of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worked {
    /// How many things.
    pub done: u32,
    /// Whether there is more.
    pub more: bool,
}

/// What was done of a report of overage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// How many events Stripe has taken.
    pub done: u32,
    /// How many it does not take, and how many could not be looked at.
    pub failed: u32,
    /// Where it goes on; `None` at the end.
    pub next: Option<Place>,
}

/// Has a bounded piece of a job done.
///
/// # Errors
/// 503 when it cannot be done now.
pub async fn have_done(scope: &Scope, job: &Job) -> Result<Worked, Problem> {
    ask(scope, job).await
}

/// Has a bounded piece of the report of overage done.
///
/// # Errors
/// 503 when it cannot be done now.
pub async fn have_overage_reported(scope: &Scope, from: Place) -> Result<Reported, Problem> {
    ask(scope, &Job::ReportOverage(from)).await
}

/// Has the meters told of a change, where there is something to tell. Not done here, for whoever changes something has little
/// room for all that it takes.
///
/// # Errors
/// 503 when they could not be told; the clock tries again.
pub async fn have_told(scope: &Scope, held: &Held) -> Result<(), Problem> {
    if held.pending.is_empty() {
        return Ok(());
    }
    let job = Job::Tell { tenant: held.tenant, product: held.subscription.product };
    ask::<Worked>(scope, &job).await.map(drop)
}

async fn ask<T: DeserializeOwned>(scope: &Scope, job: &Job) -> Result<T, Problem> {
    let away = |why: &str| {
        log::error("billing", why, Some(scope));
        Problem::dependency("billing jobs")
    };
    let body = serde_json::to_string(job).map_err(|_| Problem::internal())?;
    let answer = service::post(scope, "STRIPE_WEBHOOK", JOBS_PATH, &body).await;
    let (status, body) = answer.map_err(|error| away(&format!("{error:?}")))?;
    if status != 200 {
        return Err(away(&format!("{job:?} answered {status}")));
    }
    serde_json::from_slice(&body).map_err(|error| away(&error.to_string()))
}
