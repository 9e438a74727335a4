//! `POST /internal/billing-jobs`, for `cron` and `billing` over service bindings; the gateway does not lead here. Subscriptions: what the clock
//! alone brings, events that the queue has lost, the daily comparison with Stripe, and overage.

use http::StatusCode;
use tollgate_domain::{catalogue::Product, time::DAY_MS};
use tollgate_platform::{
    Problem, Scope,
    billing::{self, Converged, Failure, Job, Worked},
    http::{Json, Reply},
    log,
    store::{self, StoreError, directory, directory_stripe_events},
};

use crate::overage;

/// How long an event may be with the queue before it is given to it again, in milliseconds.
const LOST_MS: i64 = 60_000;
/// Events and states of one run.
const PER_RUN: u32 = 200;

/// Does a bounded piece of a job.
#[worker::send]
pub async fn run(scope: Scope, Json(job): Json<Job>) -> Result<Reply, Problem> {
    let (done, more) = match job {
        Job::Sweep => sweep(&scope).await?,
        Job::Reconcile => reconcile(&scope).await?,
        Job::Tell { tenant, product } => {
            billing::tell(&scope, &billing::load(&scope, tenant, product, None).await?).await?;
            (1, false)
        }
        Job::ReportOverage(from) => return Ok(Reply::json(StatusCode::OK, &overage::report(&scope, from).await?)),
    };
    Ok(Reply::json(StatusCode::OK, &Worked { done, more }))
}

/// Gives events that wait for more than a minute to the queue again, and carries out what is due: a grace or a paid period
/// that is over, a reminder, what could not be told to somebody. Says how many, and whether there are more.
///
/// # Errors
/// When a database cannot be reached.
async fn sweep(scope: &Scope) -> Result<(u32, bool), StoreError> {
    let lost = directory_stripe_events::waiting(scope, scope.now().plus_millis(-LOST_MS), PER_RUN).await?;
    if !lost.is_empty() {
        billing::hand_over_events(scope, &lost).await.map_err(|_| StoreError::Failed)?;
        directory_stripe_events::queued(scope, &lost).await?;
    }
    let mut done = lost.len();
    let mut more = lost.len() == PER_RUN as usize;
    for shard in store::shards(scope) {
        let due = directory::due_states(scope, shard, PER_RUN).await?;
        more |= due.len() == PER_RUN as usize;
        for state in due {
            done += 1;
            let Some(product) = Product::parse(&state.product) else { continue };
            let held = match billing::tick(scope, state.tenant_id, product, "cron").await {
                Ok(held) => held,
                Err(why) => {
                    log::error("billing", &format!("{} {product}: {why:?}", state.tenant_id), Some(scope));
                    continue;
                }
            };
            if billing::carry_out(scope, &held).await.is_err() {
                log::warn("billing", &format!("{} {product} could not be told yet", state.tenant_id), Some(scope));
            }
        }
    }
    Ok((u32::try_from(done).unwrap_or(u32::MAX), more))
}

/// Compares subscriptions that were not compared for a day with Stripe; what differs is mended, and the audit log says so.
/// Says how many were compared, and whether there are more.
///
/// # Errors
/// When a database or Stripe cannot be reached. Those that were compared until then are not compared again.
async fn reconcile(scope: &Scope) -> Result<(u32, bool), StoreError> {
    if tollgate_platform::stripe::Stripe::of(scope).is_err() {
        return Ok((0, false));
    }
    let since = scope.now().plus_millis(-DAY_MS);
    let (mut done, mut more) = (0, false);
    for shard in store::shards(scope) {
        let unchecked = directory::unchecked_states(scope, shard, since, PER_RUN).await?;
        more |= unchecked.len() == PER_RUN as usize;
        for state in unchecked {
            let tenant = state.tenant_id;
            let customer = store::billing::customer(scope, tenant).await?.and_then(|row| row.customer_id);
            let (Some(product), Some(customer)) = (Product::parse(&state.product), customer) else { continue };
            done += 1;
            match billing::reconcile(scope, tenant, product, &customer, "cron").await {
                Ok(converged) => {
                    let was_changed = converged.changed;
                    let converged = with_payments(scope, converged, &customer).await;
                    if was_changed || converged.changed {
                        log::warn("billing", &format!("{tenant} {product} had drifted from Stripe"), Some(scope));
                    }
                    // What could not be told stays due.
                    let _ = billing::carry_out(scope, &converged.held).await;
                }
                Err(Failure::Later(_)) => return Err(StoreError::Failed),
                // The next subscriptions are not to wait for this one.
                Err(why) => {
                    log::error("billing", &format!("{tenant} {product}: {why:?}"), Some(scope));
                    store::billing::checked(scope, tenant, product).await?;
                }
            }
        }
    }
    Ok((done, more))
}

/// Refunds and disputes of which no event was heard. Where they cannot be looked at (a restricted key may not read payments) the
/// log says so, and what is known of the subscription stands.
async fn with_payments(scope: &Scope, converged: Converged, customer: &str) -> Converged {
    let held = converged.held.clone();
    match billing::compare_payments(scope, held, customer, "cron").await {
        Ok(looked) => looked,
        Err(why) => {
            let (tenant, product) = (converged.held.tenant, converged.held.subscription.product);
            log::error("billing", &format!("payments of {tenant} {product}: {why:?}"), Some(scope));
            converged
        }
    }
}
