//! Amounts of money, and the key under which a price is known to Stripe.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::names::{Plan, Product};
use crate::time::{Period, Timestamp, annual_period, monthly_period};

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

/// Which of a plan's prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The plan itself, once.
    Base,
    /// A seat; the quantity is their number.
    Seat,
}

/// The name of a price at Stripe: its `lookup_key`, unique in an account, or the id of an old-style plan.
///
/// `tollgate_<product>_<plan>_v<version>_<base|seat>_<month|year>`: what was bought can be read back from a
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
    /// The plan or a seat.
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
            part: match words.next()? {
                "base" => Part::Base,
                "seat" => Part::Seat,
                _ => return None,
            },
            interval: Interval::parse(words.next()?)?,
        };
        // Numbers have more than one spelling (`v01`); a key has one.
        (key.to_string() == text).then_some(key)
    }
}

impl fmt::Display for PriceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Base => "base",
            Part::Seat => "seat",
        };
        write!(f, "tollgate_{}_{}_v{}_{part}_{}", self.product, self.plan, self.version, self.interval.as_str())
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
        for text in ["", "tollgate_agent_teams_v02_seat_year", "tollgate_agent_teams_v2_seat_year_", "price_1Abc"] {
            assert_eq!(PriceKey::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_key_round_trips(product in 0..3_usize, plan in 0..8_usize, version: u32, seat: bool, year: bool) {
            let key = PriceKey {
                product: Product::ALL[product],
                plan: Plan::ALL[plan],
                version,
                part: if seat { Part::Seat } else { Part::Base },
                interval: if year { Interval::Year } else { Interval::Month },
            };
            prop_assert_eq!(PriceKey::parse(&key.to_string()), Some(key));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = PriceKey::parse(&text);
            let _ = PriceKey::parse(&format!("tollgate_{text}"));
        }
    }
}
