//! Amounts of money, and the key under which a price is known to Stripe.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::names::{Plan, Product};
use crate::{
    meter::MeterName,
    time::{Period, Timestamp, annual_period, monthly_period},
};

/// How many months a year costs.
pub const ANNUAL_MONTHS: u64 = 10;

/// How often is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// Every month.
    Month,
    /// Every year.
    Year,
}

impl Interval {
    /// Its name on the wire, and Stripe's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The interval of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Month, Self::Year].into_iter().find(|interval| interval.as_str() == name)
    }

    /// The paid period around an instant, for a billing cycle anchor.
    pub fn period(self, anchor: Timestamp, now: Timestamp) -> Period {
        match self {
            Self::Month => monthly_period(anchor, now),
            Self::Year => annual_period(anchor, now),
        }
    }
}

/// What a plan costs, in US cents before tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// The plan itself, a month.
    pub monthly_cents: u64,
    /// The plan itself, a year.
    pub annual_cents: u64,
    /// A seat, a month; `None` where seats are not sold.
    pub seat_monthly_cents: Option<u64>,
    /// A seat, a year.
    pub seat_annual_cents: Option<u64>,
}

impl Price {
    /// A monthly price and the annual one that follows from it.
    pub const fn monthly(cents: u64) -> Self {
        Self {
            monthly_cents: cents,
            annual_cents: cents * ANNUAL_MONTHS,
            seat_monthly_cents: None,
            seat_annual_cents: None,
        }
    }

    /// The same, and so much for each seat a month.
    #[must_use]
    pub const fn and_per_seat(self, cents: u64) -> Self {
        Self { seat_monthly_cents: Some(cents), seat_annual_cents: Some(cents * ANNUAL_MONTHS), ..self }
    }

    /// The plan itself for one interval, in cents.
    pub const fn base_cents(&self, interval: Interval) -> u64 {
        match interval {
            Interval::Month => self.monthly_cents,
            Interval::Year => self.annual_cents,
        }
    }

    /// One seat for one interval, in cents.
    pub const fn seat_cents(&self, interval: Interval) -> Option<u64> {
        match interval {
            Interval::Month => self.seat_monthly_cents,
            Interval::Year => self.seat_annual_cents,
        }
    }

    /// The lines of an invoice for one whole interval, in cents: the plan, and its seats where they are sold.
    pub fn lines(&self, interval: Interval, seats: u32) -> Vec<u64> {
        let seats = self.seat_cents(interval).map(|cents| cents.saturating_mul(u64::from(seats)));
        core::iter::once(self.base_cents(interval)).chain(seats).collect()
    }
}

/// What is charged for what goes beyond the included amount of a soft limit, in US cents before tax: the same by the month
/// and by the year, for each unit, rounded once for each invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overage {
    /// The meter.
    pub meter: MeterName,
    /// The units of a block: a power of ten, at most [`Self::LARGEST_BLOCK`].
    pub per_units: u64,
    /// A block, in cents.
    pub cents: u64,
}

impl Overage {
    /// Stripe takes a unit's price with at most twelve decimals
    /// (<https://docs.stripe.com/api/prices/object#price_object-unit_amount_decimal>).
    pub const LARGEST_BLOCK: u64 = 1_000_000_000_000;

    /// A unit in cents, as a decimal without superfluous zeros: exact, because a block is a power of ten.
    pub fn unit_amount_decimal(&self) -> String {
        let block = self.per_units.max(1);
        let decimals = usize::try_from(block.ilog10()).unwrap_or(0);
        let (whole, rest) = (self.cents / block, self.cents % block);
        let text = format!("{whole}.{rest:0decimals$}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// So many units in cents; an amount that ends in half a cent is rounded up.
    pub fn cost_cents(&self, units: u64) -> u64 {
        let block = u128::from(self.per_units.max(1));
        let total = u128::from(units) * u128::from(self.cents);
        let rounded = total / block + u128::from(total % block * 2 >= block);
        u64::try_from(rounded).unwrap_or(u64::MAX)
    }
}

/// Which of a plan's prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The plan itself, once.
    Base,
    /// A seat; the quantity is their number.
    Seat,
    /// What goes beyond the included amount of a meter. Stripe counts it; there is no quantity.
    Overage(MeterName),
}

impl Part {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "base" => Some(Self::Base),
            "seat" => Some(Self::Seat),
            _ => {
                let name = text.strip_prefix("overage-")?;
                MeterName::ALL.into_iter().find(|meter| meter.as_str() == name).map(Self::Overage)
            }
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("base"),
            Self::Seat => f.write_str("seat"),
            Self::Overage(meter) => write!(f, "overage-{meter}"),
        }
    }
}

/// The name of a price at Stripe: its `lookup_key`, unique in an account, or the id of an old-style plan.
///
/// `tollgate_<product>_<plan>_v<version>_<base|seat|overage-METER>_<month|year>`: what was bought can be read back from a
/// subscription, also after the catalogue has changed.
/// Source: <https://docs.stripe.com/products-prices/manage-prices#lookup-keys>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PriceKey {
    /// The product.
    pub product: Product,
    /// The plan.
    pub plan: Plan,
    /// Its version in the catalogue.
    pub version: u32,
    /// The plan, a seat, or what goes beyond a meter's included amount.
    pub part: Part,
    /// How often.
    pub interval: Interval,
}

impl PriceKey {
    /// Reads the text form, and only that.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_prefix("tollgate_")?.split('_');
        let key = Self {
            product: Product::parse(words.next()?)?,
            plan: Plan::parse(words.next()?)?,
            version: words.next()?.strip_prefix('v')?.parse().ok()?,
            part: Part::parse(words.next()?)?,
            interval: Interval::parse(words.next()?)?,
        };
        // Numbers have more than one spelling (`v01`); a key has one.
        (key.to_string() == text).then_some(key)
    }
}

impl fmt::Display for PriceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { product, plan, version, part, interval } = self;
        write!(f, "tollgate_{product}_{plan}_v{version}_{part}_{}", interval.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_year_is_ten_months_and_seats_are_a_line_of_their_own() {
        let price = Price::monthly(49_00).and_per_seat(12_00);
        assert_eq!(price.lines(Interval::Month, 3), [4_900, 3_600]);
        assert_eq!(price.lines(Interval::Year, 3), [49_000, 36_000]);
        assert_eq!(Price::monthly(10_00).lines(Interval::Year, 3), [10_000]);
    }

    #[test]
    fn a_key_reads_as_it_is_written() {
        let text = "tollgate_agent_teams_v2_seat_year";
        let key = PriceKey::parse(text).unwrap();
        assert_eq!((key.product, key.plan, key.version), (Product::Agent, Plan::Teams, 2));
        assert_eq!((key.part, key.interval), (Part::Seat, Interval::Year));
        assert_eq!(key.to_string(), text);
        let overage = PriceKey { part: Part::Overage(MeterName::Tokens), ..key };
        assert_eq!(overage.to_string(), "tollgate_agent_teams_v2_overage-tokens_year");
        for text in [
            "",
            "tollgate_agent_teams_v02_seat_year",
            "tollgate_agent_teams_v2_seat_year_",
            "tollgate_agent_teams_v2_overage_year",
            "tollgate_agent_teams_v2_overage-_year",
            "tollgate_agent_teams_v2_overage-seats_year",
            "tollgate_agent_teams_v2_tokens_year",
            "price_1Abc",
        ] {
            assert_eq!(PriceKey::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_unit_costs_the_exact_decimal_part_of_a_block() {
        let of = |per_units, cents| Overage { meter: MeterName::Tokens, per_units, cents };
        for (per_units, cents, unit) in [
            (1_000_000, 6_00, "0.0006"),
            (1_000, 1_00, "0.1"),
            (1_000, 1_234, "1.234"),
            (1, 25, "25"),
            (10, 1_000, "100"),
            (1_000_000_000_000, 1, "0.000000000001"),
        ] {
            assert_eq!(of(per_units, cents).unit_amount_decimal(), unit);
        }
        let tokens = of(1_000_000, 6_00);
        assert_eq!(
            [0, 1, 833, 834, 1_000_000, 2_500_000].map(|units| tokens.cost_cents(units)),
            [0, 0, 0, 1, 600, 1_500]
        );
    }

    proptest! {
        #[test]
        fn every_key_round_trips(product in 0..3_usize, plan in 0..8_usize, version: u32, part in 0..5_usize, year: bool) {
            let overage = |meter: usize| Part::Overage(MeterName::ALL[meter]);
            let key = PriceKey {
                product: Product::ALL[product],
                plan: Plan::ALL[plan],
                version,
                part: [Part::Base, Part::Seat, overage(0), overage(1), overage(2)][part],
                interval: if year { Interval::Year } else { Interval::Month },
            };
            prop_assert_eq!(PriceKey::parse(&key.to_string()), Some(key));
        }

        /// The decimal times the block is the block's price, in integers.
        #[test]
        fn a_unit_times_a_block_is_the_price_of_a_block(zeros in 0..13_u32, cents in 1..100_000_000_u64) {
            let overage = Overage { meter: MeterName::Requests, per_units: 10_u64.pow(zeros), cents };
            let text = overage.unit_amount_decimal();
            let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
            prop_assert!(decimals.len() <= 12 && !decimals.ends_with('0') && !text.ends_with('.'), "{}", text);
            let digits: u128 = format!("{whole}{decimals}").parse().unwrap();
            let scale = 10_u128.pow(u32::try_from(decimals.len()).unwrap());
            prop_assert_eq!(digits * u128::from(overage.per_units), u128::from(cents) * scale);
            prop_assert_eq!(overage.cost_cents(overage.per_units), cents);
        }

        #[test]
        fn no_amount_panics(per_units: u64, cents: u64, units: u64) {
            let overage = Overage { meter: MeterName::Requests, per_units, cents };
            let _ = (overage.unit_amount_decimal(), overage.cost_cents(units));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = PriceKey::parse(&text);
            let _ = PriceKey::parse(&format!("tollgate_{text}"));
        }
    }
}
