//! What was ended here before its period is over is not renewed at Stripe, and is again when that is taken back.

use serde::de::IgnoredAny;
use tollgate_api::Problem;
use tollgate_domain::{
    stripe_api::Form,
    subscription::{ENDED_HERE, StripeSubscription},
};

use super::converge::subscription_at_stripe;
use crate::{Scope, random, stripe::Stripe};

/// Sets whether a subscription is renewed; it may be done twice. What its owner has cancelled stays cancelled: only what was
/// set here, which the subscription's metadata says, is taken back.
///
/// # Errors
/// When Stripe does not answer.
pub(super) async fn set(scope: &Scope, id: &str, is_wanted: bool) -> Result<(), Problem> {
    let stripe = Stripe::of(scope)?;
    let object = match subscription_at_stripe(&stripe, id).await {
        Ok(object) => object,
        Err(error) if error.is_missing() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let is_over = matches!(object.status.as_str(), "canceled" | "incomplete_expired");
    let is_set_here = object.metadata.get(ENDED_HERE).is_some_and(|mark| !mark.is_empty());
    let is_ending = object.cancel_at_period_end || object.cancel_at.is_some();
    if is_over || is_wanted != is_set_here || !is_wanted && is_ending {
        return Ok(());
    }
    // A subscription that a schedule changes later cannot be changed by itself.
    if let Some(schedule) = &object.schedule {
        let path = format!("/v1/subscription_schedules/{schedule}/release");
        let _: IgnoredAny = stripe.post(&path, &Form::new(), &random::name("release")?).await?;
    }
    let form = Form::new()
        .with("cancel_at_period_end", !is_wanted)
        .with_map("metadata", [(ENDED_HERE, if is_wanted { "" } else { "yes" })]);
    // What it is set to was just looked at: a key of its own, so that it can be set again later.
    let _: StripeSubscription =
        stripe.post(&format!("/v1/subscriptions/{id}"), &form, &random::name("renewal")?).await?;
    Ok(())
}
