//! A trial is claimed when a subscription begins: by the person, the card, and the company. One that somebody had before is
//! ended at Stripe at once, before anything was charged.

use tollgate_api::Problem;
use tollgate_domain::{
    stripe_api::Form,
    subscription::{Payer, StripeSubscription, TRIAL_MARK, TRIAL_REFUSED},
};

use super::held::Held;
use crate::{Scope, stripe::Stripe, trials};

/// Claims the trial of a subscription; it may be done twice. `false` when there was one before: then the subscription is over,
/// and the state is to follow it.
///
/// # Errors
/// When Stripe or a database does not answer.
pub(super) async fn claim(scope: &Scope, held: &Held, id: &str) -> Result<bool, Problem> {
    let stripe = Stripe::of(scope)?;
    let expand = Form::new()
        .with("expand[0]", "default_payment_method")
        .with("expand[1]", "customer.invoice_settings.default_payment_method");
    let payer: Payer = match stripe.get(&format!("/v1/subscriptions/{id}"), &expand).await {
        Ok(payer) => payer,
        Err(error) if error.is_missing() => return Ok(true),
        Err(error) => return Err(error.into()),
    };
    let (tenant, product) = (held.tenant, held.subscription.product);
    let payment = (id, payer.fingerprint());
    if payer.is_trial() {
        if payer.is_refused() || !trials::claim(scope, tenant, product, payment).await? {
            refuse(&stripe, id).await?;
            return Ok(false);
        }
    } else if payer.is_refused() {
        return Ok(false);
    } else {
        // Paid, or over: nothing is taken from anybody.
        trials::note_paid(scope, tenant, product, payment).await?;
    }
    trials::note_company(scope, tenant, product).await?;
    Ok(true)
}

/// Ends a trial. Why stands in the subscription itself, so that whoever looks at it later, and at Stripe, knows.
async fn refuse(stripe: &Stripe, id: &str) -> Result<(), Problem> {
    let path = format!("/v1/subscriptions/{id}");
    let mark = Form::new().with_map("metadata", [(TRIAL_MARK, TRIAL_REFUSED)]);
    let _: StripeSubscription = stripe.post(&path, &mark, &format!("refuse-trial-{id}")).await?;
    stripe.delete(&path).await?;
    Ok(())
}
