//! Payments that were refunded or disputed are fetched, and the state follows: the shell around
//! [`tollgate_domain::subscription::Setback`].

use tollgate_domain::{
    id::TenantId,
    stripe_api::{
        Charge, Expandable, Form, Invoice, InvoicePayment, Line, PaymentIntent, Refund, StripeDispute, refunded,
    },
    subscription::{Dispute, Setback},
};

use super::{
    converge::{Converged, Failure, TRIES, converge_on},
    held::{Held, load},
};
use crate::{
    Scope, log,
    store::{StoreError, directory},
    stripe::{List, Stripe, StripeError},
};
use tollgate_api::Problem;

/// How long before its period a payment for it may have been made, in seconds.
const EARLY_SECONDS: i64 = 86_400;

/// Fetches a payment that was refunded or disputed, by its own id (`ch_...`) or its intent's, and follows it: with all its
/// refunds and disputes as they are now, for the subscription whose invoice it paid.
///
/// # Errors
/// [`Failure`].
pub async fn follow_payment(scope: &Scope, payment: &str, function: &str) -> Result<Converged, Failure> {
    let stripe = Stripe::of(scope).map_err(Failure::later)?;
    let charge = charge_of(&stripe, payment).await?;
    let invoice = invoice_of(&stripe, &charge).await?;
    let of_invoice = invoice.as_ref().and_then(|invoice| invoice.customer.as_deref());
    let customer = charge.customer.as_ref().map(Expandable::id).or(of_invoice);
    let customer = customer.ok_or(Failure::Foreign("the payment is nobody's"))?;
    let tenant = directory::tenant_of_customer(scope, customer).await?;
    let tenant = tenant.ok_or(Failure::Foreign("the customer is nobody's here"))?;
    let subscription =
        invoice.as_ref().and_then(|invoice| Some((invoice.id.clone(), invoice.subscription_id()?.to_owned())));
    let Some((invoice, subscription)) = subscription else {
        // It takes no plan away; whoever runs the platform reads of it all the same.
        let text = format!("{tenant}: the payment {}, of no subscription, was refunded or is disputed", charge.id);
        (if charge.disputed { log::error } else { log::warn })("billing", &text, Some(scope));
        return Err(Failure::Foreign("the payment is of no subscription"));
    };
    follow(scope, &stripe, tenant, (&charge.id, &invoice, &subscription), function).await
}

/// Looks at the payments of what is held for refunds and disputes of which no event was heard.
///
/// # Errors
/// [`Failure`].
pub async fn compare_payments(scope: &Scope, held: Held, customer: &str, function: &str) -> Result<Converged, Failure> {
    let mut converged = Converged { held, changed: false };
    let Some(paid) = converged.held.subscription.paid.clone() else { return Ok(converged) };
    if paid.status.is_final() || paid.orphan {
        return Ok(converged);
    }
    let stripe = Stripe::of(scope).map_err(Failure::later)?;
    let query = Form::new()
        .with("customer", customer)
        .with("created[gte]", paid.period.start.as_seconds() - EARLY_SECONDS)
        .with("limit", 100);
    let charges: List<Charge> = stripe.get("/v1/charges", &query).await?;
    for charge in charges.data {
        if !charge.is_set_back() && !converged.held.subscription.knows_payment(&charge.id) {
            continue;
        }
        let Some(invoice) = invoice_of(&stripe, &charge).await? else { continue };
        let Some(subscription) = invoice.subscription_id().filter(|id| *id == paid.id) else { continue };
        let about = (charge.id.as_str(), invoice.id.as_str(), subscription);
        let next = follow(scope, &stripe, converged.held.tenant, about, function).await?;
        converged = Converged { held: next.held, changed: converged.changed | next.changed };
    }
    Ok(converged)
}

/// The state is read before Stripe is asked, and stored only if nobody changed it since.
async fn follow(
    scope: &Scope,
    stripe: &Stripe,
    tenant: TenantId,
    (charge, invoice, subscription): (&str, &str, &str),
    function: &str,
) -> Result<Converged, Failure> {
    // The subscription itself: often it was ended along with the refund, and only it says of which product it is.
    let first = converge_on(scope, tenant, subscription, function).await?;
    let product = first.held.subscription.product;
    for _ in 0..TRIES {
        let before = load(scope, tenant, product, None).await?;
        let setback = look(stripe, charge, invoice, subscription).await?;
        let (next, effects) = before.subscription.set_back(setback, scope.now());
        if next == before.subscription && effects.is_empty() {
            return Ok(Converged { held: before, changed: first.changed });
        }
        match before.commit(scope, (next, effects), before.later, function).await {
            Ok(held) => return Ok(Converged { held, changed: true }),
            Err(StoreError::Taken(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::later(Problem::dependency("database")))
}

/// A payment of an invoice with all that was given back of it and disputed.
async fn look(stripe: &Stripe, charge: &str, invoice: &str, subscription: &str) -> Result<Setback, Failure> {
    let of_charge = Form::new().with("charge", charge).with("limit", 100);
    let refunds: List<Refund> = stripe.get("/v1/refunds", &of_charge).await?;
    let disputes: List<StripeDispute> = stripe.get("/v1/disputes", &of_charge).await?;
    let invoice = whole_invoice(stripe, invoice).await?;
    Ok(Setback {
        charge: charge.to_owned(),
        subscription: subscription.to_owned(),
        whole: invoice.period(),
        span: invoice.span(),
        invoice_paid: invoice.paid_cents(),
        refunded: refunded(&refunds.data),
        disputes: disputes.data.into_iter().map(Dispute::from).collect(),
        currency: invoice.currency,
        invoice: invoice.id,
    })
}

async fn charge_of(stripe: &Stripe, payment: &str) -> Result<Charge, Failure> {
    let id = if payment.starts_with("pi_") {
        let path = format!("/v1/payment_intents/{payment}");
        let intent: PaymentIntent = stripe.get(&path, &Form::new()).await.map_err(no_payment)?;
        let charge = intent.latest_charge.ok_or(Failure::Foreign("nothing was paid"))?;
        charge.id().to_owned()
    } else {
        payment.to_owned()
    };
    stripe.get(&format!("/v1/charges/{id}"), &Form::new()).await.map_err(no_payment)
}

fn no_payment(error: StripeError) -> Failure {
    if error.is_missing() { Failure::Foreign("Stripe has no such payment") } else { Failure::later(error) }
}

/// What a payment paid; `None` where that was no invoice. Since 2025-03-31 the payment does not say so itself:
/// <https://docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices>.
async fn invoice_of(stripe: &Stripe, charge: &Charge) -> Result<Option<Invoice>, Failure> {
    let id = match (&charge.invoice, &charge.payment_intent) {
        (Some(invoice), _) => Some(invoice.id().to_owned()),
        (None, Some(intent)) => {
            let query = Form::new().with_map("payment", [("type", "payment_intent"), ("payment_intent", intent.id())]);
            let list: List<InvoicePayment> = stripe.get("/v1/invoice_payments", &query).await?;
            list.data.into_iter().find_map(|payment| payment.invoice).map(|invoice| invoice.id().to_owned())
        }
        (None, None) => None,
    };
    match id {
        Some(id) => Ok(Some(stripe.get(&format!("/v1/invoices/{id}"), &Form::new()).await?)),
        None => Ok(None),
    }
}

/// An invoice with its lines. Ten of them come along, and prorations come first: of many the next ones are fetched, for what
/// is for a whole period may be among them.
async fn whole_invoice(stripe: &Stripe, id: &str) -> Result<Invoice, Failure> {
    let mut invoice: Invoice = stripe.get(&format!("/v1/invoices/{id}"), &Form::new()).await?;
    if invoice.lines.has_more {
        let query = Form::new().with("limit", 100);
        let lines: List<Line> = stripe.get(&format!("/v1/invoices/{id}/lines"), &query).await?;
        invoice.lines.data = lines.data;
    }
    Ok(invoice)
}
