//! Instants and billing periods. All instants are UTC; the clock is always an argument.

use core::fmt;

use chrono::{DateTime, Datelike, Months, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// An instant, in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Its JSON form is RFC 3339 in UTC with `Z`; inside the ledger it is the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// Milliseconds in a day of 24 hours.
pub const DAY_MS: i64 = 86_400_000;

impl Timestamp {
    /// The instant that many milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// That many seconds since 1970, as Stripe counts; the last instant there is instead of one beyond it.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self::from_millis(seconds.saturating_mul(1_000))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant and that many milliseconds; saturates at the ends of time.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// This instant and that many days of 24 hours.
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        self.plus_millis(days.saturating_mul(DAY_MS))
    }

    /// How many milliseconds lie between two instants, whichever is the later: how old something is, also when it was noted on a
    /// clock that was ahead. So nothing is young until that clock's day.
    pub const fn apart_ms(self, other: Self) -> i64 {
        let apart = self.0.abs_diff(other.0);
        if apart > i64::MAX.unsigned_abs() { i64::MAX } else { apart.cast_signed() }
    }

    /// Whole seconds from `earlier` to here, rounded up, never negative: a `Retry-After`.
    pub const fn seconds_since(self, earlier: Self) -> u64 {
        let gap = self.0.saturating_sub(earlier.0);
        if gap <= 0 { 0 } else { gap.cast_unsigned().div_ceil(1000) }
    }

    fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = if self.0.rem_euclid(1000) == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
        f.write_str(&self.to_chrono().to_rfc3339_opts(format, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        DateTime::parse_from_rfc3339(&text).map(|instant| Self(instant.timestamp_millis())).map_err(D::Error::custom)
    }
}

/// `#[serde(with = "millis")]`: an instant as a number, for the ledger and the wire between functions.
pub mod millis {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};

    /// Writes the milliseconds.
    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        at.0.serialize(serializer)
    }

    /// Reads the milliseconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp)
    }
}

/// A span of time from its start (in) to its end (out).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// First instant inside.
    #[serde(with = "millis")]
    pub start: Timestamp,
    /// First instant after it.
    #[serde(with = "millis")]
    pub end: Timestamp,
}

impl Period {
    /// Whether the instant lies inside.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }
}

/// The monthly period around `now` for a subscription that began at `anchor`.
///
/// The n-th period starts n calendar months after the anchor, its day capped to the month's length and
/// returning (31 Jan, 28 Feb, 31 Mar), at the anchor's time of day: computed from the anchor each time, never
/// from the period before, so that nothing drifts. Source: Stripe's billing cycle anchor,
/// <https://docs.stripe.com/billing/subscriptions/billing-cycle>.
///
/// Before the anchor the first period is answered.
pub fn monthly_period(anchor: Timestamp, now: Timestamp) -> Period {
    period_of(anchor, now, 1)
}

/// The yearly period around `now`, as [`monthly_period`]: from 29 February it starts on the 28th in plain years and on
/// the 29th again in leap years.
pub fn annual_period(anchor: Timestamp, now: Timestamp) -> Period {
    period_of(anchor, now, 12)
}

fn period_of(anchor: Timestamp, now: Timestamp, months: u32) -> Period {
    let start = anchor.to_chrono();
    let at = now.to_chrono();
    let months_apart = (at.year() - start.year()) * 12 + at.month0().cast_signed() - start.month0().cast_signed();
    let mut index = u32::try_from(months_apart).unwrap_or(0) / months;
    let nth = |index: u32| {
        start
            .checked_add_months(Months::new(index.saturating_mul(months)))
            .map_or(Timestamp(i64::MAX), |instant| Timestamp(instant.timestamp_millis()))
    };
    if index > 0 && nth(index) > now {
        index -= 1;
    }
    Period { start: nth(index), end: nth(index + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        serde_json::from_str(&format!("\"{text}\"")).unwrap()
    }

    #[test]
    fn the_json_form_is_rfc_3339_in_utc() {
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_millis(1).to_string(), "1970-01-01T00:00:00.001Z");
        assert_eq!(at("2026-01-31T12:00:00+02:00").to_string(), "2026-01-31T10:00:00Z");
    }

    #[test]
    fn the_31st_is_capped_and_returns() {
        let anchor = at("2026-01-31T10:00:00Z");
        let starts: Vec<String> = [
            "2026-02-15T00:00:00Z",
            "2026-02-28T10:00:00Z",
            "2026-03-31T09:59:59Z",
            "2026-03-31T10:00:00Z",
            "2026-05-01T00:00:00Z",
            "2028-02-29T11:00:00Z",
        ]
        .iter()
        .map(|now| monthly_period(anchor, at(now)).start.to_string())
        .collect();
        assert_eq!(
            starts,
            [
                "2026-01-31T10:00:00Z",
                "2026-02-28T10:00:00Z",
                "2026-02-28T10:00:00Z",
                "2026-03-31T10:00:00Z",
                "2026-04-30T10:00:00Z",
                "2028-02-29T10:00:00Z"
            ]
        );
    }

    #[test]
    fn retry_after_is_rounded_up_and_never_negative() {
        assert_eq!(Timestamp(1001).seconds_since(Timestamp(0)), 2);
        assert_eq!(Timestamp(1000).seconds_since(Timestamp(0)), 1);
        assert_eq!(Timestamp(0).seconds_since(Timestamp(5)), 0);
    }

    #[test]
    fn an_age_is_the_same_in_both_directions() {
        let (before, after) = (Timestamp(-5), Timestamp(8));
        assert_eq!([before.apart_ms(after), after.apart_ms(before), after.apart_ms(after)], [13, 13, 0]);
        assert_eq!(Timestamp(i64::MIN).apart_ms(Timestamp(i64::MAX)), i64::MAX);
    }

    #[test]
    fn seconds_are_rounded_down_on_both_sides_of_1970() {
        assert_eq!([-1, 0, 1_999, 2_000].map(|millis| Timestamp(millis).as_seconds()), [-1, 0, 1, 2]);
    }

    #[test]
    fn before_the_anchor_the_first_period_is_answered() {
        let anchor = at("2026-03-31T10:00:00Z");
        let first = monthly_period(anchor, anchor);
        for now in ["2026-03-31T09:59:59Z", "2026-03-01T00:00:00Z", "2025-12-31T00:00:00Z", "2020-01-01T00:00:00Z"] {
            assert_eq!(monthly_period(anchor, at(now)), first, "{now}");
        }
    }

    #[test]
    fn a_period_has_its_start_and_not_its_end_and_is_stored_in_milliseconds() {
        let period = Period { start: Timestamp(5), end: Timestamp(8) };
        assert_eq!([4, 5, 7, 8, 9].map(|millis| period.contains(Timestamp(millis))), [false, true, true, false, false]);
        assert_eq!(serde_json::to_string(&period).unwrap(), r#"{"start":5,"end":8}"#);
        assert_eq!(serde_json::from_str::<Period>(r#"{"start":5,"end":8}"#).unwrap(), period);
        assert_eq!(serde_json::to_string(&Timestamp(1)).unwrap(), r#""1970-01-01T00:00:00.001Z""#);
    }

    /// Stripe: "a monthly subscription with a billing cycle anchor date of January 31 bills the last day of the month
    /// closest to the anchor date, so February 28 (or February 29 in a leap year), then March 31, April 30, and so on".
    /// <https://docs.stripe.com/billing/subscriptions/billing-cycle>
    #[test]
    fn months_from_every_late_day_over_plain_and_leap_years() {
        // What each anchor of January makes of February to May, in 2027 (plain) and in 2028 (leap).
        for (day, plain, leap) in [
            (28, [28, 28, 28, 28], [28, 28, 28, 28]),
            (29, [28, 29, 29, 29], [29, 29, 29, 29]),
            (30, [28, 30, 30, 30], [29, 30, 30, 30]),
            (31, [28, 31, 30, 31], [29, 31, 30, 31]),
        ] {
            for (year, days) in [(2027, plain), (2028, leap)] {
                let anchor = at(&format!("{year}-01-{day}T23:59:59Z"));
                let mut period = monthly_period(anchor, anchor);
                for (month, day) in (2..).zip(days) {
                    assert_eq!(period.end.to_string(), format!("{year}-{month:02}-{day}T23:59:59Z"), "from {anchor}");
                    period = monthly_period(anchor, period.end);
                }
            }
        }
    }

    #[test]
    fn years_from_a_leap_day_return_to_it() {
        let anchor = at("2028-02-29T12:00:00Z");
        let mut now = anchor;
        let starts: Vec<String> = (0..5)
            .map(|_| {
                let period = annual_period(anchor, now);
                now = period.end;
                period.start.to_string()
            })
            .collect();
        assert_eq!(
            starts.iter().map(|start| &start[..10]).collect::<Vec<_>>(),
            ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]
        );
        assert_eq!(annual_period(anchor, at("2027-01-01T00:00:00Z")).start, anchor);
    }

    proptest! {
        #[test]
        fn years_tile_time(anchor in 0_i64..4_000_000_000_000, ahead in 0_i64..600_000_000_000) {
            let (anchor, now) = (Timestamp(anchor), Timestamp(anchor + ahead));
            let period = annual_period(anchor, now);
            prop_assert!(period.contains(now), "{period:?} does not contain {now}");
            prop_assert_eq!(annual_period(anchor, period.end).start, period.end);
            prop_assert_eq!(annual_period(anchor, Timestamp(period.end.0 - 1)), period);
            // Each year is twelve of its months: a quota's month never crosses the end of the paid year.
            let mut month = monthly_period(anchor, period.start);
            for _ in 1..12 {
                month = monthly_period(anchor, month.end);
            }
            prop_assert_eq!(month.end, period.end);
        }

        #[test]
        fn periods_tile_time(anchor in 0_i64..4_000_000_000_000, ahead in 0_i64..600_000_000_000) {
            let (anchor, now) = (Timestamp(anchor), Timestamp(anchor + ahead));
            let period = monthly_period(anchor, now);
            prop_assert!(period.contains(now), "{period:?} does not contain {now}");
            prop_assert_eq!(monthly_period(anchor, period.end).start, period.end);
            prop_assert_eq!(monthly_period(anchor, Timestamp(period.end.0 - 1)), period);
            let days = (period.end.0 - period.start.0) / DAY_MS;
            prop_assert!((28..=31).contains(&days), "{} days", days);
        }
    }
}
