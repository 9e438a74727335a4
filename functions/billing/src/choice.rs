//! What somebody chose, and what Stripe is asked to bill for it.

use tollgate_domain::{
    catalogue::{Interval, Offer, Plan, Product},
    stripe_api::Form,
    subscription::bill,
};
use tollgate_platform::{Problem, Scope, billing, stripe::Stripe};

/// A plan, an interval and a number of seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The plan.
    pub plan: Plan,
    /// How often it is paid.
    pub interval: Interval,
    /// Its seats.
    pub seats: u32,
}

impl Choice {
    /// As the domain takes it.
    pub const fn wanted(self) -> (Plan, Interval, u32) {
        (self.plan, self.interval, self.seats)
    }
}

/// The prices of an entry of the catalogue with their ids at Stripe and quantities.
pub async fn priced(
    scope: &Scope,
    stripe: &Stripe,
    product: Product,
    offer: &Offer,
    choice: Choice,
) -> Result<Vec<(tollgate_domain::catalogue::PriceKey, String, u32)>, Problem> {
    let lines = bill(product, offer, choice.interval, choice.seats);
    let keys: Vec<_> = lines.iter().map(|(key, _)| *key).collect();
    let ids = billing::price_ids(scope, stripe, &keys).await?;
    Ok(lines.into_iter().zip(ids).map(|((key, quantity), id)| (key, id, quantity)).collect())
}

/// The same form with a line for each price: `<name>[0][price]`, `<name>[0][quantity]`.
pub fn with_lines(form: Form, name: &str, lines: &[(tollgate_domain::catalogue::PriceKey, String, u32)]) -> Form {
    lines.iter().enumerate().fold(form, |form, (index, (_, id, quantity))| {
        form.with(&format!("{name}[{index}][price]"), id).with(&format!("{name}[{index}][quantity]"), quantity)
    })
}
