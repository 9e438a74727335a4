//! What somebody who wants a plan has to do for it, and what Stripe is asked to bill.

use super::{
    change::{Change, NoSuchChange, change},
    observed::{Paid, Status},
    state::{Access, Subscription},
};
use crate::{
    catalogue::{Holding, Interval, Move, Offer, Part, Plan, PriceKey, Product, current, movement},
    time::Timestamp,
};

/// The way to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purchase {
    /// Nothing runs at Stripe: it is bought in a checkout.
    Checkout,
    /// It costs nothing, and nothing runs at Stripe: it is held from now on.
    Free,
    /// What runs is changed.
    Change(Change),
}

/// Why there is no way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// The catalogue has no such move, or it is what is held.
    #[error("there is no such move from the plan you have")]
    NotAMove,
    /// A payment is missing.
    #[error("a payment is missing: pay it first")]
    PastDue,
    /// What runs is paused.
    #[error("the subscription is paused: resume it first")]
    Paused,
    /// The payment of what is held is disputed.
    #[error("the payment is disputed: that is decided first")]
    Disputed,
}

impl Subscription {
    /// The way to a plan, an interval and a number of seats (at least 1; those of a team).
    ///
    /// # Errors
    /// [`NoWay`].
    pub fn purchase(&self, wanted: (Plan, Interval, u32), now: Timestamp) -> Result<Purchase, NoWay> {
        let (plan, interval, _) = wanted;
        let access = self.access(now);
        // What Stripe does not know cannot be changed there: another one is bought.
        if let Some(paid) = self.paid.as_ref().filter(|paid| !paid.orphan) {
            match paid.standing() {
                Status::PastDue => return Err(NoWay::PastDue),
                Status::Paused if paid.stopped.is_some() => return Err(NoWay::Disputed),
                Status::Paused => return Err(NoWay::Paused),
                // What has just run out is bought anew.
                Status::Active | Status::Trialing | Status::Cancelling if matches!(access, Access::Plan { .. }) => {
                    return match change(self.product, paid, wanted, now) {
                        Ok(change) => Ok(Purchase::Change(change)),
                        Err(NoSuchChange::PastDue) => Err(NoWay::PastDue),
                        Err(NoSuchChange::NotAMove | NoSuchChange::NotRunning) => Err(NoWay::NotAMove),
                    };
                }
                _ => {}
            }
        }
        // Whoever pays nothing may go wherever a trial may.
        let from = if matches!(access, Access::Free) { Plan::Free } else { Plan::Trial };
        let holding = current(self.product, from).ok_or(NoWay::NotAMove)?;
        let holding = Holding { plan: from, version: holding.version, interval };
        match movement(self.product, holding, plan, interval) {
            Some(Move::Upgrade) => {}
            _ => return Err(NoWay::NotAMove),
        }
        let is_free = current(self.product, plan).is_some_and(|offer| offer.price.is_none());
        Ok(if is_free { Purchase::Free } else { Purchase::Checkout })
    }
}

/// What Stripe is asked to bill: the price of the plan, that of its seats with their number, and those of its overage. What
/// is metered has no quantity: Stripe counts it.
pub fn bill(product: Product, offer: &Offer, interval: Interval, seats: u32) -> Vec<(PriceKey, Option<u32>)> {
    let Some(price) = offer.price else { return Vec::new() };
    let key = |part| PriceKey { product, plan: offer.plan, version: offer.version, part, interval };
    let of_seats = price.seat_cents(interval).map(|_| (key(Part::Seat), Some(seats.max(1))));
    let of_overage = offer.overage.iter().map(|overage| (key(Part::Overage(overage.meter)), None));
    core::iter::once((key(Part::Base), Some(1))).chain(of_seats).chain(of_overage).collect()
}

/// The entry of the catalogue that a change leads to: the version that is held for more or fewer seats, else the newest.
pub fn wanted_offer(product: Product, held: &Paid, plan: Plan, interval: Interval) -> Option<&'static Offer> {
    if plan == held.plan && interval == held.interval { held.offer(product) } else { current(product, plan) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{subscription::StripeSubscription, trial::Trial};
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_millis(1_775_001_600_000);

    fn trial(product: Product) -> Subscription {
        Subscription::trial(product, Trial::starting(NOW, 7), 1)
    }

    fn holding(status: &str, plan: &str) -> Subscription {
        let (start, end) = (NOW.as_seconds(), NOW.plus_days(30).as_seconds());
        let object: StripeSubscription = serde_json::from_value(json!({
            "id": "sub_1", "status": status, "created": start, "billing_cycle_anchor": start, "customer": "cus_1",
            "items": {"data": [{"id": "si_1", "current_period_start": start, "current_period_end": end, "quantity": 1,
                "price": {"id": "price_1", "lookup_key": format!("tollgate_agent_{plan}_v1_base_month")}}]},
        }))
        .unwrap();
        trial(Product::Agent).converge(&object, NOW).unwrap().0
    }

    fn monthly(subscription: &Subscription, plan: Plan) -> Result<Purchase, NoWay> {
        subscription.purchase((plan, Interval::Month, 1), NOW)
    }

    #[test]
    fn whoever_pays_nothing_goes_through_a_checkout() {
        for plan in [Plan::Pro, Plan::Plus, Plan::Teams] {
            assert_eq!(monthly(&trial(Product::Agent), plan), Ok(Purchase::Checkout));
            assert_eq!(monthly(&Subscription::none(Product::Agent, 0), plan), Ok(Purchase::Checkout));
            for over in ["canceled", "incomplete", "incomplete_expired"] {
                assert_eq!(monthly(&holding(over, "plus"), plan), Ok(Purchase::Checkout), "{over}");
            }
        }
        for plan in [Plan::Trial, Plan::Free, Plan::Enterprise, Plan::Bench] {
            assert_eq!(monthly(&trial(Product::Agent), plan), Err(NoWay::NotAMove), "{plan}");
        }
        assert_eq!(monthly(&trial(Product::Chat), Plan::Free), Ok(Purchase::Free));
        let free = trial(Product::Chat).take_free(NOW).unwrap().0;
        assert_eq!(monthly(&free, Plan::Free), Err(NoWay::NotAMove));
        assert_eq!(monthly(&free, Plan::Pro), Ok(Purchase::Checkout));
    }

    #[test]
    fn what_runs_is_changed_and_never_bought_a_second_time() {
        assert!(matches!(monthly(&holding("active", "pro"), Plan::Plus), Ok(Purchase::Change(Change::AtOnce { .. }))));
        assert!(matches!(
            monthly(&holding("active", "plus"), Plan::Pro),
            Ok(Purchase::Change(Change::AtPeriodEnd { .. }))
        ));
        assert_eq!(monthly(&holding("active", "pro"), Plan::Pro), Err(NoWay::NotAMove));
        assert_eq!(monthly(&holding("past_due", "pro"), Plan::Plus), Err(NoWay::PastDue));
        assert_eq!(monthly(&holding("unpaid", "pro"), Plan::Plus), Err(NoWay::PastDue));
        assert_eq!(monthly(&holding("paused", "pro"), Plan::Plus), Err(NoWay::Paused));
    }

    #[test]
    fn every_price_that_is_billed_can_be_read_back() {
        let teams = current(Product::Agent, Plan::Teams).unwrap();
        let lines = |product, offer, interval, seats| {
            let lines = bill(product, offer, interval, seats);
            lines.iter().map(|(key, count)| (key.to_string(), *count)).collect::<Vec<_>>()
        };
        let line = |key: &str, count| (key.to_owned(), count);
        assert_eq!(
            lines(Product::Agent, teams, Interval::Year, 3),
            [line("tollgate_agent_teams_v1_base_year", Some(1)), line("tollgate_agent_teams_v1_seat_year", Some(3))]
        );
        let enterprise = current(Product::Chat, Plan::Enterprise).unwrap();
        assert_eq!(
            lines(Product::Chat, enterprise, Interval::Month, 7),
            [
                line("tollgate_chat_enterprise_v1_base_month", Some(1)),
                line("tollgate_chat_enterprise_v1_overage-requests_month", None),
                line("tollgate_chat_enterprise_v1_overage-tokens_month", None),
            ]
        );
        assert_eq!(bill(Product::Agent, current(Product::Agent, Plan::Pro).unwrap(), Interval::Month, 9).len(), 1);
        assert_eq!(bill(Product::Chat, current(Product::Chat, Plan::Free).unwrap(), Interval::Month, 1), []);
    }
}
