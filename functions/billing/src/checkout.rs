//! `POST /subscription/checkout`, `POST /user/upgrade-subscription`

use http::StatusCode;
use tollgate_api::subscription::{CheckoutIn, CheckoutOut};
use tollgate_domain::{
    audit::{Action, Outcome},
    outgoing_rates::Outgoing,
    subscription::{Change, NoWay, Purchase, Status},
};
use tollgate_platform::{
    Code, Problem, Scope, audit, billing,
    guard::{self, Asking},
    http::{Json, Reply},
    identity::{OwnerWith, needs::Billing},
    once::{Once, Plain},
    stripe::Stripe,
    trials,
};

use crate::{
    change,
    choice::Choice,
    session::{self, Opened, Unopened, Wanted},
    shown::shown,
};

/// Begins to pay for a plan, or moves up. Who pays nothing yet gets the address of a checkout at Stripe, the same one until it
/// is paid, has run out, or something else is chosen. What runs is changed at once, the rest of the period prorated, and goes on
/// where it was to end:
/// `checkout_url` is `null` then. A product that neither the tenant nor its owners had before begins with a trial: a card is asked
/// for, and nothing is charged for `trial_days`. Owners only.
#[utoipa::path(post, path = "/subscription/checkout", operation_id = "checkout", tag = "billing", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key gets the same answer, and nothing is done twice, for 24 hours")), request_body = CheckoutIn, responses(
    (status = 200, body = CheckoutOut), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 402, body = Problem, description = "`payment_required`: a payment is missing, or the card was declined"),
    (status = 403, body = Problem, description = "Not an owner, or a key without `billing`"),
    (status = 409, body = Problem, description = "`conflict`: the subscription is paused, the plan was not bought here, or others open checkouts for it at this moment"), (status = 413, body = Problem), (status = 415, body = Problem),
    (status = 422, body = Problem, description = "`not_an_upgrade`: there is no such move up from what is held"),
    (status = 429, body = Problem), (status = 503, body = Problem, description = "`billing_not_configured`, or Stripe cannot be reached"),
))]
#[worker::send]
pub async fn checkout(
    scope: Scope,
    caller: OwnerWith<Billing>,
    once: Once<Plain>,
    Json(input): Json<CheckoutIn>,
) -> Result<Reply, Problem> {
    answer(&scope, &caller, &once, &input).await
}

/// The same as `POST /subscription/checkout`.
#[utoipa::path(post, path = "/user/upgrade-subscription", operation_id = "upgrade_subscription", tag = "billing", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key gets the same answer, and nothing is done twice, for 24 hours")), request_body = CheckoutIn, responses(
    (status = 200, body = CheckoutOut), (status = 400, body = Problem), (status = 401, body = Problem), (status = 402, body = Problem),
    (status = 403, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
    (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn upgrade(
    scope: Scope,
    caller: OwnerWith<Billing>,
    once: Once<Plain>,
    Json(input): Json<CheckoutIn>,
) -> Result<Reply, Problem> {
    answer(&scope, &caller, &once, &input).await
}

/// The same for both addresses.
async fn answer(
    scope: &Scope,
    caller: &OwnerWith<Billing>,
    once: &Once<Plain>,
    input: &CheckoutIn,
) -> Result<Reply, Problem> {
    Box::pin(once.answer(scope, (caller.tenant, caller.user), input, buy(scope, caller, input))).await
}

async fn buy(scope: &Scope, caller: &OwnerWith<Billing>, input: &CheckoutIn) -> Result<Reply, Problem> {
    let (product, plan, interval, seats) = input.chosen(caller.product).ok_or_else(Problem::internal)?;
    let stripe = Stripe::of(scope)?;
    guard::admit(scope, Outgoing::Checkout, Asking::of_tenant(caller.tenant)).await?;
    let mut held = billing::load(scope, caller.tenant, product, Some(caller.user)).await?;
    // What was paid a moment ago, and no webhook has told yet, is not bought again.
    if let Some(customer) = billing::known_customer(scope, caller.tenant).await? {
        held = billing::catch_up(scope, caller.tenant, product, &customer, "billing").await?;
        billing::have_told(scope, &held).await?;
    }
    if held.given.is_some() {
        return Err(Problem::new(
            Code::Conflict,
            "The plan was agreed on with whoever runs this platform; they change it.",
        ));
    }
    let paid = held.subscription.paid.as_ref().filter(|paid| !paid.standing().is_final() && !paid.orphan);
    // Who pays by the year goes on to.
    let interval = paid.filter(|_| input.interval.is_none()).map_or(interval, |paid| paid.interval);
    let choice = Choice { plan, interval, seats };
    if paid.is_some_and(|paid| choice.is_held(paid) && paid.standing() == Status::Active) {
        return Err(Problem::new(Code::NotAnUpgrade, "This is what you have already: there is nothing to buy."));
    }
    let way = held.subscription.purchase(choice.wanted(), scope.now()).map_err(|why| no_way(why, scope))?;
    let mut trial_days = None;
    let (url, held) = match way {
        Purchase::Change(Change::AtPeriodEnd { .. }) => return Err(no_way(NoWay::NotAMove, scope)),
        Purchase::Change(Change::AtOnce { .. }) => (None, change::at_once(scope, &stripe, &held, choice, true).await?),
        Purchase::Free => (None, change::take_free(scope, &held).await?),
        Purchase::Checkout => {
            let followed = held.subscription.paid.as_ref().map(|paid| paid.id.clone());
            let mut customer = billing::customer(scope, &stripe, caller.tenant, caller.user).await?;
            if let Some(days) = held.subscription.trial_days_left()
                && trials::is_left(scope, caller.tenant, product).await?
            {
                trial_days = Some(days);
            }
            let wanted = Wanted::of(choice, trial_days);
            let followed = followed.as_deref();
            let mut opened = session::open(scope, &stripe, caller, product, &customer, wanted, followed).await;
            if matches!(opened, Err(Unopened::UnknownCustomer)) {
                billing::lost_customer(scope, caller.tenant, &customer, "billing").await?;
                customer = billing::customer(scope, &stripe, caller.tenant, caller.user).await?;
                opened = session::open(scope, &stripe, caller, product, &customer, wanted, followed).await;
            }
            match opened? {
                Opened::At(url) => (Some(url), held),
                Opened::Paid => {
                    let held = billing::reconcile(scope, caller.tenant, product, &customer, "billing").await?.held;
                    billing::have_told(scope, &held).await?;
                    (None, held)
                }
            }
        }
    };
    let id = held.subscription.paid.as_ref().map(|paid| paid.id.clone());
    let entry = audit::entry(scope, caller.actor(), Action::BillingCheckout, "subscription", id, Outcome::Success)
        .with("product", product.as_str())
        .with("plan", plan.as_str())
        .with("interval", interval.as_str())
        .with("seats", &seats.to_string());
    audit::record(scope, caller.tenant, &entry).await;
    let trial_days = trial_days.filter(|_| url.is_some());
    let out = CheckoutOut { checkout_url: url, trial_days, subscription: shown(&held, scope.now()) };
    Ok(Reply::json(StatusCode::OK, &out))
}

/// Why not, as the client sees it.
pub fn no_way(why: NoWay, scope: &Scope) -> Problem {
    let upgrade_url = Some(format!("{}/subscription/plans", scope.settings().public_url));
    let problem = match why {
        NoWay::NotAMove => Problem::new(
            Code::NotAnUpgrade,
            "From the plan you have this is no move up. Moves down are made with PATCH /subscription or in the portal, and \
             take effect when the paid period ends.",
        ),
        NoWay::PastDue => Problem::new(
            Code::PaymentRequired,
            "A payment is missing. POST /subscription/portal leads to where it is paid; then the plan can be changed.",
        ),
        NoWay::Disputed => Problem::new(
            Code::PaymentRequired,
            "The payment of your plan is disputed: it rests until your bank has decided. Take the dispute back there, or wait.",
        ),
        NoWay::Paused => {
            Problem::new(Code::Conflict, "The subscription is paused. Resume it in the portal; then it can be changed.")
        }
    };
    Problem { upgrade_url, ..problem }
}
