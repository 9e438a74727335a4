//! A tenant's one customer at Stripe, made when it is first needed.

use core::time::Duration;

use serde::Deserialize;
use tollgate_api::Problem;
use tollgate_domain::{
    id::{TenantId, UserId},
    stripe_api::Form,
    time::Timestamp,
};

use worker::Delay;

use super::{converge::look_alone, held::load_all, jobs::have_told};
use crate::{
    Scope, log, random,
    store::{self, billing::CustomerRow},
    stripe::{List, Stripe},
};

/// How long Stripe is sure to know an idempotency key: 24 hours, with an hour to spare.
const KEY_MS: i64 = 23 * 3_600_000;

/// How long somebody else's claim is left to them, in milliseconds.
const BUSY_MS: i64 = 3_000;
/// How long it is waited before it is looked again, and how often that is done.
const WAIT: Duration = Duration::from_millis(100);
const MOST_WAITS: u32 = 40;

#[derive(Deserialize)]
struct Customer {
    id: String,
    /// What is left of one that was deleted.
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    tollgate_tenant: Option<String>,
}

/// The customer, where there is one.
///
/// # Errors
/// When the database cannot be read.
pub async fn known_customer(scope: &Scope, tenant: TenantId) -> Result<Option<String>, Problem> {
    Ok(store::billing::customer(scope, tenant).await?.and_then(|row| row.customer_id))
}

/// All customers that a tenant has and had.
///
/// # Errors
/// When the database cannot be read.
pub async fn all_customers(scope: &Scope, tenant: TenantId) -> Result<Vec<String>, Problem> {
    let mut all = store::billing::former_customers(scope, tenant).await?;
    let known = known_customer(scope, tenant).await?;
    all.extend(known.filter(|known| !all.contains(known)));
    Ok(all)
}

/// Stripe does not know a customer (any more): deleted there, or of another account or mode than the key that is set. Each
/// subscription that is held is looked at by itself, and what Stripe does not know either is kept and marked, see
/// [`tollgate_domain::subscription::Paid::orphan`]. Then the customer is given up, and [`customer`] makes another one. In this
/// order: with another customer nobody would find what is held.
///
/// # Errors
/// 503 when the database or Stripe does not answer.
pub async fn lost_customer(scope: &Scope, tenant: TenantId, customer: &str, function: &str) -> Result<(), Problem> {
    let text = format!(
        "{tenant}: Stripe does not know the customer {customer}; another one is made (is the key the right one?)"
    );
    log::error("billing", &text, Some(scope));
    for held in load_all(scope, tenant).await? {
        let paid = held.subscription.paid.as_ref();
        if paid.is_none_or(|paid| paid.status.is_final()) {
            continue;
        }
        let held = look_alone(scope, &held, function).await?.held;
        have_told(scope, &held).await?;
    }
    store::billing::give_up_customer(scope, tenant, customer).await?;
    Ok(())
}

/// One of the customers of before that Stripe knows again, because the key was put right.
async fn found_again(scope: &Scope, stripe: &Stripe, tenant: TenantId) -> Result<Option<Customer>, Problem> {
    for former in store::billing::former_customers(scope, tenant).await? {
        match stripe.get::<Customer>(&format!("/v1/customers/{former}"), &Form::new()).await {
            Ok(customer) if !customer.deleted => return Ok(Some(customer)),
            Ok(_) => {}
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// The customer, made where there is none. The claim is stored before Stripe is asked and goes along as idempotency key: two
/// at once, or a second try after a crash, make the same one.
///
/// # Errors
/// 503 when the database or Stripe does not answer.
pub async fn customer(scope: &Scope, stripe: &Stripe, tenant: TenantId, user: UserId) -> Result<String, Problem> {
    let fresh = random::name("customer")?;
    let mut waits = 0;
    let (claim, claimed_at) = loop {
        let mut row = store::billing::customer(scope, tenant).await?;
        if row.is_none() {
            store::billing::claim_customer(scope, tenant, &fresh).await?;
            row = store::billing::customer(scope, tenant).await?;
        }
        match row.ok_or_else(Problem::internal)? {
            CustomerRow { customer_id: Some(id), .. } => return Ok(id),
            // Of many at once one asks Stripe, and the others wait for it; one that is not heard of is taken for gone.
            CustomerRow { claim, claimed_at, .. }
                if claim != fresh
                    && scope.now().apart_ms(Timestamp::from_millis(claimed_at)) < BUSY_MS
                    && waits < MOST_WAITS =>
            {
                waits += 1;
                Delay::from(WAIT).await;
            }
            CustomerRow { claim, claimed_at, .. } => break (claim, claimed_at),
        }
    };
    let contact = store::billing::contact(scope, tenant, user).await?.ok_or_else(Problem::internal)?;
    let text = tenant.to_string();
    // Stripe may have forgotten a key that old: it is asked whether the customer is there.
    let known = found_again(scope, stripe, tenant).await?;
    let found = if known.is_some() {
        known
    } else if scope.now().apart_ms(Timestamp::from_millis(claimed_at)) > KEY_MS {
        let query = Form::new().with("email", &contact.email).with("limit", 100);
        let list: List<Customer> = stripe.get("/v1/customers", &query).await?;
        list.data.into_iter().find(|one| one.metadata.tollgate_tenant.as_deref() == Some(&text))
    } else {
        None
    };
    let made = if let Some(found) = found {
        found
    } else {
        let body = Form::new()
            .with("email", &contact.email)
            .with("name", &contact.name)
            .with_map("metadata", [("tollgate_tenant", text.as_str())]);
        stripe.post("/v1/customers", &body, &claim).await?
    };
    store::billing::name_customer(scope, tenant, &made.id).await?;
    Ok(made.id)
}
