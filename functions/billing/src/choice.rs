//! What somebody chose, and what Stripe is asked to bill for it.

use tollgate_domain::{
    catalogue::{Interval, Offer, Plan, PriceKey, Product},
    stripe_api::Form,
    subscription::{Paid, bill},
};
use tollgate_platform::{Code, Problem, Scope, billing, stripe::Stripe};

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
    /// Whether it is what is held.
    pub fn is_held(self, paid: &Paid) -> bool {
        (self.plan, self.interval, self.seats.max(1)) == (paid.plan, paid.interval, paid.seats)
    }

    /// As the domain takes it.
    pub const fn wanted(self) -> (Plan, Interval, u32) {
        (self.plan, self.interval, self.seats)
    }
}

/// A price with its id at Stripe and its quantity; what is metered has none, and Stripe refuses one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is in the catalogue; `None` for what the operator put beside it.
    pub key: Option<PriceKey>,
    /// `price_...`
    pub price: String,
    /// How many.
    pub quantity: Option<u64>,
}

/// A price that Stripe takes no more, although it was just looked up.
pub fn unusable_price() -> Problem {
    Problem::new(Code::BillingNotConfigured, "This plan cannot be bought yet: its price is not set up.")
}

/// The prices of an entry of the catalogue with their ids at Stripe and quantities.
pub async fn priced(
    scope: &Scope,
    stripe: &Stripe,
    product: Product,
    offer: &Offer,
    choice: Choice,
) -> Result<Vec<Line>, Problem> {
    let lines = bill(product, offer, choice.interval, choice.seats);
    let keys: Vec<_> = lines.iter().map(|(key, _)| *key).collect();
    let ids = billing::price_ids(scope, stripe, &keys).await?;
    let line = |((key, quantity), price): ((PriceKey, Option<u32>), String)| Line {
        key: Some(key),
        price,
        quantity: quantity.map(u64::from),
    };
    Ok(lines.into_iter().zip(ids).map(line).collect())
}

/// The same form with a line for each price: `<name>[0][price]`, `<name>[0][quantity]`.
pub fn with_lines(form: Form, name: &str, lines: &[Line]) -> Form {
    lines.iter().enumerate().fold(form, |form, (index, line)| with_line(form, &format!("{name}[{index}]"), line))
}

/// The same form with a price: `<name>[price]`, `<name>[quantity]`.
pub fn with_line(form: Form, name: &str, Line { price, quantity, .. }: &Line) -> Form {
    let form = form.with(&format!("{name}[price]"), price);
    match quantity {
        Some(quantity) => form.with(&format!("{name}[quantity]"), quantity),
        None => form,
    }
}
