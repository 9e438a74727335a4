//! What holds for every catalogue. [`super::PRODUCTS`] is checked while it is compiled: one that breaks a rule does not.

use super::{
    names::{Plan, Product},
    offer::{Feature, Offer, ProductEntry},
    price::{ANNUAL_MONTHS, Overage, Price},
    table::PRODUCTS,
};
use crate::meter::{Limit, MeterName};

const _: () =
    assert!(fault(PRODUCTS).is_none(), "the catalogue breaks a rule: see `Fault`, and `cargo test catalogue`");

/// What can be wrong with a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A product is missing, or not in the order of [`Product::ALL`].
    Products,
    /// A trial that lasts no time.
    TrialLength,
    /// No trial plan, or one that costs something.
    Trial,
    /// Versions of a plan do not count 1, 2, 3, oldest first.
    Versions,
    /// An annual price that is not ten months, or a price of nothing.
    Price,
    /// A price under a dollar: written in dollars instead of cents.
    NotInCents,
    /// A soft limit without exactly one price of overage, a ceiling and a plan that is paid; or a price of overage without a
    /// soft limit, of nothing, or for a block that is no power of ten.
    Overage,
    /// A move to a plan that is not sold, to the trial, to the benchmark's plan or to itself.
    Nowhere,
    /// An upgrade that costs no more, gives less of some meter, takes a feature away, or has dearer overage.
    NotProgressive,
    /// A downgrade that is not the way back of an upgrade.
    OneWay,
}

/// The first fault of a catalogue; `None` when it is sound.
pub const fn fault(products: &[ProductEntry]) -> Option<Fault> {
    if products.len() != Product::ALL.len() {
        return Some(Fault::Products);
    }
    let mut index = 0;
    while index < products.len() {
        if products[index].product as u8 != Product::ALL[index] as u8 {
            return Some(Fault::Products);
        }
        if products[index].trial_days <= 0 {
            return Some(Fault::TrialLength);
        }
        if let Some(fault) = fault_of_offers(products[index].offers) {
            return Some(fault);
        }
        index += 1;
    }
    None
}

const fn fault_of_offers(offers: &[Offer]) -> Option<Fault> {
    match newest(offers, Plan::Trial) {
        Some(trial) if trial.price.is_none() => {}
        _ => return Some(Fault::Trial),
    }
    let mut index = 0;
    while index < offers.len() {
        let offer = &offers[index];
        if offer.version != versions_before(offers, index, offer.plan) + 1 {
            return Some(Fault::Versions);
        }
        if let Some(fault) = fault_of_price(offer.price) {
            return Some(fault);
        }
        if has_faulty_overage(offer) {
            return Some(Fault::Overage);
        }
        if let Some(fault) = fault_of_moves(offers, offer) {
            return Some(fault);
        }
        index += 1;
    }
    None
}

const fn versions_before(offers: &[Offer], end: usize, plan: Plan) -> u32 {
    let (mut index, mut count) = (0, 0);
    while index < end {
        if offers[index].plan as u8 == plan as u8 {
            count += 1;
        }
        index += 1;
    }
    count
}

const fn fault_of_price(price: Option<Price>) -> Option<Fault> {
    let Some(price) = price else { return None };
    if price.annual_cents != price.monthly_cents * ANNUAL_MONTHS {
        return Some(Fault::Price);
    }
    let seats_are_sound = match (price.seat_monthly_cents, price.seat_annual_cents) {
        (None, None) => true,
        (Some(month), Some(year)) => year == month * ANNUAL_MONTHS && month > 0,
        _ => false,
    };
    if price.monthly_cents == 0 || !seats_are_sound {
        return Some(Fault::Price);
    }
    if price.monthly_cents < 100 { Some(Fault::NotInCents) } else { None }
}

const fn has_faulty_overage(offer: &Offer) -> bool {
    let mut index = 0;
    while index < offer.overage.len() {
        let Overage { per_units, cents, .. } = offer.overage[index];
        if cents == 0 || !is_power_of_ten(per_units) || per_units > Overage::LARGEST_BLOCK {
            return true;
        }
        index += 1;
    }
    let mut index = 0;
    while index < MeterName::ALL.len() {
        let meter = MeterName::ALL[index];
        let is_sound = match offer.limits.get(meter) {
            Limit::Soft { included, ceiling: Some(ceiling) } => {
                ceiling > included && prices_of(offer, meter) == 1 && offer.price.is_some()
            }
            // Without a ceiling a mistake of the customer's has no end.
            Limit::Soft { .. } => false,
            _ => prices_of(offer, meter) == 0,
        };
        if !is_sound {
            return true;
        }
        index += 1;
    }
    false
}

const fn is_power_of_ten(number: u64) -> bool {
    let mut rest = number;
    while rest > 1 && rest.is_multiple_of(10) {
        rest /= 10;
    }
    rest == 1
}

const fn prices_of(offer: &Offer, meter: MeterName) -> u32 {
    let (mut index, mut count) = (0, 0);
    while index < offer.overage.len() {
        if offer.overage[index].meter as u8 == meter as u8 {
            count += 1;
        }
        index += 1;
    }
    count
}

const fn fault_of_moves(offers: &[Offer], from: &Offer) -> Option<Fault> {
    let mut index = 0;
    while index < from.upgrades.len() {
        match destination(offers, from, from.upgrades[index]) {
            None => return Some(Fault::Nowhere),
            // The trial is generous on purpose: what follows it may be less.
            Some(to) if !matches!(from.plan, Plan::Trial) && !is_progress(from, to) => {
                return Some(Fault::NotProgressive);
            }
            Some(_) => {}
        }
        index += 1;
    }
    let mut index = 0;
    while index < from.downgrades.len() {
        match destination(offers, from, from.downgrades[index]) {
            None => return Some(Fault::Nowhere),
            Some(to) if !contains(to.upgrades, from.plan) => return Some(Fault::OneWay),
            Some(_) => {}
        }
        index += 1;
    }
    None
}

/// Where a move leads: the newest version of another plan that is sold.
const fn destination<'a>(offers: &'a [Offer], from: &Offer, to: Plan) -> Option<&'a Offer> {
    if matches!(to, Plan::Trial | Plan::Bench) || to as u8 == from.plan as u8 { None } else { newest(offers, to) }
}

const fn newest(offers: &[Offer], plan: Plan) -> Option<&Offer> {
    let mut index = offers.len();
    while index > 0 {
        index -= 1;
        if offers[index].plan as u8 == plan as u8 {
            return Some(&offers[index]);
        }
    }
    None
}

const fn contains(plans: &[Plan], plan: Plan) -> bool {
    let mut index = 0;
    while index < plans.len() {
        if plans[index] as u8 == plan as u8 {
            return true;
        }
        index += 1;
    }
    false
}

const fn is_progress(from: &Offer, to: &Offer) -> bool {
    if monthly_cents(to) <= monthly_cents(from) {
        return false;
    }
    let mut index = 0;
    let mut more = false;
    while index < MeterName::ALL.len() {
        let meter = MeterName::ALL[index];
        let (before, after) = (reach(from.limits.get(meter)), reach(to.limits.get(meter)));
        if after < before || ceiling(to.limits.get(meter)) < ceiling(from.limits.get(meter)) {
            return false;
        }
        if is_dearer(to, from, meter) {
            return false;
        }
        more = more || after > before;
        index += 1;
    }
    more && has_all(to.features, from.features)
}

const fn monthly_cents(offer: &Offer) -> u64 {
    match offer.price {
        Some(price) => price.monthly_cents,
        None => 0,
    }
}

const fn reach(limit: Limit) -> u64 {
    match limit.included() {
        Some(limit) => limit,
        None => u64::MAX,
    }
}

const fn ceiling(limit: Limit) -> u64 {
    match limit.ceiling() {
        Some(ceiling) => ceiling,
        None => u64::MAX,
    }
}

/// Whether both charge overage of a meter, and a unit costs more in the first.
const fn is_dearer(first: &Offer, second: &Offer, meter: MeterName) -> bool {
    match (overage(first, meter), overage(second, meter)) {
        (Some(first), Some(second)) => {
            first.cents as u128 * second.per_units as u128 > second.cents as u128 * first.per_units as u128
        }
        _ => false,
    }
}

const fn overage(offer: &Offer, meter: MeterName) -> Option<Overage> {
    let mut index = 0;
    while index < offer.overage.len() {
        if offer.overage[index].meter as u8 == meter as u8 {
            return Some(offer.overage[index]);
        }
        index += 1;
    }
    None
}

const fn has_all(features: &[Feature], wanted: &[Feature]) -> bool {
    let mut index = 0;
    while index < wanted.len() {
        let (mut other, mut found) = (0, false);
        while other < features.len() {
            found = found || features[other] as u8 == wanted[index] as u8;
            other += 1;
        }
        if !found {
            return false;
        }
        index += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The catalogue with one product's offers changed.
    fn with(product: usize, change: impl FnOnce(&mut Vec<Offer>)) -> Option<Fault> {
        let mut products = PRODUCTS.to_vec();
        let mut offers = products[product].offers.to_vec();
        change(&mut offers);
        products[product].offers = offers.leak();
        fault(&products)
    }

    fn price(offer: &mut Offer) -> &mut Price {
        offer.price.as_mut().unwrap()
    }

    const PRO: usize = 1;
    const PLUS: usize = 2;
    const TEAMS: usize = 3;

    #[test]
    fn ours_is_sound() {
        assert_eq!(fault(PRODUCTS), None);
    }

    #[test]
    fn products_are_all_there_in_order() {
        assert_eq!(fault(&PRODUCTS[..2]), Some(Fault::Products));
        assert_eq!(fault(&[PRODUCTS[1], PRODUCTS[0], PRODUCTS[2]]), Some(Fault::Products));
        let mut products = PRODUCTS.to_vec();
        products[2].trial_days = 0;
        assert_eq!(fault(&products), Some(Fault::TrialLength));
    }

    #[test]
    fn a_trial_is_there_and_free() {
        assert_eq!(with(0, |offers| offers.truncate(0)), Some(Fault::Trial));
        assert_eq!(with(0, |offers| offers[0].price = Some(Price::monthly(500))), Some(Fault::Trial));
    }

    #[test]
    fn prices_are_cents_and_years_ten_months() {
        assert_eq!(with(0, |offers| price(&mut offers[PRO]).annual_cents += 1), Some(Fault::Price));
        assert_eq!(with(0, |offers| offers[PRO].price = Some(Price::monthly(0))), Some(Fault::Price));
        assert_eq!(with(0, |offers| offers[PRO].price = Some(Price::monthly(10))), Some(Fault::NotInCents));
        assert_eq!(with(0, |offers| price(&mut offers[TEAMS]).seat_annual_cents = None), Some(Fault::Price));
        assert_eq!(with(0, |offers| price(&mut offers[TEAMS]).seat_annual_cents = Some(1)), Some(Fault::Price));
    }

    #[test]
    fn moves_lead_somewhere_upwards_and_back() {
        assert_eq!(with(0, |offers| offers[PRO].upgrades = &[Plan::Enterprise]), Some(Fault::Nowhere));
        assert_eq!(with(0, |offers| offers[PRO].upgrades = &[Plan::Pro]), Some(Fault::Nowhere));
        assert_eq!(with(0, |offers| offers[PRO].downgrades = &[Plan::Trial]), Some(Fault::Nowhere));
        assert_eq!(with(0, |offers| offers[PLUS].upgrades = &[Plan::Pro]), Some(Fault::NotProgressive));
        assert_eq!(with(0, |offers| offers[PLUS].limits.tokens = Limit::Hard(9)), Some(Fault::NotProgressive));
        assert_eq!(with(0, |offers| offers[PLUS].features = &[]), Some(Fault::NotProgressive));
        assert_eq!(with(0, |offers| offers[PLUS].limits = offers[PRO].limits), Some(Fault::NotProgressive));
        assert_eq!(with(0, |offers| offers[PRO].downgrades = &[Plan::Plus]), Some(Fault::OneWay));
    }

    const CHAT_PRO: usize = 2;
    const ENTERPRISE: usize = 3;

    fn chat(change: impl FnOnce(&mut Vec<Offer>)) -> Option<Fault> {
        with(1, change)
    }

    fn soft(included: u64, ceiling: Option<u64>) -> Limit {
        Limit::Soft { included, ceiling }
    }

    #[test]
    fn overage_has_a_soft_limit_with_a_ceiling_and_a_price_and_a_paid_plan() {
        let limit = |tokens| chat(|offers| offers[ENTERPRISE].limits.tokens = tokens);
        assert_eq!(limit(soft(20_000_000, Some(30_000_000))), None);
        assert_eq!(limit(soft(20_000_000, None)), Some(Fault::Overage));
        assert_eq!(limit(soft(20_000_000, Some(20_000_000))), Some(Fault::Overage));
        assert_eq!(limit(Limit::Hard(20_000_000)), Some(Fault::Overage), "a price for nothing");
        assert_eq!(chat(|offers| offers[ENTERPRISE].overage = &[]), Some(Fault::Overage));
        let priced = |change: fn(&mut Vec<Overage>)| {
            let mut overage = PRODUCTS[1].offers[ENTERPRISE].overage.to_vec();
            change(&mut overage);
            chat(|offers| offers[ENTERPRISE].overage = overage.leak())
        };
        assert_eq!(priced(|overage| overage[1].per_units = 10), None);
        for per_units in [0, 2, 5, 20, 1_500, 10_000_000_000_000] {
            let change = |offers: &mut Vec<Offer>| {
                let mut overage = offers[ENTERPRISE].overage.to_vec();
                overage[1].per_units = per_units;
                offers[ENTERPRISE].overage = overage.leak();
            };
            assert_eq!(chat(change), Some(Fault::Overage), "{per_units}");
        }
        assert_eq!(priced(|overage| overage[0].cents = 0), Some(Fault::Overage));
        assert_eq!(priced(|overage| overage.push(overage[0])), Some(Fault::Overage), "two prices of one meter");
        assert_eq!(priced(|overage| overage[0].meter = MeterName::Emails), Some(Fault::Overage));
        let free = |plan: usize| {
            chat(|offers| {
                let enterprise = offers[ENTERPRISE];
                offers[plan] = Offer { limits: enterprise.limits, overage: enterprise.overage, ..offers[plan] };
            })
        };
        assert_eq!(free(0), Some(Fault::Overage), "a trial");
        assert_eq!(free(1), Some(Fault::Overage), "free");
    }

    #[test]
    fn an_upgrade_has_no_lower_ceiling_and_no_dearer_overage() {
        let pro = |tokens: Limit, cents| {
            chat(|offers| {
                offers[CHAT_PRO].limits.tokens = tokens;
                offers[CHAT_PRO].overage = vec![Overage { meter: MeterName::Tokens, per_units: 1_000, cents }].leak();
            })
        };
        let within = soft(2_000_000, Some(200_000_000));
        assert_eq!(pro(within, 1), None, "$10 a million, where enterprise is $6");
        assert_eq!(pro(soft(2_000_000, Some(200_000_001)), 1), Some(Fault::NotProgressive));
        let cheap = |offers: &mut Vec<Offer>| {
            offers[CHAT_PRO].limits.tokens = within;
            offers[CHAT_PRO].overage = &[Overage { meter: MeterName::Tokens, per_units: 1_000_000, cents: 5_99 }];
        };
        assert_eq!(chat(cheap), Some(Fault::NotProgressive));
    }

    #[test]
    fn a_changed_plan_is_a_new_version_beside_the_old_one() {
        let added = |version: u32| {
            with(0, |offers| {
                let mut offer = offers[PRO];
                offer.version = version;
                offer.limits.requests = Limit::Hard(900);
                offers.push(offer);
            })
        };
        assert_eq!(added(2), None);
        assert_eq!(added(1), Some(Fault::Versions));
        assert_eq!(added(3), Some(Fault::Versions));
    }
}
