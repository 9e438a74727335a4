//! Stripe is asked, and the state follows.

use tollgate_api::Problem;
use tollgate_domain::{
    catalogue::Product,
    id::TenantId,
    stripe_api::Form,
    subscription::{Bill, Paid, StripeSubscription, Unreadable},
};

use super::{
    customer::lost_customer,
    held::{Held, Later, load},
};
use crate::{
    Scope,
    store::{self, StoreError},
    stripe::{List, Stripe, StripeError},
};

/// How often a change is decided again when others change the same state.
pub(super) const TRIES: u32 = 10;

/// Why a state could not follow.
#[derive(Debug)]
pub enum Failure {
    /// It may work later.
    Later(Box<Problem>),
    /// It never will, as things are.
    Never(String),
    /// It is about nothing of ours.
    Foreign(&'static str),
    /// Stripe does not know the customer: see [`super::lost_customer`].
    UnknownCustomer,
}

impl Failure {
    /// It may work later.
    pub fn later(problem: impl Into<Problem>) -> Self {
        Self::Later(Box::new(problem.into()))
    }
}

impl From<StripeError> for Failure {
    fn from(error: StripeError) -> Self {
        if error.is_unknown_customer() {
            Self::UnknownCustomer
        } else if error.is_missing() {
            Self::Foreign("Stripe has no such subscription")
        } else {
            Self::later(error)
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Later(problem) => *problem,
            Failure::Never(_) | Failure::Foreign(_) | Failure::UnknownCustomer => Self::dependency("stripe"),
        }
    }
}

/// What a look at Stripe has brought.
#[derive(Debug)]
pub struct Converged {
    /// The state as it is now.
    pub held: Held,
    /// Whether anything was changed.
    pub changed: bool,
}

/// A subscription as it is at Stripe now; of one that is in arrears with its unpaid invoices.
///
/// # Errors
/// [`StripeError`].
pub async fn subscription_at_stripe(stripe: &Stripe, id: &str) -> Result<StripeSubscription, StripeError> {
    let query = Form::new().with("expand[0]", "latest_invoice");
    with_unpaid(stripe, stripe.get(&format!("/v1/subscriptions/{id}"), &query).await?).await
}

/// How many pages of unpaid invoices are looked at: a thousand invoices, of which the oldest comes last.
const UNPAID_PAGES: u32 = 10;

/// Since when a payment is missing is in no field of the subscription: its unpaid invoices are listed.
async fn with_unpaid(stripe: &Stripe, object: StripeSubscription) -> Result<StripeSubscription, StripeError> {
    if !object.is_in_arrears() {
        return Ok(object);
    }
    let mut unpaid = Vec::new();
    for status in ["open", "uncollectible"] {
        let mut after: Option<String> = None;
        for _ in 0..UNPAID_PAGES {
            let query = Form::new()
                .with("subscription", &object.id)
                .with("status", status)
                .with("limit", 100)
                .with_some("starting_after", after.as_ref());
            let page: List<Bill> = stripe.get("/v1/invoices", &query).await?;
            after = page.data.last().filter(|_| page.has_more).map(|bill| bill.id.clone());
            unpaid.extend(page.data);
            if after.is_none() {
                break;
            }
        }
    }
    Ok(StripeSubscription { unpaid: Some(unpaid), ..object })
}

/// Fetches a subscription of a tenant's and follows it. The state is read before Stripe is asked and stored only if nobody
/// changed it since: what was fetched is never older than what it replaces.
///
/// # Errors
/// [`Failure`].
pub async fn converge_on(scope: &Scope, tenant: TenantId, id: &str, function: &str) -> Result<Converged, Failure> {
    let stripe = Stripe::of(scope).map_err(Failure::later)?;
    let mut product: Option<Product> = None;
    for _ in 0..TRIES {
        let before = match product {
            Some(product) => Some(load(scope, tenant, product, None).await?),
            None => known(scope, tenant, id).await?,
        };
        let object = subscription_at_stripe(&stripe, id).await?;
        let of = Paid::product_of(&object).map_err(unreadable)?;
        product = Some(of);
        // The first event of a product: only now it is known what to load, and Stripe is asked once more.
        let Some(before) = before.filter(|held| held.subscription.product == of) else { continue };
        let now = scope.now();
        let (next, effects) = before.subscription.converge(&object, now).map_err(unreadable)?;
        let later = before.later.filter(|_| object.schedule.is_some());
        if next == before.subscription && effects.is_empty() && later == before.later {
            return Ok(Converged { held: before, changed: false });
        }
        match before.commit(scope, (next, effects), later, function).await {
            Ok(held) => return Ok(Converged { held, changed: true }),
            Err(StoreError::Taken(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::later(Problem::dependency("database")))
}

async fn known(scope: &Scope, tenant: TenantId, id: &str) -> Result<Option<Held>, StoreError> {
    let all = super::load_all(scope, tenant).await?;
    Ok(all.into_iter().find(|held| held.subscription.paid.as_ref().is_some_and(|paid| paid.id == id)))
}

/// An operator looks at it: the catalogue lacks what somebody pays for, or Stripe says what it did not say before.
fn unreadable(why: Unreadable) -> Failure {
    Failure::Never(why.to_string())
}

/// Compares what a tenant holds of a product with all that Stripe has of its customer, and follows.
///
/// # Errors
/// [`Failure`].
pub async fn reconcile(
    scope: &Scope,
    tenant: TenantId,
    product: Product,
    customer: &str,
    function: &str,
) -> Result<Converged, Failure> {
    let stripe = Stripe::of(scope).map_err(Failure::later)?;
    for _ in 0..TRIES {
        let before = load(scope, tenant, product, None).await?;
        let query = Form::new()
            .with("customer", customer)
            .with("status", "all")
            .with("limit", 100)
            .with("expand[0]", "data.latest_invoice");
        let list: List<StripeSubscription> = stripe.get("/v1/subscriptions", &query).await?;
        // One that is of nothing in the catalogue is none of this product's.
        let mut ours = Vec::new();
        for object in list.data.into_iter().filter(|object| Paid::product_of(object) == Ok(product)) {
            ours.push(with_unpaid(&stripe, object).await?);
        }
        // Nothing was ever bought: there is nothing to follow, and what the operator gave stays.
        if before.revision == 0 && ours.is_empty() {
            return Ok(Converged { held: before, changed: false });
        }
        let (next, effects) = before.subscription.reconcile(&ours, scope.now()).map_err(unreadable)?;
        let held = next.paid.as_ref().map(|paid| paid.id.as_str());
        let scheduled = ours.iter().any(|object| Some(object.id.as_str()) == held && object.schedule.is_some());
        let later = before.later.filter(|_| scheduled);
        if next == before.subscription && effects.is_empty() && later == before.later {
            if before.revision > 0 {
                store::billing::checked(scope, tenant, product).await?;
            }
            return Ok(Converged { held: before, changed: false });
        }
        match before.commit(scope, (next, effects), later, function).await {
            Ok(held) => return Ok(Converged { held, changed: true }),
            Err(StoreError::Taken(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::later(Problem::dependency("database")))
}

/// The same for somebody who waits for it: a customer that Stripe does not know is given up, and what is held is what is
/// known without one.
///
/// # Errors
/// [`Failure`].
pub async fn catch_up(
    scope: &Scope,
    tenant: TenantId,
    product: Product,
    customer: &str,
    function: &str,
) -> Result<Held, Failure> {
    match reconcile(scope, tenant, product, customer, function).await {
        Err(Failure::UnknownCustomer) => {
            Box::pin(lost_customer(scope, tenant, customer, function)).await.map_err(Failure::later)?;
            Ok(load(scope, tenant, product, None).await?)
        }
        looked => Ok(looked?.held),
    }
}

/// Follows a subscription whose customer Stripe does not know; one that it does not know either is marked. Only where somebody
/// waits for it: the clock, which goes through all of them, would mark everybody's for a wrong key.
///
/// # Errors
/// [`Failure`].
pub(super) async fn look_alone(scope: &Scope, held: &Held, function: &str) -> Result<Converged, Failure> {
    let (tenant, product) = (held.tenant, held.subscription.product);
    let Some(id) = held.subscription.paid.as_ref().map(|paid| paid.id.clone()) else {
        return Ok(Converged { held: held.clone(), changed: false });
    };
    match converge_on(scope, tenant, &id, function).await {
        Err(Failure::Foreign(_)) => {}
        looked => return looked,
    }
    for _ in 0..TRIES {
        let before = load(scope, tenant, product, None).await?;
        // Somebody else has followed another one.
        if before.subscription.paid.as_ref().is_none_or(|paid| paid.id != id) {
            return Ok(Converged { held: before, changed: false });
        }
        let (next, effects) = before.subscription.orphaned(scope.now());
        if next == before.subscription && effects.is_empty() {
            return Ok(Converged { held: before, changed: false });
        }
        match before.commit(scope, (next, effects), before.later, function).await {
            Ok(held) => return Ok(Converged { held, changed: true }),
            Err(StoreError::Taken(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::later(Problem::dependency("database")))
}

/// Notes what was arranged for the end of the period: a change like others, so that what is arranged next has another
/// revision and no idempotency key of this one.
///
/// # Errors
/// [`Failure`].
pub async fn arrange(
    scope: &Scope,
    tenant: TenantId,
    product: Product,
    later: Later,
    function: &str,
) -> Result<Held, Failure> {
    for _ in 0..TRIES {
        let before = load(scope, tenant, product, None).await?;
        match before.commit(scope, (before.subscription.clone(), Vec::new()), Some(later), function).await {
            Ok(held) => return Ok(held),
            Err(StoreError::Taken(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::later(Problem::dependency("database")))
}

/// What time alone brings.
///
/// # Errors
/// [`Failure`].
pub async fn tick(scope: &Scope, tenant: TenantId, product: Product, function: &str) -> Result<Held, Failure> {
    for _ in 0..TRIES {
        let before = load(scope, tenant, product, None).await?;
        if before.revision == 0 {
            return Ok(before);
        }
        let (next, effects) = before.subscription.tick(scope.now());
        if next == before.subscription && effects.is_empty() {
            return Ok(before);
        }
        match before.commit(scope, (next, effects), before.later, function).await {
            Ok(held) => return Ok(held),
            Err(StoreError::Taken(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::later(Problem::dependency("database")))
}
