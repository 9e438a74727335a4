//! Request rates: how fast, where a limit says how much.
//!
//! A token bucket in its GCRA form: one number for each bucket, the instant at which it would be full again. It is part
//! of the state, so that a restart does not hand out a fresh bucket.

use serde::{Deserialize, Serialize};

use crate::{id::ApiKeyId, time::Timestamp};

/// How many requests in how much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Requests a minute, in the long run. At least 1.
    pub per_minute: u32,
    /// Requests at once, after a pause. At least 1.
    pub burst: u32,
}

const MINUTE_US: i64 = 60_000_000;

impl RateLimit {
    /// The limit of a key that may send so many requests a minute: those of ten seconds at once.
    pub const fn of_key(per_minute: u32) -> Self {
        Self { per_minute, burst: per_minute.div_ceil(6) }
    }

    fn interval_us(self) -> i64 {
        MINUTE_US / i64::from(self.per_minute.max(1))
    }

    /// Takes one request from a bucket: the bucket afterwards, or how many milliseconds to wait.
    ///
    /// A bucket is the instant, in microseconds, at which it is full again; one in the past is full.
    ///
    /// # Errors
    /// The milliseconds until the next request can be admitted.
    pub fn take(self, full_at_us: Option<i64>, now: Timestamp) -> Result<i64, u64> {
        let now_us = now.as_millis().saturating_mul(1_000);
        let interval = self.interval_us();
        let burst = i64::from(self.burst.max(1));
        // No emptier than empty: what a clock that ran ahead has left behind does not last longer than it would have.
        let empty = now_us.saturating_add(interval.saturating_mul(burst));
        let full_at_us = full_at_us.unwrap_or(now_us).clamp(now_us, empty);
        let latest = now_us.saturating_add(interval.saturating_mul(burst - 1));
        if full_at_us > latest {
            Err((full_at_us - latest).unsigned_abs().div_ceil(1_000))
        } else {
            Ok(full_at_us.saturating_add(interval))
        }
    }
}

/// Whose requests a bucket counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// All of the user's.
    User,
    /// Those with one API key.
    ApiKey(ApiKeyId),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_burst_then_a_steady_pace() {
        let limit = RateLimit { per_minute: 60, burst: 3 };
        let mut bucket = None;
        for _ in 0..3 {
            bucket = Some(limit.take(bucket, at(0)).unwrap());
        }
        assert_eq!(limit.take(bucket, at(0)), Err(1_000));
        assert_eq!(limit.take(bucket, at(999)), Err(1));
        bucket = Some(limit.take(bucket, at(1_000)).unwrap());
        assert_eq!(limit.take(bucket, at(1_000)), Err(1_000));
        // After a pause the whole burst is there again, not more.
        let later = at(60_000);
        for _ in 0..3 {
            bucket = Some(limit.take(bucket, later).unwrap());
        }
        assert!(limit.take(bucket, later).is_err());
    }

    #[test]
    fn a_clock_that_was_ahead_keeps_nobody_waiting_for_good() {
        let limit = RateLimit { per_minute: 60, burst: 3 };
        let ahead = limit.take(None, at(1_000_000_000)).unwrap();
        assert_eq!(limit.take(Some(ahead), at(0)), Err(1_000));
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_the_pace(
            per_minute in 1_u32..2_000, burst in 1_u32..50, gaps in proptest::collection::vec(0_i64..3_000, 1..200),
        ) {
            let limit = RateLimit { per_minute, burst };
            let (mut bucket, mut now, mut admitted) = (None, 0, 0_u64);
            for gap in gaps {
                now += gap;
                match limit.take(bucket, at(now)) {
                    Ok(next) => { bucket = Some(next); admitted += 1; }
                    Err(wait) => {
                        prop_assert!(limit.take(bucket, at(now + wait.cast_signed())).is_ok(), "after the wait there is room");
                        prop_assert!(limit.take(bucket, at(now + wait.cast_signed() - 1)).is_err(), "not before it");
                    }
                }
                let most = u64::from(burst) + (now.unsigned_abs() * 1_000) / limit.interval_us().unsigned_abs();
                prop_assert!(admitted <= most, "{admitted} > {most}");
            }
        }
    }
}
