//! The one checkout of a tenant for a product that can be paid.

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    catalogue::{Interval, Plan, Product, current},
    stripe_api::Form,
    subscription::{TRIAL_CARD, TRIAL_MARK},
};
use tollgate_platform::{
    Problem, Scope,
    identity::Identity,
    random,
    store::billing::{self as store, CheckoutRow},
    stripe::{Stripe, StripeError},
};

use crate::choice::{Choice, priced, with_lines};

/// How often it is looked again when others work on the same checkout.
const TRIES: u32 = 10;
/// How long Stripe is sure to know an idempotency key: 24 hours, with an hour to spare. A session is open no longer.
const KEY_MS: i64 = 23 * 3_600_000;

#[derive(Debug, Deserialize)]
struct Session {
    id: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    status: Option<String>,
    /// `sub_...`, once it is paid.
    #[serde(default)]
    subscription: Option<String>,
}

/// What a checkout is opened for. Without a trial it is written as before there were any: an open one stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The plan.
    pub plan: Plan,
    /// How often it is paid.
    pub interval: Interval,
    /// Its seats.
    pub seats: u32,
    /// How long nothing is charged, in days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_days: Option<i64>,
}

impl Wanted {
    /// What was chosen, to begin with so many days of a trial.
    pub const fn of(choice: Choice, trial_days: Option<i64>) -> Self {
        Self { plan: choice.plan, interval: choice.interval, seats: choice.seats, trial_days }
    }
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// It can be paid here.
    At(String),
    /// The one that was open has just been paid: there is nothing to buy any more.
    Paid,
}

/// Opens a session, or answers the one that is open. One for another choice is closed first, so that nobody pays twice.
/// `followed` is the subscription that is known: one that was paid long ago stands in nobody's way.
pub async fn open(
    scope: &Scope,
    stripe: &Stripe,
    caller: &Identity,
    product: Product,
    customer: &str,
    wanted: Wanted,
    followed: Option<&str>,
) -> Result<Opened, Problem> {
    let tenant = caller.tenant;
    let wanted = serde_json::to_string(&wanted).map_err(|_| Problem::internal())?;
    for _ in 0..TRIES {
        let fresh = random::name("checkout")?;
        let claim = (fresh.as_str(), wanted.as_str());
        let Some(row) = store::checkout(scope, tenant, product).await? else {
            store::claim_checkout(scope, tenant, product, None, claim).await?;
            continue;
        };
        let is_old = scope.now().as_millis() - row.claimed_at > KEY_MS;
        let session = match &row.session_id {
            Some(id) => read(stripe, id).await?,
            // A key that Stripe may have forgotten would open another one.
            None if is_old => None,
            None => Some(make(scope, stripe, caller, product, customer, &row).await?),
        };
        if let Some(session) = session {
            match session.status.as_deref() {
                Some("complete") => {
                    // What was paid is followed by the caller; the next choice gets a session of its own.
                    store::claim_checkout(scope, tenant, product, Some(&row.claim), claim).await?;
                    if session.subscription.as_deref() == followed {
                        continue;
                    }
                    return Ok(Opened::Paid);
                }
                Some("open") | None if row.choice == wanted && !is_old => {
                    if let Some(url) = session.url {
                        return Ok(Opened::At(url));
                    }
                }
                Some("open") | None => {
                    let path = format!("/v1/checkout/sessions/{}/expire", session.id);
                    let key = format!("expire-{}", session.id);
                    match stripe.post::<Session>(&path, &Form::new(), &key).await {
                        Ok(_) => {}
                        // It was paid, or ran out, in this moment: look again.
                        Err(StripeError::Refused { .. }) => continue,
                        Err(error) => return Err(error.into()),
                    }
                }
                Some(_) => {}
            }
        }
        store::claim_checkout(scope, tenant, product, Some(&row.claim), claim).await?;
    }
    Err(Problem::dependency("stripe"))
}

async fn read(stripe: &Stripe, id: &str) -> Result<Option<Session>, Problem> {
    match stripe.get(&format!("/v1/checkout/sessions/{id}"), &Form::new()).await {
        Ok(session) => Ok(Some(session)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Makes the session of a claim: whoever does gets the same one.
async fn make(
    scope: &Scope,
    stripe: &Stripe,
    caller: &Identity,
    product: Product,
    customer: &str,
    row: &CheckoutRow,
) -> Result<Session, Problem> {
    let Wanted { plan, interval, seats, trial_days } =
        serde_json::from_str(&row.choice).map_err(|_| Problem::internal())?;
    let choice = Choice { plan, interval, seats };
    let offer = current(product, choice.plan).ok_or_else(Problem::internal)?;
    let lines = priced(scope, stripe, product, offer, choice).await?;
    let url = &scope.settings().public_url;
    let tenant = caller.tenant.to_string();
    // The same for everybody who sends this claim: a request with the same key and another body is refused.
    let about = [("tollgate_tenant", tenant.as_str()), ("tollgate_product", product.as_str())];
    let form = Form::new()
        .with("mode", "subscription")
        .with("customer", customer)
        .with("client_reference_id", &tenant)
        .with("success_url", format!("{url}/subscription?product={product}&checkout=done"))
        .with("cancel_url", format!("{url}/subscription/plans?product={product}"))
        .with_map("metadata", about)
        .with_map("subscription_data[metadata]", about);
    let form = match trial_days {
        // The mark says that the limits are the trial's, and that it may be ended: see `tollgate_domain::subscription`.
        Some(days) => form
            .with("payment_method_collection", "always")
            // Only cards are known again.
            .with("payment_method_types[0]", "card")
            .with("subscription_data[trial_period_days]", days)
            .with_map("subscription_data[metadata]", [(TRIAL_MARK, TRIAL_CARD)]),
        None => form,
    };
    let session: Session =
        stripe.post("/v1/checkout/sessions", &with_lines(form, "line_items", &lines), &row.claim).await?;
    store::name_checkout(scope, caller.tenant, product, (&row.claim, &session.id)).await?;
    Ok(session)
}
