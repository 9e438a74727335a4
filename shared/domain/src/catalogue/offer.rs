//! What an entry of the catalogue is made of, and finding one.

use serde::{Deserialize, Serialize};

use super::{
    names::{Plan, Product},
    price::{Overage, Price},
    table::PRODUCTS,
};
use crate::meter::{Limit, Limits, MeterName};

/// What a plan lets its holder use, apart from amounts. One that it lacks is a 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// `POST /v1/chat/completions`.
    Completions,
    /// `/conversations`.
    Conversations,
    /// The Notion agent and its documents.
    Agent,
    /// Agent workflows.
    Workflows,
    /// `/team` and `/admin/users`: members, roles, a pooled quota.
    Team,
    /// Cleaning a mailbox up when asked to.
    InboxCleanUp,
    /// Cleaning it up by itself.
    ScheduledCleanUp,
}

/// A product and all that was ever sold of it.
#[derive(Debug, Clone, Copy)]
pub struct ProductEntry {
    /// Which.
    pub product: Product,
    /// How long its trial lasts, in days of 24 hours from registration.
    pub trial_days: i64,
    /// Its plans, all versions of each, oldest first.
    pub offers: &'static [Offer],
}

/// A version of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// Which plan.
    pub plan: Plan,
    /// 1 for the first, then one more for each change.
    pub version: u32,
    /// How much of each meter.
    pub limits: Limits,
    /// What it costs; `None` for what costs nothing.
    pub price: Option<Price>,
    /// What is charged beyond the included amounts of its soft limits: one for each of them, and no other.
    pub overage: &'static [Overage],
    /// What can be used.
    pub features: &'static [Feature],
    /// Where one can go at once.
    pub upgrades: &'static [Plan],
    /// Where one can go at the end of the paid period.
    pub downgrades: &'static [Plan],
}

impl Offer {
    /// Whether it lets its holder use something.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// What is charged beyond the included amount of a meter.
    pub fn overage_of(&self, meter: MeterName) -> Option<Overage> {
        self.overage.iter().copied().find(|overage| overage.meter == meter)
    }
}

impl Product {
    /// How long its trial lasts, in days of 24 hours from registration.
    pub const fn trial_days(self) -> i64 {
        entry(self).trial_days
    }
}

/// A product's entry. That there is one for each, in order, is checked when this is compiled.
const fn entry(product: Product) -> &'static ProductEntry {
    match product {
        Product::Agent => &PRODUCTS[0],
        Product::Chat => &PRODUCTS[1],
        Product::Gmail => &PRODUCTS[2],
    }
}

/// All that was ever sold of a product.
pub const fn offers(product: Product) -> &'static [Offer] {
    entry(product).offers
}

/// A version of a plan: what a subscriber holds.
pub const fn offer(product: Product, plan: Plan, version: u32) -> Option<&'static Offer> {
    let offers = offers(product);
    let mut index = 0;
    while index < offers.len() {
        if offers[index].plan as u8 == plan as u8 && offers[index].version == version {
            return Some(&offers[index]);
        }
        index += 1;
    }
    None
}

/// The newest version of a plan: what is sold; `None` when the product does not sell that plan.
pub const fn current(product: Product, plan: Plan) -> Option<&'static Offer> {
    let offers = offers(product);
    let mut index = offers.len();
    while index > 0 {
        index -= 1;
        if offers[index].plan as u8 == plan as u8 {
            return Some(&offers[index]);
        }
    }
    None
}

/// What the newest version of a plan includes; `None` when that product does not sell that plan.
pub const fn limits(product: Product, plan: Plan) -> Option<Limits> {
    if matches!(plan, Plan::Bench) {
        return Some(Limits { requests: Limit::Unlimited, tokens: Limit::Unlimited, emails: Limit::Unlimited });
    }
    match current(product, plan) {
        Some(offer) => Some(offer.limits),
        None => None,
    }
}

/// The plan that is left to somebody who pays nothing any more; `None` where there is none and access ends.
pub fn plan_without_payment(product: Product) -> Option<&'static Offer> {
    current(product, Plan::Free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trial_is_what_it_was() {
        assert_eq!(Product::ALL.map(Product::trial_days), [7, 7, 14]);
        let trial = limits(Product::Agent, Plan::Trial).unwrap();
        assert_eq!((trial.requests, trial.tokens), (Limit::Hard(120), Limit::Hard(50_000)));
        assert_eq!(limits(Product::Gmail, Plan::Trial), limits(Product::Gmail, Plan::Pro));
    }

    #[test]
    fn the_numbers_of_the_contract() {
        let row = |product, plan| {
            let offer = current(product, plan).unwrap();
            let hard = |limit| match limit {
                Limit::Hard(limit) => limit,
                Limit::NotIncluded => 0,
                other => panic!("{other:?}"),
            };
            let limits = offer.limits;
            let price = offer.price.map_or(0, |price| price.monthly_cents);
            (price, hard(limits.requests), hard(limits.tokens), hard(limits.emails))
        };
        assert_eq!(row(Product::Agent, Plan::Pro), (1_000, 1_000, 1_000_000, 0));
        assert_eq!(row(Product::Agent, Plan::Plus), (1_900, 2_500, 2_500_000, 0));
        assert_eq!(row(Product::Agent, Plan::Teams), (4_900, 5_000, 5_000_000, 0));
        assert_eq!(row(Product::Gmail, Plan::Free), (0, 0, 0, 500));
        assert_eq!(row(Product::Gmail, Plan::Basic), (900, 0, 0, 5_000));
        assert_eq!(row(Product::Gmail, Plan::Pro), (2_900, 0, 0, 50_000));
        assert_eq!(row(Product::Gmail, Plan::Enterprise), (9_900, 0, 0, 500_000));
        assert_eq!(row(Product::Chat, Plan::Pro), (1_500, 2_000, 2_000_000, 0));
        let enterprise = current(Product::Chat, Plan::Enterprise).unwrap();
        assert_eq!(enterprise.price.unwrap().monthly_cents, 9_900);
        let soft = |included, ceiling| Limit::Soft { included, ceiling: Some(ceiling) };
        let limits = enterprise.limits;
        assert_eq!(
            (limits.requests, limits.tokens, limits.emails),
            (soft(20_000, 200_000), soft(20_000_000, 200_000_000), Limit::NotIncluded)
        );
        let cents = |meter, units| enterprise.overage_of(meter).map(|overage| overage.cost_cents(units));
        assert_eq!(cents(MeterName::Requests, 1_000), Some(1_00));
        assert_eq!(cents(MeterName::Tokens, 1_000_000), Some(6_00));
        assert_eq!(cents(MeterName::Emails, 1), None);
        let seat = current(Product::Agent, Plan::Teams).unwrap().price.unwrap().seat_monthly_cents;
        assert_eq!(seat, Some(1_200));
    }

    #[test]
    fn what_is_not_sold_is_not_found() {
        assert!(limits(Product::Agent, Plan::Free).is_none());
        assert!(offer(Product::Agent, Plan::Pro, 1).is_some());
        assert!(offer(Product::Agent, Plan::Pro, 0).is_none());
        assert!(offer(Product::Agent, Plan::Pro, 99).is_none());
        assert_eq!(limits(Product::Gmail, Plan::Bench).unwrap().emails, Limit::Unlimited);
        assert!(plan_without_payment(Product::Agent).is_none());
        assert_eq!(plan_without_payment(Product::Gmail).unwrap().plan, Plan::Free);
    }

    #[test]
    fn only_teams_are_teams() {
        for product in Product::ALL {
            for offer in offers(product) {
                let price = offer.price;
                let seats = price.is_some_and(|price| price.seat_monthly_cents.is_some());
                assert_eq!(offer.has(Feature::Team), offer.plan.is_pooled(), "{product} {}", offer.plan);
                assert_eq!(offer.has(Feature::Team), seats, "{product} {}", offer.plan);
            }
        }
    }
}
