//! What a change in mid-period costs: to the second, as Stripe does it, so that what is shown before a change is what is
//! charged for it.
//!
//! Each line of what is held is credited for the time that is left, each line of what is wanted is charged for it; each
//! is rounded to a cent by itself, as each is a line of the invoice. An amount that ends in half a cent is rounded up.
//! Instants are cut to whole seconds first: Stripe knows no shorter time.
//! Source: <https://docs.stripe.com/billing/subscriptions/prorations>.

use crate::time::{Period, Timestamp};

/// The lines of a change, in cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proration {
    /// For the time that is left of what is held.
    pub credit_cents: u64,
    /// For the same time of what is wanted; for another interval, its whole first period.
    pub charge_cents: u64,
}

impl Proration {
    /// From one set of lines to another within a period, both in cents for the whole of it.
    pub fn within(period: Period, at: Timestamp, held: &[u64], wanted: &[u64]) -> Self {
        Self { credit_cents: sum(held, period, at), charge_cents: sum(wanted, period, at) }
    }

    /// To another interval: it begins now, and its first period is charged in full
    /// (<https://docs.stripe.com/billing/subscriptions/change-price#changing>).
    pub fn to_new_interval(period: Period, at: Timestamp, held: &[u64], wanted: &[u64]) -> Self {
        let charge_cents = wanted.iter().fold(0, |sum: u64, cents| sum.saturating_add(*cents));
        Self { credit_cents: sum(held, period, at), charge_cents }
    }

    /// What is due, in cents before tax; below nothing it is a credit on the next invoice.
    pub fn due_cents(&self) -> i64 {
        let of = |cents| i64::try_from(cents).unwrap_or(i64::MAX);
        of(self.charge_cents).saturating_sub(of(self.credit_cents))
    }
}

fn sum(lines: &[u64], period: Period, at: Timestamp) -> u64 {
    lines.iter().fold(0, |sum: u64, cents| sum.saturating_add(prorated(*cents, period, at)))
}

/// The part of an amount for a whole period that falls on the time from `at` to its end: never more than the amount,
/// nothing after the end.
pub fn prorated(cents: u64, period: Period, at: Timestamp) -> u64 {
    let (start, end) = (period.start.as_seconds(), period.end.as_seconds());
    let whole = u128::try_from(end.saturating_sub(start)).unwrap_or(0);
    if whole == 0 {
        return 0;
    }
    let left = u128::try_from(end.saturating_sub(at.as_seconds().max(start))).unwrap_or(0);
    let doubled = u128::from(cents) * left * 2;
    u64::try_from((doubled + whole) / (2 * whole)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        serde_json::from_str(&format!("\"{text}\"")).unwrap()
    }

    fn period(start: &str, end: &str) -> Period {
        Period { start: at(start), end: at(end) }
    }

    /// Stripe's own example: from 10 USD to 20 USD a month, half-way: "the customer is billed an additional 5 USD: -5 USD
    /// for unused time on the initial price, and 10 USD for the remaining time on the new price".
    /// <https://docs.stripe.com/billing/subscriptions/prorations#how-prorations-work>
    #[test]
    fn half_way_from_ten_to_twenty() {
        let april = period("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z");
        let change = Proration::within(april, at("2026-04-16T00:00:00Z"), &[1_000], &[2_000]);
        assert_eq!((change.credit_cents, change.charge_cents, change.due_cents()), (500, 1_000, 500));
    }

    /// To the second ("Stripe prorates to the second", same page), worked by hand: pro ($10) to plus ($19) on 2 April at
    /// 03:04:05 of a period of 30 days, 2 592 000 s. Left: 30 d - 1 d 03:04:05 = 2 494 555 s.
    /// 1000 x 2494555 / 2592000 = 962.405..., 1900 x 2494555 / 2592000 = 1828.570...
    #[test]
    fn to_the_second() {
        let april = period("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z");
        let change = Proration::within(april, at("2026-04-02T03:04:05Z"), &[1_000], &[1_900]);
        assert_eq!((change.credit_cents, change.charge_cents, change.due_cents()), (962, 1_829, 867));
        // Within the second nothing changes.
        assert_eq!(Proration::within(april, at("2026-04-02T03:04:05.999Z"), &[1_000], &[1_900]), change);
    }

    /// Worked by hand: two more seats at $12 for the last 7 of February's 28 days, a quarter: 5 seats are 6000 and 3 are
    /// 3600 cents a month, so 1500 - 900; the plan's own line cancels out.
    #[test]
    fn seats_for_a_quarter_of_a_short_month() {
        let february = period("2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z");
        let change = Proration::within(february, at("2027-02-22T00:00:00Z"), &[4_900, 3_600], &[4_900, 6_000]);
        assert_eq!(change.due_cents(), 600);
    }

    /// Worked by hand: pro by the month to pro by the year after 10 of 30 days: two thirds of $10 come back, $100 are
    /// charged: 10000 - 667.
    #[test]
    fn from_months_to_a_year() {
        let april = period("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z");
        let change = Proration::to_new_interval(april, at("2026-04-11T00:00:00Z"), &[1_000], &[10_000]);
        assert_eq!((change.credit_cents, change.charge_cents, change.due_cents()), (667, 10_000, 9_333));
    }

    /// Worked by hand: pro to plus by the year on 1 July of a leap year: 184 of 366 days are left.
    /// 10000 x 184 / 366 = 5027.3, 19000 x 184 / 366 = 9551.9.
    #[test]
    fn within_a_leap_year() {
        let year = period("2028-01-01T00:00:00Z", "2029-01-01T00:00:00Z");
        let change = Proration::within(year, at("2028-07-01T00:00:00Z"), &[10_000], &[19_000]);
        assert_eq!((change.credit_cents, change.charge_cents), (5_027, 9_552));
    }

    #[test]
    fn at_the_ends() {
        let april = period("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z");
        assert_eq!(prorated(1_000, april, april.start), 1_000);
        assert_eq!(prorated(1_000, april, at("2026-03-01T00:00:00Z")), 1_000);
        assert_eq!(prorated(1_000, april, april.end), 0);
        assert_eq!(prorated(1_000, april, at("2026-06-01T00:00:00Z")), 0);
        assert_eq!(prorated(1, april, at("2026-04-16T00:00:00Z")), 1, "half a cent is rounded up");
        assert_eq!(prorated(1_000, Period { start: april.end, end: april.start }, april.start), 0);
    }

    proptest! {
        #[test]
        fn never_more_than_the_amount_and_less_as_time_goes(
            cents in 0..10_000_000_u64, start in 0..4_000_000_000_i64, days in 1..400_i64, a in 0.0..1.2_f64, b in 0.0..1.2_f64,
        ) {
            let start = Timestamp::from_millis(start * 1000);
            let period = Period { start, end: start.plus_days(days) };
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "some instant of the period")]
            let instant = |part: f64| start.plus_millis(((days * 86_400_000) as f64 * part) as i64);
            let (earlier, later) = (instant(a.min(b)), instant(a.max(b)));
            prop_assert!(prorated(cents, period, earlier) <= cents);
            prop_assert!(prorated(cents, period, later) <= prorated(cents, period, earlier));
            // What is used and what is left are the whole, but for the cent that rounding moves.
            let used = Period { start: period.start, end: earlier.min(period.end) };
            let used = u128::from(cents) * u128::try_from(used.end.as_seconds() - start.as_seconds()).unwrap()
                / u128::try_from(days * 86_400).unwrap();
            let left = u128::from(prorated(cents, period, earlier));
            prop_assert!((used + left).abs_diff(u128::from(cents)) <= 1, "{used} + {left} of {cents}");
        }

        #[test]
        fn the_same_costs_nothing(lines in proptest::collection::vec(0..1_000_000_u64, 0..4), second in 0..2_592_000_i64) {
            let start = Timestamp::from_millis(0);
            let period = Period { start, end: start.plus_days(30) };
            let change = Proration::within(period, start.plus_millis(second * 1000), &lines, &lines);
            prop_assert_eq!(change.due_cents(), 0);
        }

        #[test]
        fn nothing_panics(cents: u64, start: i64, end: i64, at: i64) {
            let period = Period { start: Timestamp::from_millis(start), end: Timestamp::from_millis(end) };
            let _ = prorated(cents, period, Timestamp::from_millis(at));
            let _ = Proration::within(period, Timestamp::from_millis(at), &[cents, cents], &[cents]).due_cents();
        }
    }
}
