//! Processing an event: whose it is, what Stripe says now, and that it is done.

use tollgate_domain::{id::TenantId, stripe_api::event_pause_seconds, subscription::StripeSubscription};
use tollgate_platform::{
    Problem, Scope,
    billing::{self, Failure},
    log,
    store::{
        directory,
        directory_stripe_events::{self, EventEnd, EventRow},
    },
    stripe::Stripe,
};

use crate::receipt;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processed {
    /// It is done, ignored, or dead.
    Ended,
    /// It is tried again.
    Later {
        /// In so many seconds.
        seconds: u32,
    },
}

/// How long to wait when not even that could be noted, in seconds.
const UNNOTED_SECONDS: u32 = 10;

/// Processes an event that is stored, unless it has ended.
pub async fn process(scope: &Scope, id: &str) -> Processed {
    let event = match directory_stripe_events::one(scope, id).await {
        Ok(Some(event)) if event.status == "pending" => event,
        Ok(_) => return Processed::Ended,
        Err(_) => return Processed::Later { seconds: UNNOTED_SECONDS },
    };
    let (end, note) = match follow(scope, &event).await {
        Ok(()) => (EventEnd::Done, None),
        Err(Failure::Foreign(why)) => (EventEnd::Ignored, Some(why.to_owned())),
        Err(Failure::UnknownCustomer) => (EventEnd::Ignored, Some("Stripe does not know the customer".to_owned())),
        Err(Failure::Never(why)) => (EventEnd::Dead, Some(why)),
        Err(Failure::Later(problem)) => match event_pause_seconds(event.attempts + 1) {
            Some(seconds) => return later(scope, &event, &problem, seconds).await,
            None => (EventEnd::Dead, Some(problem.detail)),
        },
    };
    if end == EventEnd::Dead {
        let why = note.as_deref().unwrap_or_default();
        log::error("stripe_webhook", &format!("{} {} is dead: {why}", event.kind, event.event_id), Some(scope));
    }
    match directory_stripe_events::finish(scope, id, end, note.as_deref()).await {
        Ok(()) => Processed::Ended,
        Err(_) => Processed::Later { seconds: UNNOTED_SECONDS },
    }
}

async fn later(scope: &Scope, event: &EventRow, problem: &Problem, seconds: u32) -> Processed {
    let again_at = scope.now().plus_millis(i64::from(seconds) * 1_000);
    // Should this fail, the clock finds the event as it was.
    let _ = directory_stripe_events::fail(scope, &event.event_id, &problem.detail, again_at).await;
    Processed::Later { seconds }
}

/// Follows the subscription that the event is about, or the payment.
async fn follow(scope: &Scope, event: &EventRow) -> Result<(), Failure> {
    if let Some(payment) = &event.payment_id {
        let converged = billing::follow_payment(scope, payment, "stripe-webhook").await?;
        return billing::carry_out(scope, &converged.held).await.map_err(Failure::later);
    }
    let Some(subscription) = event.subscription_id.as_deref() else {
        return Err(Failure::Foreign("it is about no subscription"));
    };
    let tenant = tenant_of(scope, event, subscription).await?;
    let mut converged = billing::converge_on(scope, tenant, subscription, "stripe-webhook").await?;
    // What was followed is over: another one may be alive that nobody has told of.
    let subscribed = &converged.held.subscription;
    let is_over = subscribed.paid.as_ref().is_some_and(|paid| paid.status.is_final());
    if let Some(customer) = event.customer_id.as_deref().filter(|_| converged.changed && is_over) {
        match billing::reconcile(scope, tenant, subscribed.product, customer, "stripe-webhook").await {
            // The customer was deleted, and its subscriptions with it: there is no other one.
            Err(Failure::UnknownCustomer) => {}
            looked => converged = looked?,
        }
    }
    billing::carry_out(scope, &converged.held).await.map_err(Failure::later)?;
    match &event.invoice_id {
        Some(invoice) => receipt::send(scope, tenant, &converged.held, invoice).await,
        None => Ok(()),
    }
}

async fn tenant_of(scope: &Scope, event: &EventRow, subscription: &str) -> Result<TenantId, Failure> {
    let customer = if let Some(customer) = &event.customer_id {
        customer.clone()
    } else {
        let stripe = Stripe::of(scope).map_err(Failure::later)?;
        let object: StripeSubscription = billing::subscription_at_stripe(&stripe, subscription).await?;
        object.customer
    };
    let tenant = directory::tenant_of_customer(scope, &customer).await?;
    tenant.ok_or(Failure::Foreign("the customer is nobody's here"))
}
