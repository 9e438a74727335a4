//! A receipt for an invoice that was paid.

use tollgate_domain::{
    id::TenantId,
    mail::Letter,
    stripe_api::{Form, Invoice},
};
use tollgate_platform::{
    Problem, Scope,
    billing::{Failure, Held},
    mail,
    store::{self, directory},
    stripe::Stripe,
};

/// Writes the owner of a tenant a receipt, once for each invoice. What cost nothing (a trial's invoice, one that a credit
/// covers) has none.
///
/// # Errors
/// When Stripe, the database or the mails' queue cannot be reached.
pub async fn send(scope: &Scope, tenant: TenantId, held: &Held, id: &str) -> Result<(), Failure> {
    let stripe = Stripe::of(scope).map_err(Failure::later)?;
    let invoice: Invoice = stripe.get(&format!("/v1/invoices/{id}"), &Form::new()).await?;
    let owner = match invoice.customer.as_deref() {
        Some(customer) => directory::tenant_of_customer(scope, customer).await?,
        None => None,
    };
    if owner != Some(tenant) {
        return Err(Failure::Foreign("the invoice is another customer's"));
    }
    let amount_cents = invoice.paid_cents();
    if !invoice.is_paid() || amount_cents <= 0 {
        return Ok(());
    }
    let Some(owner) = store::billing::owner(scope, tenant).await? else { return Ok(()) };
    let all = format!("{}/subscription/invoices", scope.settings().public_url);
    let letter = Letter::Receipt {
        product: held.subscription.product,
        plan: held.subscription.paid.as_ref().map_or("", |paid| paid.plan.as_str()),
        amount_cents,
        currency: &invoice.currency,
        period: invoice.period().map(|period| (period.start, period.end)),
        invoice_url: invoice.hosted_invoice_url.as_deref().unwrap_or(&all),
    };
    let sent: Result<(), Problem> = mail::send(scope, tenant, format!("receipt {id}"), &owner, &letter).await;
    sent.map_err(Failure::later)
}
