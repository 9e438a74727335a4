//! A tenant's one customer at Stripe, made when it is first needed.

use serde::Deserialize;
use tollgate_api::Problem;
use tollgate_domain::{
    id::{TenantId, UserId},
    stripe_api::Form,
};

use crate::{
    Scope, random,
    store::{self, billing::CustomerRow},
    stripe::{List, Stripe},
};

/// How long Stripe is sure to know an idempotency key: 24 hours, with an hour to spare.
const KEY_MS: i64 = 23 * 3_600_000;

#[derive(Deserialize)]
struct Customer {
    id: String,
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

/// The customer, made where there is none. The claim is stored before Stripe is asked and goes along as idempotency key: two
/// at once, or a second try after a crash, make the same one.
///
/// # Errors
/// 503 when the database or Stripe does not answer.
pub async fn customer(scope: &Scope, stripe: &Stripe, tenant: TenantId, user: UserId) -> Result<String, Problem> {
    let fresh = random::name("customer")?;
    let mut row = store::billing::customer(scope, tenant).await?;
    if row.is_none() {
        store::billing::claim_customer(scope, tenant, &fresh).await?;
        row = store::billing::customer(scope, tenant).await?;
    }
    let CustomerRow { claim, claimed_at, customer_id } = row.ok_or_else(Problem::internal)?;
    if let Some(id) = customer_id {
        return Ok(id);
    }
    let contact = store::billing::contact(scope, tenant, user).await?.ok_or_else(Problem::internal)?;
    let text = tenant.to_string();
    // Stripe may have forgotten a key that old: it is asked whether the customer is there.
    let found = if scope.now().as_millis() - claimed_at > KEY_MS {
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
