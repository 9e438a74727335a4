//! `POST /subscription/portal`

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::{
    FieldError,
    subscription::{PortalIn, PortalOut},
};
use tollgate_domain::{
    audit::{Action, Outcome},
    outgoing_rates::Outgoing,
    stripe_api::Form,
};
use tollgate_platform::{
    Problem, Scope, audit, billing,
    guard::{self, Asking},
    http::{Json, Reply},
    identity::{OwnerWith, needs::Billing},
    random,
    stripe::{Stripe, StripeError},
};

#[derive(Deserialize)]
struct Session {
    url: String,
}

/// The customer portal at Stripe: the card, invoices, cancelling. Owners only.
#[utoipa::path(post, path = "/subscription/portal", operation_id = "open_portal", tag = "billing", security(("bearer" = [])), request_body = PortalIn, responses(
    (status = 200, body = PortalOut), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem, description = "Not an owner, or a key without `billing`"), (status = 413, body = Problem), (status = 415, body = Problem),
    (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem, description = "`billing_not_configured`, or Stripe cannot be reached"),
))]
#[worker::send]
pub async fn portal(scope: Scope, caller: OwnerWith<Billing>, Json(input): Json<PortalIn>) -> Result<Reply, Problem> {
    let home = &scope.settings().public_url;
    let back = match input.return_url {
        None => format!("{home}/subscription"),
        // A link of Stripe's that leads anywhere is a gift to whoever sends mails in our name.
        Some(url) if url == *home || url.starts_with(&format!("{home}/")) => url,
        Some(_) => {
            let error = FieldError::new("return_url", "must be an address of this platform");
            return Err(Problem::invalid(vec![error]));
        }
    };
    let stripe = Stripe::of(&scope)?;
    guard::admit(&scope, Outgoing::Portal, Asking::of_tenant(caller.tenant)).await?;
    let mut customer = billing::customer(&scope, &stripe, caller.tenant, caller.user).await?;
    let mut opened = open(&stripe, &customer, &back).await;
    if opened.as_ref().is_err_and(StripeError::is_unknown_customer) {
        billing::lost_customer(&scope, caller.tenant, &customer, "billing").await?;
        customer = billing::customer(&scope, &stripe, caller.tenant, caller.user).await?;
        opened = open(&stripe, &customer, &back).await;
    }
    let session = opened?;
    let entry =
        audit::entry(&scope, caller.actor(), Action::BillingPortal, "customer", Some(customer), Outcome::Success);
    audit::record(&scope, caller.tenant, &entry).await;
    Ok(Reply::json(StatusCode::OK, &PortalOut { portal_url: session.url }))
}

async fn open(stripe: &Stripe, customer: &str, back: &str) -> Result<Session, StripeError> {
    let form = Form::new().with("customer", customer).with("return_url", back);
    let key = random::name("portal").map_err(|_| StripeError::Unavailable)?;
    stripe.post("/v1/billing_portal/sessions", &form, &key).await
}
