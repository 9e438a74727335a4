//! Plans and subscriptions.

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    catalogue::{Interval, Plan, Product},
    meter::{Limits, MeterName},
    time::Timestamp,
};

use crate::input::{FieldError, Validate};

/// The most seats that are sold at once.
pub const MAX_SEATS: u32 = 10_000;

/// What a plan costs, in US cents before tax.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
pub struct PriceOut {
    /// A month.
    pub monthly_cents: u64,
    /// A year.
    pub annual_cents: u64,
    /// A seat, a month; `null` where seats are not sold.
    pub seat_monthly_cents: Option<u64>,
    /// A seat, a year.
    pub seat_annual_cents: Option<u64>,
    /// The currency.
    pub currency: &'static str,
}

/// What is charged beyond the included amount of a soft limit, in US cents before tax; for each unit, by the month or the year.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
pub struct OveragePriceOut {
    /// The meter.
    #[schema(value_type = String, example = "tokens")]
    pub meter: MeterName,
    /// The units of a block.
    #[schema(example = 1_000_000)]
    pub per_units: u64,
    /// A block.
    #[schema(example = 600)]
    pub cents: u64,
    /// The currency.
    pub currency: &'static str,
}

/// A plan of the catalogue.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PlanOut {
    /// Its name.
    #[schema(example = "pro")]
    pub plan: &'static str,
    /// Its version: a subscriber keeps the one that was bought.
    pub version: u32,
    /// What it costs; `null` for what costs nothing.
    pub price: Option<PriceOut>,
    /// How much of each meter in a month, a trial's in all: `{"hard": 1000}`, `{"soft": {"included": 1000, "ceiling": 5000}}`,
    /// `"unlimited"` or `"not_included"`. What goes beyond a soft limit is charged, see `overage`, and stops at its ceiling.
    #[schema(value_type = Object)]
    pub limits: Limits,
    /// What is charged beyond soft limits; empty where there are none.
    pub overage: Vec<OveragePriceOut>,
    /// Whether all members of the tenant share the limits.
    pub pooled: bool,
    /// What can be used.
    #[schema(value_type = Vec<String>)]
    pub features: Vec<serde_json::Value>,
    /// Plans that one can go to at once.
    pub upgrades: Vec<&'static str>,
    /// Plans that one can go to at the end of the paid period.
    pub downgrades: Vec<&'static str>,
}

/// A product of the catalogue.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ProductOut {
    /// Its name.
    #[schema(example = "agent")]
    pub product: &'static str,
    /// How long its trial lasts, in days of 24 hours.
    pub trial_days: i64,
    /// Its plans.
    pub plans: Vec<PlanOut>,
}

/// `GET /subscription/plans`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PlansOut {
    /// The products.
    pub data: Vec<ProductOut>,
}

/// `POST /subscription/checkout`, `POST /user/upgrade-subscription`.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckoutIn {
    /// The product; that of the token when left out.
    #[serde(default)]
    #[schema(example = "agent")]
    pub product: Option<String>,
    /// The plan.
    #[schema(example = "pro")]
    pub plan: String,
    /// `month` or `year`; `month` when left out.
    #[serde(default)]
    #[schema(example = "month")]
    pub interval: Option<String>,
    /// Seats of a team, 1 when left out.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10000)]
    pub seats: Option<u32>,
}

/// Reads a plan that can be held.
fn plan(name: &str) -> Result<Plan, FieldError> {
    Plan::parse(name)
        .filter(|plan| !matches!(plan, Plan::Trial | Plan::Bench))
        .ok_or_else(|| FieldError::new("plan", "must be a plan of GET /subscription/plans"))
}

fn interval(name: &str) -> Result<Interval, FieldError> {
    Interval::parse(name).ok_or_else(|| FieldError::new("interval", "must be month or year"))
}

/// Reads a product.
///
/// # Errors
/// The field and what it may be.
pub fn product(name: &str) -> Result<Product, FieldError> {
    Product::parse(name).ok_or_else(|| FieldError::new("product", "must be agent, chat or gmail"))
}

fn seats(number: u32) -> Result<u32, FieldError> {
    (1..=MAX_SEATS)
        .contains(&number)
        .then_some(number)
        .ok_or_else(|| FieldError::new("seats", format!("must be 1 to {MAX_SEATS}")))
}

fn faults<const N: usize>(checks: [Option<FieldError>; N]) -> Result<(), Vec<FieldError>> {
    let faults: Vec<_> = checks.into_iter().flatten().collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

impl Validate for CheckoutIn {
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        faults([
            self.product.as_deref().and_then(|name| product(name).err()),
            plan(&self.plan).err(),
            self.interval.as_deref().and_then(|name| interval(name).err()),
            self.seats.and_then(|number| seats(number).err()),
        ])
    }
}

impl CheckoutIn {
    /// What was chosen; `None` never comes of an input that was checked.
    pub fn chosen(&self, product_of_token: Product) -> Option<(Product, Plan, Interval, u32)> {
        let product = self.product.as_deref().map_or(Some(product_of_token), Product::parse)?;
        let interval = self.interval.as_deref().map_or(Some(Interval::Month), Interval::parse)?;
        Some((product, Plan::parse(&self.plan)?, interval, self.seats.unwrap_or(1)))
    }
}

/// What a checkout leads to.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CheckoutOut {
    /// Where to pay; `null` when there was nothing to pay for in a checkout, and what was chosen is held already.
    pub checkout_url: Option<String>,
    /// How many days the checkout's trial lasts; nothing is charged before. `null` when it is paid at once.
    #[schema(example = json!(null))]
    pub trial_days: Option<i64>,
    /// What is held now.
    pub subscription: SubscriptionOut,
}

/// `PATCH /subscription`: a field that is left out stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionPatch {
    /// The product; that of the token when left out.
    #[serde(default)]
    pub product: Option<String>,
    /// Another plan.
    #[serde(default)]
    pub plan: Option<String>,
    /// `month` or `year`.
    #[serde(default)]
    pub interval: Option<String>,
    /// Seats of a team: more of them at once, fewer at the end of the paid period.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10000)]
    pub seats: Option<u32>,
    /// `true`: it ends with the paid period; `false`: it goes on.
    #[serde(default)]
    pub cancel_at_period_end: Option<bool>,
}

impl Validate for SubscriptionPatch {
    fn validate(&self) -> Result<(), Vec<FieldError>> {
        let moves = self.plan.is_some() || self.interval.is_some() || self.seats.is_some();
        let both = moves && self.cancel_at_period_end.is_some();
        faults([
            self.product.as_deref().and_then(|name| product(name).err()),
            self.plan.as_deref().and_then(|name| plan(name).err()),
            self.interval.as_deref().and_then(|name| interval(name).err()),
            self.seats.and_then(|number| seats(number).err()),
            both.then(|| FieldError::new("cancel_at_period_end", "must be sent without plan, interval and seats")),
        ])
    }
}

/// A change that waits for the end of the paid period.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
pub struct LaterOut {
    /// The plan.
    pub plan: &'static str,
    /// How often it will be paid.
    pub interval: &'static str,
    /// Its seats.
    pub seats: u32,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// What was used beyond a soft limit in a billing month, and was reported for its invoice: up to an hour late.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
pub struct OverageOut {
    /// The meter.
    #[schema(value_type = String, example = "tokens")]
    pub meter: MeterName,
    /// The begin of the month.
    #[schema(value_type = String, format = DateTime)]
    pub period_start: Timestamp,
    /// Its end.
    #[schema(value_type = String, format = DateTime)]
    pub period_end: Timestamp,
    /// How much is included.
    pub included: u64,
    /// How many units beyond.
    pub units: u64,
    /// What they cost, in cents before tax; `null` where a contract has other prices.
    pub cents: Option<u64>,
}

/// `GET /subscription`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SubscriptionOut {
    /// The product.
    pub product: &'static str,
    /// The plan that may be used, or that was used last.
    #[schema(example = "pro")]
    pub plan: &'static str,
    /// `trialing`, `expired` (the trial is over), `active`, `past_due`, `paused`, `cancelled`, or `unpaid` (the grace of a
    /// missing payment is over).
    #[schema(example = "active")]
    pub status: &'static str,
    /// How often it is paid; `null` when nothing is.
    pub interval: Option<&'static str>,
    /// The team's seats; 1 for other plans.
    pub seats: u32,
    /// The begin of the paid period; of the trial.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub current_period_start: Option<Timestamp>,
    /// Its end.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub current_period_end: Option<Timestamp>,
    /// Whether it ends with the period.
    pub cancel_at_period_end: bool,
    /// When the trial ends or ended, where one is held: a trial that a checkout began with becomes the plan then.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub trial_ends_at: Option<Timestamp>,
    /// When access ends or ended, where that is known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub access_ends_at: Option<Timestamp>,
    /// What waits for the end of the period; of a trial that a checkout began with, the plan that was chosen.
    pub later: Option<LaterOut>,
    /// What was used beyond soft limits in months that are not settled yet, and costs extra: one for each meter and month.
    pub overage: Vec<OverageOut>,
}

/// `POST /subscription/portal`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PortalIn {
    /// Where the portal leads back to, on this platform's own address; its start when left out.
    #[serde(default)]
    pub return_url: Option<String>,
}

impl Validate for PortalIn {}

/// The customer portal.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PortalOut {
    /// Where it is, for a few minutes.
    pub portal_url: String,
}

/// An invoice of Stripe's.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct InvoiceOut {
    /// `in_...`
    pub id: String,
    /// Its number, as it is printed.
    pub number: Option<String>,
    /// `draft`, `open`, `paid`, `uncollectible` or `void`.
    pub status: Option<String>,
    /// In all, in the smallest unit of the currency: see `decimals`.
    pub total_cents: i64,
    /// Of which paid, in the same unit.
    pub paid_cents: i64,
    /// Three letters.
    pub currency: String,
    /// How many digits of the amounts stand behind the point: 2 for dollars, 0 for yen, 3 for dinars.
    pub decimals: u32,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Where it can be seen and paid.
    pub hosted_url: Option<String>,
    /// Where it can be had as PDF.
    pub pdf_url: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::from_json;

    fn errors<T: serde::de::DeserializeOwned + Validate>(body: &str) -> Vec<String> {
        match from_json::<T>(body.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(problem) => problem.errors.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn what_is_not_sold_is_named() {
        assert_eq!(errors::<CheckoutIn>(r#"{"plan":"pro"}"#), [""; 0]);
        for plan in ["trial", "bench", "gold", ""] {
            let body = format!(r#"{{"plan":"{plan}"}}"#);
            assert_eq!(errors::<CheckoutIn>(&body), ["plan must be a plan of GET /subscription/plans"]);
        }
        let all = errors::<CheckoutIn>(r#"{"plan":"x","product":"x","interval":"week","seats":0}"#);
        assert_eq!(all.len(), 4, "{all:?}");
        assert_eq!(errors::<SubscriptionPatch>(r#"{"seats":10001}"#), ["seats must be 1 to 10000"]);
        assert_eq!(errors::<SubscriptionPatch>(r#"{"seats":2,"cancel_at_period_end":true}"#).len(), 1);
    }
}
