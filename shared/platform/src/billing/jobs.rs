//! Jobs of billing: `cron` says when, `stripe-webhook`, which knows Stripe, does them.

use serde::{Deserialize, Serialize};
use tollgate_api::{FieldError, Problem, Validate};

use crate::{Scope, log, service};

/// The path, in `stripe-webhook`; no address leads there.
pub const JOBS_PATH: &str = "/internal/billing-jobs";

/// Which job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// What the clock brings, and events that were lost on their way.
    Sweep,
    /// Subscriptions against Stripe.
    Reconcile,
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

/// Has a bounded piece of a job done.
///
/// # Errors
/// 503 when it cannot be done now.
pub async fn have_done(scope: &Scope, job: Job) -> Result<Worked, Problem> {
    let away = |why: &str| {
        log::error("billing", why, Some(scope));
        Problem::dependency("billing jobs")
    };
    let body = serde_json::to_string(&job).map_err(|_| Problem::internal())?;
    let answer = service::post(scope, "STRIPE_WEBHOOK", JOBS_PATH, &body).await;
    let (status, body) = answer.map_err(|error| away(&format!("{error:?}")))?;
    if status != 200 {
        return Err(away(&format!("{job:?} answered {status}")));
    }
    serde_json::from_slice(&body).map_err(|error| away(&error.to_string()))
}
