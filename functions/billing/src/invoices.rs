//! `GET /subscription/invoices`

use http::StatusCode;
use serde::Deserialize;
use tollgate_api::{subscription::InvoiceOut, usage::PageOut};
use tollgate_domain::{
    currency,
    outgoing_rates::Outgoing,
    stripe_api::{Form, Invoice},
};
use tollgate_platform::{
    Code, Problem, Scope, billing,
    guard::{self, Asking},
    http::{Query, Reply, limit},
    identity::{OwnerWith, needs::BillingRead},
    stripe::Stripe,
};

/// How to page.
#[derive(Debug, Deserialize)]
pub struct Page {
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Invoices {
    data: Vec<Invoice>,
    #[serde(default)]
    has_more: bool,
}

/// The tenant's invoices at Stripe, newest first. Owners only.
#[utoipa::path(get, path = "/subscription/invoices", operation_id = "list_invoices", tag = "billing", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100, 20 when left out"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, body = PageOut<InvoiceOut>), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "Not an owner, or a key without `billing:read`"),
        (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 429, body = Problem), (status = 503, body = Problem, description = "`billing_not_configured`, or Stripe cannot be reached")))]
#[worker::send]
pub async fn invoices(
    scope: Scope,
    caller: OwnerWith<BillingRead>,
    Query(page): Query<Page>,
) -> Result<Reply, Problem> {
    let limit = limit(page.limit)?;
    let stripe = Stripe::of(&scope)?;
    guard::admit(&scope, Outgoing::Invoices, Asking::of_tenant(caller.tenant)).await?;
    let Some(customer) = billing::known_customer(&scope, caller.tenant).await? else {
        return Ok(Reply::json(StatusCode::OK, &PageOut::<InvoiceOut> { data: Vec::new(), next_cursor: None }));
    };
    // The customer is the tenant's own: a cursor of somebody else's finds nothing of theirs.
    let query =
        Form::new().with("customer", &customer).with("limit", limit).with_some("starting_after", page.cursor.as_ref());
    let list: Invoices = match stripe.get("/v1/invoices", &query).await {
        // What was there went with the customer.
        Err(error) if error.is_unknown_customer() => Invoices { data: Vec::new(), has_more: false },
        Err(error) if error.is_missing() || page.cursor.is_some() && is_refused(&error) => {
            return Err(Problem::new(Code::BadRequest, "cursor is not the next_cursor of a page."));
        }
        list => list?,
    };
    let data: Vec<_> = list.data.into_iter().map(shown).collect();
    let next_cursor = data.last().filter(|_| list.has_more).map(|invoice| invoice.id.clone());
    Ok(Reply::json(StatusCode::OK, &PageOut { data, next_cursor }))
}

fn is_refused(error: &tollgate_platform::stripe::StripeError) -> bool {
    matches!(error, tollgate_platform::stripe::StripeError::Refused { .. })
}

fn shown(invoice: Invoice) -> InvoiceOut {
    InvoiceOut {
        total_cents: invoice.total,
        paid_cents: invoice.paid_cents(),
        created_at: invoice.created_at(),
        id: invoice.id,
        number: invoice.number,
        status: invoice.status,
        decimals: currency::decimals(&invoice.currency),
        currency: invoice.currency,
        hosted_url: invoice.hosted_invoice_url,
        pdf_url: invoice.invoice_pdf,
    }
}
