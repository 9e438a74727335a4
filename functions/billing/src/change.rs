//! `PATCH /subscription`: changes of what runs, at once or when the paid period ends.

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::subscription::{SubscriptionOut, SubscriptionPatch};
use tollgate_domain::{
    audit::{Action, Outcome},
    catalogue::{Interval, Plan, Product, current},
    outgoing_rates::Outgoing,
    stripe_api::Form,
    subscription::{Change, NoWay, Paid, Purchase, Status, StripeSubscription, wanted_offer},
    time::Timestamp,
};
use tollgate_platform::{
    Code, Problem, Scope, audit, billing,
    billing::{Held, Later},
    guard::{self, Asking},
    http::{Json, Reply},
    identity::{OwnerWith, needs::Billing},
    store::StoreError,
    stripe::{Stripe, StripeError},
};

use crate::{
    checkout::no_way,
    choice::{Choice, Line, priced, unusable_price, with_line, with_lines},
    shown::shown,
};

/// Changes what runs: more seats or a higher plan at once, prorated; fewer seats or a lower plan when the paid period ends;
/// or ends it with the period, and takes that back. What was arranged for the end of the period is given up by any change, and
/// by asking for what is held. Owners only.
#[utoipa::path(patch, path = "/subscription", operation_id = "change_subscription", tag = "billing", security(("bearer" = [])), request_body = SubscriptionPatch, responses(
    (status = 200, body = SubscriptionOut), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 402, body = Problem, description = "`payment_required`: a payment is missing, or the card was declined"),
    (status = 403, body = Problem, description = "Not an owner, or a key without `billing`"), (status = 409, body = Problem),
    (status = 413, body = Problem), (status = 415, body = Problem),
    (status = 422, body = Problem, description = "`not_an_upgrade`: there is no such move, or nothing runs"),
    (status = 429, body = Problem), (status = 503, body = Problem, description = "`billing_not_configured`, or Stripe cannot be reached"),
))]
#[worker::send]
pub async fn patch(
    scope: Scope,
    caller: OwnerWith<Billing>,
    Json(patch): Json<SubscriptionPatch>,
) -> Result<Reply, Problem> {
    let product = patch.product.as_deref().and_then(Product::parse).unwrap_or(caller.product);
    let stripe = Stripe::of(&scope)?;
    guard::admit(&scope, Outgoing::PlanChange, Asking::of_tenant(caller.tenant)).await?;
    let nothing = || no_way(NoWay::NotAMove, &scope);
    let customer = billing::known_customer(&scope, caller.tenant).await?.ok_or_else(nothing)?;
    let held = billing::catch_up(&scope, caller.tenant, product, &customer, "billing").await?;
    billing::have_told(&scope, &held).await?;
    let paid = held.subscription.paid.clone().ok_or_else(nothing)?;
    let held = if let Some(cancel) = patch.cancel_at_period_end {
        end_with_period(&scope, &stripe, &held, &paid, cancel).await?
    } else {
        let choice = Choice {
            plan: patch.plan.as_deref().and_then(Plan::parse).unwrap_or(paid.plan),
            interval: patch.interval.as_deref().and_then(Interval::parse).unwrap_or(paid.interval),
            seats: patch.seats.unwrap_or(paid.seats),
        };
        if choice.is_held(&paid) && runs(&paid) {
            let held = give_up(&scope, &stripe, held, &paid).await?;
            return Ok(Reply::json(StatusCode::OK, &shown(&held, scope.now())));
        }
        match held.subscription.purchase(choice.wanted(), scope.now()).map_err(|why| no_way(why, &scope))? {
            Purchase::Change(Change::AtOnce { .. }) => at_once(&scope, &stripe, &held, choice, false).await?,
            // Nothing was paid that could be used up first.
            Purchase::Change(Change::AtPeriodEnd { .. }) if changes_in_trial(&held, choice) => {
                at_once(&scope, &stripe, &held, choice, false).await?
            }
            Purchase::Change(Change::AtPeriodEnd { at }) => {
                at_period_end(&scope, &stripe, &held, &paid, choice, at).await?
            }
            Purchase::Checkout | Purchase::Free => return Err(nothing()),
        }
    };
    let entry =
        audit::entry(&scope, caller.actor(), Action::BillingChange, "subscription", Some(paid.id), Outcome::Success)
            .with("asked", &asked(&patch));
    audit::record(&scope, caller.tenant, &entry).await;
    Ok(Reply::json(StatusCode::OK, &shown(&held, scope.now())))
}

/// Whether it is a trial with a card that another plan is chosen to follow. It costs nothing, and its limits stay the trial's; a
/// schedule of Stripe's would end the trial. To the plan without payment one goes by ending it.
fn changes_in_trial(held: &Held, choice: Choice) -> bool {
    let has_price = current(held.subscription.product, choice.plan).is_some_and(|offer| offer.price.is_some());
    has_price && held.subscription.card_trial().is_some()
}

fn asked(patch: &SubscriptionPatch) -> String {
    let mut asked = Vec::new();
    asked.extend(patch.plan.as_ref().map(|plan| format!("plan {plan}")));
    asked.extend(patch.interval.as_ref().map(|interval| format!("interval {interval}")));
    asked.extend(patch.seats.map(|seats| format!("seats {seats}")));
    asked.extend(patch.cancel_at_period_end.map(|cancel| format!("cancel_at_period_end {cancel}")));
    asked.join(", ")
}

/// The plan without payment, from now on.
pub async fn take_free(scope: &Scope, held: &Held) -> Result<Held, Problem> {
    let change = held.subscription.take_free(scope.now()).ok_or_else(|| no_way(NoWay::NotAMove, scope))?;
    let held = held.commit(scope, change, held.later, "billing").await.map_err(|error| match error {
        StoreError::Taken(_) => Problem::dependency("database"),
        error @ StoreError::Failed => error.into(),
    })?;
    billing::have_told(scope, &held).await?;
    Ok(held)
}

/// A higher plan, a longer interval, more seats: what is left of the period is charged now, and without the payment nothing
/// changes. `goes_on`: what was to end with the period does not.
pub async fn at_once(
    scope: &Scope,
    stripe: &Stripe,
    held: &Held,
    choice: Choice,
    goes_on: bool,
) -> Result<Held, Problem> {
    change_now(scope, stripe, held, choice, goes_on, true).await
}

/// `again`: a price that Stripe does not take is looked up anew, and it is tried once more.
async fn change_now(
    scope: &Scope,
    stripe: &Stripe,
    held: &Held,
    choice: Choice,
    goes_on: bool,
    again: bool,
) -> Result<Held, Problem> {
    let paid = held.subscription.paid.as_ref().ok_or_else(Problem::internal)?;
    let product = held.subscription.product;
    let object = billing::subscription_at_stripe(stripe, &paid.id).await?;
    release(stripe, &object, held.revision).await?;
    let offer = wanted_offer(product, paid, choice.plan, choice.interval).ok_or_else(Problem::internal)?;
    let lines = priced(scope, stripe, product, offer, choice).await?;
    let mut form =
        Form::new().with("proration_behavior", "always_invoice").with("payment_behavior", "error_if_incomplete");
    if goes_on {
        form = form.with("cancel_at_period_end", false);
    }
    let mut items = Paid::items_of(&object);
    let mut index = 0;
    for line in &lines {
        let name = format!("items[{index}]");
        // What stays of the same part, and of the same meter, is changed, so that the period goes on.
        if let Some(at) = items.iter().position(|(held, _)| Some(held.part) == line.key.map(|key| key.part)) {
            form = form.with(&format!("{name}[id]"), items.swap_remove(at).1);
        }
        form = with_line(form, &name, line);
        index += 1;
    }
    for (_, id) in items {
        form = form.with(&format!("items[{index}][id]"), id).with(&format!("items[{index}][deleted]"), true);
        index += 1;
    }
    // Somebody who clicks twice changes once: the key is that of what was looked at.
    let key = format!("change-{}-{}-{:?}", paid.id, held.revision, choice.wanted());
    let changed: Result<StripeSubscription, _> =
        stripe.post(&format!("/v1/subscriptions/{}", paid.id), &form, &key).await;
    match changed {
        Ok(_) => follow(scope, held, &paid.id).await,
        Err(error @ StripeError::Refused { .. }) => {
            // Stripe answers a key as it did before for a day, a declined card too: the next try is to have another one. Of
            // two who were refused at once one counts.
            let noted = held.commit(scope, (held.subscription.clone(), Vec::new()), held.later, "billing").await;
            if !error.is_unusable_price() {
                return Err(error.into());
            }
            forget(&lines);
            match noted {
                Ok(held) if again => Box::pin(change_now(scope, stripe, &held, choice, goes_on, false)).await,
                _ => Err(unusable_price()),
            }
        }
        // The answer was lost: whether it was done is to be seen.
        Err(StripeError::Unavailable) => match follow(scope, held, &paid.id).await {
            Ok(now) if now.subscription.paid.as_ref().is_some_and(|paid| choice.is_held(paid)) => Ok(now),
            _ => Err(StripeError::Unavailable.into()),
        },
    }
}

/// A lower plan, a shorter interval, fewer seats: a schedule of Stripe's, so that its own renewal already bills what was
/// chosen. To the plan without payment one goes by ending what is paid.
async fn at_period_end(
    scope: &Scope,
    stripe: &Stripe,
    held: &Held,
    paid: &Paid,
    choice: Choice,
    at: Timestamp,
) -> Result<Held, Problem> {
    let product = held.subscription.product;
    let offer = wanted_offer(product, paid, choice.plan, choice.interval)
        .or_else(|| current(product, choice.plan))
        .ok_or_else(Problem::internal)?;
    if offer.price.is_none() {
        return end_with_period(scope, stripe, held, paid, true).await;
    }
    if paid.status == Status::Cancelling {
        return Err(Problem::new(
            Code::Conflict,
            "The subscription ends with its period. Take that back first, with cancel_at_period_end: false; then it can go down.",
        ));
    }
    let object = billing::subscription_at_stripe(stripe, &paid.id).await?;
    release(stripe, &object, held.revision).await?;
    let held_offer = paid.offer(product).ok_or_else(Problem::internal)?;
    let held_choice = Choice { plan: paid.plan, interval: paid.interval, seats: paid.seats };
    // A phase has the items that it names and no other: what the operator put beside the plan stays.
    let others = Paid::others_of(&object).into_iter().map(|(price, quantity)| Line { key: None, price, quantity });
    let others: Vec<_> = others.collect();
    // What was arranged before is part of the key: one that was given up is not answered again.
    let before = object.schedule.as_deref().unwrap_or("none");
    let tag = format!("{}-{}-{before}-{:?}", paid.id, held.revision, choice.wanted());
    let what_runs = Form::new().with("from_subscription", &paid.id);
    let begun = stripe.post("/v1/subscription_schedules", &what_runs, &format!("schedule-{tag}")).await;
    let schedule: Schedule = begun.map_err(at_the_same_time)?;
    let mut is_first = true;
    loop {
        let mut lines = priced(scope, stripe, product, offer, choice).await?;
        let mut held_lines = priced(scope, stripe, product, held_offer, held_choice).await?;
        held_lines.extend(others.iter().cloned());
        lines.extend(others.iter().cloned());
        let form = Form::new()
            .with("end_behavior", "release")
            .with("proration_behavior", "none")
            .with("phases[0][start_date]", paid.period.start.as_seconds())
            .with("phases[0][end_date]", at.as_seconds());
        let form = with_lines(form, "phases[0][items]", &held_lines);
        let form = with_lines(form, "phases[1][items]", &lines)
            .with("phases[1][proration_behavior]", "none")
            .with("phases[1][duration][interval]", choice.interval.as_str())
            .with("phases[1][duration][interval_count]", 1);
        let path = format!("/v1/subscription_schedules/{}", schedule.id);
        let key = format!("phases-{tag}{}", if is_first { "" } else { "-again" });
        match stripe.post::<Schedule>(&path, &form, &key).await {
            Ok(_) => break,
            Err(error) if error.is_unusable_price() => {
                forget(&lines);
                forget(&held_lines);
                if !is_first {
                    return Err(unusable_price());
                }
                is_first = false;
            }
            Err(error) => return Err(at_the_same_time(error)),
        }
    }
    let later = Later { plan: choice.plan, interval: choice.interval, seats: choice.seats, at };
    billing::arrange(scope, held.tenant, product, later, "billing").await?;
    follow(scope, held, &paid.id).await
}

async fn end_with_period(
    scope: &Scope,
    stripe: &Stripe,
    held: &Held,
    paid: &Paid,
    cancel: bool,
) -> Result<Held, Problem> {
    if !runs(paid) {
        return Err(no_way(NoWay::NotAMove, scope));
    }
    let object = billing::subscription_at_stripe(stripe, &paid.id).await?;
    release(stripe, &object, held.revision).await?;
    let form = Form::new().with("cancel_at_period_end", cancel);
    // Asked twice it is the same twice: only what is sent again because no answer came has the same key.
    let key = format!("cancel-{}-{}", paid.id, scope.request_id());
    let _: StripeSubscription = stripe.post(&format!("/v1/subscriptions/{}", paid.id), &form, &key).await?;
    follow(scope, held, &paid.id).await
}

const fn runs(paid: &Paid) -> bool {
    !paid.orphan && matches!(paid.status, Status::Active | Status::Trialing | Status::Cancelling | Status::PastDue)
}

/// What is held is wanted: what was arranged for the end of the period is given up.
async fn give_up(scope: &Scope, stripe: &Stripe, held: Held, paid: &Paid) -> Result<Held, Problem> {
    if held.later.is_none() {
        return Ok(held);
    }
    let object = billing::subscription_at_stripe(stripe, &paid.id).await?;
    release(stripe, &object, held.revision).await?;
    follow(scope, &held, &paid.id).await
}

/// What Stripe refuses of an arrangement: somebody else arranges something.
fn at_the_same_time(error: StripeError) -> Problem {
    match error {
        StripeError::Refused { .. } => Problem::new(
            Code::Conflict,
            "The subscription is being changed by somebody else at this moment. Look at GET /subscription, and try again.",
        ),
        error @ StripeError::Unavailable => error.into(),
    }
}

/// Prices that Stripe did not take are looked up anew.
fn forget(lines: &[Line]) {
    billing::forget_prices(&lines.iter().filter_map(|line| line.key).collect::<Vec<_>>());
}

#[derive(Deserialize)]
struct Schedule {
    id: String,
}

/// A subscription that a schedule changes later cannot be changed by itself: what was arranged is given up.
async fn release(stripe: &Stripe, object: &StripeSubscription, revision: i64) -> Result<(), Problem> {
    if let Some(schedule) = &object.schedule {
        let path = format!("/v1/subscription_schedules/{schedule}/release");
        let _: Schedule = stripe.post(&path, &Form::new(), &format!("release-{schedule}-{revision}")).await?;
    }
    Ok(())
}

/// The state follows what was just changed; the webhook will find nothing to do.
async fn follow(scope: &Scope, held: &Held, id: &str) -> Result<Held, Problem> {
    let held = billing::converge_on(scope, held.tenant, id, "billing").await?.held;
    billing::have_told(scope, &held).await?;
    Ok(held)
}
