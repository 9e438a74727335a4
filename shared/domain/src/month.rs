//! Calendar months in UTC: what a statement of usage is about.

use core::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use crate::time::{Period, Timestamp};

/// A month, as `2026-01`, of the years 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    /// 1 to 12
    month: u32,
}

/// A text that is no month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a month of the form 2026-01")]
pub struct InvalidMonth;

impl Month {
    /// The month that an instant is in.
    pub fn of(at: Timestamp) -> Self {
        let at = DateTime::<Utc>::from_timestamp_millis(at.as_millis()).unwrap_or_default();
        Self { year: at.year().clamp(1970, 9999), month: at.month() }
    }

    /// The month before.
    #[must_use]
    pub const fn previous(self) -> Self {
        match self.month {
            1 => Self { year: self.year - 1, month: 12 },
            month => Self { year: self.year, month: month - 1 },
        }
    }

    /// The month after.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            month => Self { year: self.year, month: month + 1 },
        }
    }

    fn start(self) -> Timestamp {
        let first = NaiveDate::from_ymd_opt(self.year, self.month, 1).unwrap_or_default();
        Timestamp::from_millis(first.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis())
    }

    /// From its first instant to the first of the next.
    pub fn period(self) -> Period {
        Period { start: self.start(), end: self.next().start() }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = InvalidMonth;

    fn from_str(text: &str) -> Result<Self, InvalidMonth> {
        let (year, month) = text.split_once('-').ok_or(InvalidMonth)?;
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return Err(InvalidMonth);
        }
        let (year, month) = (year.parse().map_err(|_| InvalidMonth)?, month.parse().map_err(|_| InvalidMonth)?);
        if year < 1970 || !(1..=12).contains(&month) {
            return Err(InvalidMonth);
        }
        Ok(Self { year, month })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    #[test]
    fn months_follow_each_other() {
        assert_eq!(month("2026-12").next(), month("2027-01"));
        assert_eq!(month("2026-01").previous(), month("2025-12"));
        let february = month("2028-02").period();
        assert_eq!(february.end.as_millis() - february.start.as_millis(), 29 * crate::time::DAY_MS);
        assert_eq!(february.start.to_string(), "2028-02-01T00:00:00Z");
        for wrong in
            ["", "2026", "2026-1", "2026-13", "2026-00", "1969-12", "02026-01", "2026-01-01", "+026-01", "2026-0１"]
        {
            assert!(wrong.parse::<Month>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_instant_is_in_its_month_and_in_no_other(at in 0..4_102_444_800_000_i64) {
            let at = Timestamp::from_millis(at);
            let its = Month::of(at);
            prop_assert!(its.period().contains(at));
            prop_assert!(!its.next().period().contains(at));
            prop_assert_eq!(its.next().previous(), its);
            prop_assert_eq!(its.period().end, its.next().period().start);
            prop_assert_eq!(its.to_string().parse(), Ok(its));
        }
    }
}
