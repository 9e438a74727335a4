//! The one checkout of a tenant for a product that can be paid.

use core::time::Duration;

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    catalogue::{Interval, Plan, Product, current},
    stripe_api::Form,
    subscription::{TRIAL_CARD, TRIAL_MARK},
    time::Timestamp,
};
use tollgate_platform::{
    Code, Problem, Scope, billing,
    identity::Identity,
    random,
    store::{
        StoreError,
        billing::{self as store, CheckoutRow},
    },
    stripe::{Stripe, StripeError},
};

use worker::Delay;

use crate::choice::{Choice, priced, unusable_price, with_lines};

/// How often something is tried.
const TRIES: u32 = 10;
/// How long somebody else's claim is left to them, in milliseconds: two requests of Stripe's, with time to spare. After that
/// they are taken for gone, and whoever waits does what they did not.
const BUSY_MS: i64 = 5_000;
/// How long it is waited before it is looked again.
const WAIT: Duration = Duration::from_millis(100);
/// How often that is done, and how often others may be faster: ten seconds in all.
const MOST_WAITS: u32 = 100;
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

/// Why none was opened.
#[derive(Debug)]
pub enum Unopened {
    /// Stripe does not know the customer.
    UnknownCustomer,
    /// Something else.
    Problem(Box<Problem>),
}

impl From<Problem> for Unopened {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<StoreError> for Unopened {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

impl From<Unopened> for Problem {
    fn from(unopened: Unopened) -> Self {
        match unopened {
            Unopened::UnknownCustomer => Self::dependency("stripe"),
            Unopened::Problem(problem) => *problem,
        }
    }
}

/// Opens a session, or answers the one that is open. One for another choice is closed first, so that nobody pays twice.
/// `followed` is the subscription that is known: one that was paid long ago stands in nobody's way.
///
/// Of many at once one works with Stripe, and the others wait for it here: a claim that is young and not theirs they leave
/// alone. So a choice costs Stripe two requests at most (the one before is closed, this one opened), however many come at once.
pub async fn open(
    scope: &Scope,
    stripe: &Stripe,
    caller: &Identity,
    product: Product,
    customer: &str,
    wanted: Wanted,
    followed: Option<&str>,
) -> Result<Opened, Unopened> {
    let tenant = caller.tenant;
    let wanted = serde_json::to_string(&wanted).map_err(|_| Problem::internal())?;
    let (mut mine, mut tries, mut waits, mut is_price_new) = (None, 0, 0, false);
    while tries < TRIES && waits < MOST_WAITS {
        let fresh = random::name("checkout")?;
        let claim = (fresh.as_str(), wanted.as_str());
        let Some(row) = store::checkout(scope, tenant, product).await? else {
            tries += 1;
            if store::claim_checkout(scope, tenant, product, None, claim).await? {
                mine = Some(fresh);
            }
            continue;
        };
        let age = scope.now().apart_ms(Timestamp::from_millis(row.claimed_at));
        if row.session_id.is_none() && mine.as_ref() != Some(&row.claim) && age < BUSY_MS {
            waits += 1;
            Delay::from(WAIT).await;
            continue;
        }
        tries += 1;
        let is_wanted = row.choice == wanted && age <= KEY_MS;
        let worked = match &row.session_id {
            Some(id) if is_wanted => read(stripe, id).await?.map_or(Worked::Closed, of),
            // It is closed by whoever opens the next one.
            Some(id) => Worked::Open(Session { id: id.clone(), url: None, status: None, subscription: None }),
            // A key that Stripe may have forgotten would open another one.
            None if age > KEY_MS => match row.closing_id.clone() {
                Some(id) => Worked::Open(Session { id, url: None, status: None, subscription: None }),
                None => Worked::Closed,
            },
            None => work(scope, stripe, caller, product, customer, &row, followed).await,
        };
        // What is to be closed before the next one is opened.
        let closing = match worked {
            Worked::Open(Session { url: Some(url), .. }) if is_wanted => return Ok(Opened::At(url)),
            Worked::Open(session) => Some(session.id),
            Worked::Closed => None,
            Worked::Paid(id) if id.as_deref() == followed => None,
            // What was paid is followed by the caller; the next choice gets a session of its own.
            Worked::Paid(_) => {
                store::claim_checkout(scope, tenant, product, Some((&row.claim, None)), claim).await?;
                store::leave_checkout(scope, tenant, product, &fresh, BUSY_MS).await?;
                return Ok(Opened::Paid);
            }
            Worked::Failed(Unmade::UnknownCustomer) => return Err(Unopened::UnknownCustomer),
            Worked::Failed(Unmade::UnusablePrice(_)) if !is_price_new => {
                is_price_new = true;
                None
            }
            // Stripe answers a key as it did before: the next try has another one.
            Worked::Failed(Unmade::UnusablePrice(problem) | Unmade::Refused(problem)) => {
                store::claim_checkout(scope, tenant, product, Some((&row.claim, None)), claim).await?;
                store::leave_checkout(scope, tenant, product, &fresh, BUSY_MS).await?;
                return Err(Unopened::Problem(problem));
            }
            // What was done of it is not known: whoever comes next asks with the same key.
            Worked::Failed(Unmade::Unknown(problem)) => {
                store::leave_checkout(scope, tenant, product, &row.claim, BUSY_MS).await?;
                return Err(Unopened::Problem(problem));
            }
        };
        if store::claim_checkout(scope, tenant, product, Some((&row.claim, closing.as_deref())), claim).await? {
            mine = Some(fresh);
        } else {
            // Somebody else was faster, and works on it.
            tries -= 1;
            waits += 1;
        }
    }
    Err(Problem::new(
        Code::Conflict,
        "Other checkouts for this product are being opened at this moment. Wait for them, and try again.",
    )
    .into())
}

/// What came of working on a claim.
enum Worked {
    /// There is a session that can be paid, as far as is known.
    Open(Session),
    /// There is none any more.
    Closed,
    /// It was paid, for this subscription.
    Paid(Option<String>),
    /// Nothing came of it.
    Failed(Unmade),
}

fn of(session: Session) -> Worked {
    match session.status.as_deref() {
        Some("complete") => Worked::Paid(session.subscription),
        Some("open") | None => Worked::Open(session),
        Some(_) => Worked::Closed,
    }
}

/// Closes the session of before, and makes that of a claim.
async fn work(
    scope: &Scope,
    stripe: &Stripe,
    caller: &Identity,
    product: Product,
    customer: &str,
    row: &CheckoutRow,
    followed: Option<&str>,
) -> Worked {
    if let Some(id) = &row.closing_id {
        match close(stripe, id).await {
            Err(problem) => return Worked::Failed(Unmade::Unknown(Box::new(problem))),
            Ok(Some(paid)) if paid.subscription.as_deref() != followed => return Worked::Paid(paid.subscription),
            Ok(_) => {}
        }
    }
    make(scope, stripe, caller, product, customer, row).await.map_or_else(Worked::Failed, of)
}

/// Closes a session, so that it cannot be paid any more; answers the one that was paid before.
async fn close(stripe: &Stripe, id: &str) -> Result<Option<Session>, Problem> {
    let path = format!("/v1/checkout/sessions/{id}/expire");
    match stripe.post::<Session>(&path, &Form::new(), &format!("expire-{id}")).await {
        Ok(_) => Ok(None),
        Err(error) if error.is_missing() => Ok(None),
        // It was paid, or ran out, before.
        Err(StripeError::Refused { .. }) => {
            Ok(read(stripe, id).await?.filter(|session| session.status.as_deref() == Some("complete")))
        }
        Err(error) => Err(error.into()),
    }
}

async fn read(stripe: &Stripe, id: &str) -> Result<Option<Session>, Problem> {
    match stripe.get(&format!("/v1/checkout/sessions/{id}"), &Form::new()).await {
        Ok(session) => Ok(Some(session)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Why Stripe made none.
enum Unmade {
    UnknownCustomer,
    /// A price is unknown or archived; it was forgotten.
    UnusablePrice(Box<Problem>),
    /// It was refused for another reason.
    Refused(Box<Problem>),
    /// Whether there is one is not known.
    Unknown(Box<Problem>),
}

impl From<Problem> for Unmade {
    fn from(problem: Problem) -> Self {
        Self::Unknown(Box::new(problem))
    }
}

impl From<StoreError> for Unmade {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
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
) -> Result<Session, Unmade> {
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
    let made = stripe.post("/v1/checkout/sessions", &with_lines(form, "line_items", &lines), &row.claim).await;
    let session: Session = made.map_err(|error| {
        if error.is_unknown_customer() {
            Unmade::UnknownCustomer
        } else if error.is_unusable_price() {
            billing::forget_prices(&lines.iter().filter_map(|line| line.key).collect::<Vec<_>>());
            Unmade::UnusablePrice(Box::new(unusable_price()))
        } else if matches!(error, StripeError::Refused { .. }) {
            Unmade::Refused(Box::new(error.into()))
        } else {
            Problem::from(error).into()
        }
    })?;
    store::name_checkout(scope, caller.tenant, product, (&row.claim, &session.id)).await?;
    Ok(session)
}
