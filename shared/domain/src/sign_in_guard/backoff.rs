//! One counter of failures, and the delay it asks for.

use serde::{Deserialize, Serialize};

use crate::time::{Timestamp, millis};

/// The longest wait between two attempts: 15 minutes.
pub const MAX_WAIT_MS: i64 = 15 * 60 * 1000;

/// The wait after the first failure that is not free; it doubles from there.
const FIRST_WAIT_MS: i64 = 1000;

/// After how many doublings the longest wait is reached: 1 s, 2 s, ... 512 s, 900 s.
const DOUBLINGS: u32 = 10;

/// How a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Failures without a wait.
    pub free: u32,
    /// One failure is forgotten after each of these, in milliseconds.
    pub forget_one_ms: i64,
}

impl Policy {
    /// Where counting ends: one more failure changes nothing, so that an attack of a year is forgotten like one of a day.
    const fn highest(self) -> u32 {
        self.free + DOUBLINGS + 1
    }

    /// The most attempts that are admitted within a span, whatever is tried in it and was tried before.
    ///
    /// Each one either raises the count, which it does at most as often as there is room (`highest`) and forgetting makes
    /// room; or it finds the count at its highest, and the next waits [`MAX_WAIT_MS`].
    pub const fn most_within(self, span_ms: i64) -> u64 {
        let forgotten = span_ms / self.forget_one_ms + 1;
        let waited = span_ms / MAX_WAIT_MS + 1;
        self.highest() as u64 + forgotten.unsigned_abs() + waited.unsigned_abs()
    }

    fn wait_after(self, failures: u32) -> i64 {
        match failures.checked_sub(self.free) {
            None | Some(0) => 0,
            Some(counted) => (FIRST_WAIT_MS << (counted - 1).min(DOUBLINGS)).min(MAX_WAIT_MS),
        }
    }
}

/// Whether a password is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// Yes.
    Allow,
    /// Not before that many milliseconds have passed; at most [`MAX_WAIT_MS`].
    Wait {
        /// At least 1.
        retry_after_ms: i64,
    },
}

/// A counter of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Backoff {
    failures: u32,
    /// From when on forgetting counts.
    #[serde(with = "millis")]
    since: Timestamp,
    /// When the next attempt is admitted.
    #[serde(with = "millis")]
    open_at: Timestamp,
}

impl Backoff {
    /// Judges an attempt; when it is let through, it counts as a failure until [`Backoff::given_back`] says otherwise.
    ///
    /// A clock that jumps back makes nobody wait longer than [`MAX_WAIT_MS`].
    pub fn attempt(self, policy: Policy, now: Timestamp) -> (Decision, Self) {
        let wait = self.open_at.as_millis().saturating_sub(now.as_millis()).min(MAX_WAIT_MS);
        if wait > 0 {
            // Bounding what is stored, too: after the jump the wait runs out by the new clock.
            let open_at = self.open_at.min(now.plus_millis(MAX_WAIT_MS));
            return (Decision::Wait { retry_after_ms: wait }, Self { open_at, ..self });
        }
        let remembered = self.remembered(policy, now);
        let failures = (remembered.failures + 1).min(policy.highest());
        let open_at = match policy.wait_after(failures) {
            // Not "from now on": a clock that is set back must not make a wait of nothing.
            0 => Timestamp::default(),
            wait => now.plus_millis(wait),
        };
        (Decision::Allow, Self { failures, open_at, ..remembered })
    }

    /// An attempt that was let through was no failure. The wait it began stays: it is another's, too.
    #[must_use]
    pub fn given_back(self) -> Self {
        Self { failures: self.failures.saturating_sub(1), ..self }
    }

    /// What is not forgotten at that instant.
    fn remembered(self, policy: Policy, now: Timestamp) -> Self {
        let quiet = now.as_millis().saturating_sub(self.since.as_millis());
        let forgotten = u32::try_from((quiet / policy.forget_one_ms).max(0)).unwrap_or(u32::MAX);
        if quiet < 0 || forgotten >= self.failures {
            return Self { failures: if quiet < 0 { self.failures } else { 0 }, since: now, ..self };
        }
        Self {
            failures: self.failures - forgotten,
            since: self.since.plus_millis(i64::from(forgotten) * policy.forget_one_ms),
            ..self
        }
    }

    /// Whether nothing is left to remember: then it need not be stored.
    pub fn is_forgotten(self, policy: Policy, now: Timestamp) -> bool {
        self.open_at <= now && self.remembered(policy, now).failures == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: Policy = Policy { free: 3, forget_one_ms: 600_000 };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    /// Attempts as soon as each is admitted; answers the waits between them.
    fn waits(count: usize) -> Vec<i64> {
        let (mut backoff, mut now) = (Backoff::default(), 0);
        (0..count)
            .map(|_| {
                let before = now;
                loop {
                    let (decision, after) = backoff.attempt(POLICY, at(now));
                    backoff = after;
                    match decision {
                        Decision::Allow => return now - before,
                        Decision::Wait { retry_after_ms } => now += retry_after_ms,
                    }
                }
            })
            .collect()
    }

    #[test]
    fn a_free_attempt_makes_nobody_wait_when_the_clock_is_set_back() {
        let (decision, after) = Backoff::default().attempt(POLICY, at(7_000));
        assert_eq!(decision, Decision::Allow);
        assert_eq!(after.attempt(POLICY, at(0)).0, Decision::Allow);
    }

    #[test]
    fn free_attempts_then_doubling_up_to_fifteen_minutes() {
        let seconds: Vec<_> = waits(12).into_iter().map(|wait| wait / 1000).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128]);
        // Beyond, forgetting and waiting balance: nobody waits longer than this.
        assert!(waits(60).into_iter().all(|wait| wait <= MAX_WAIT_MS));
        assert_eq!(POLICY.wait_after(POLICY.highest()), MAX_WAIT_MS);
        assert_eq!(POLICY.wait_after(POLICY.highest() - 1), 512_000);
    }

    #[test]
    fn what_is_given_back_was_never_a_failure() {
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            let (decision, after) = backoff.attempt(POLICY, at(0));
            assert_eq!(decision, Decision::Allow);
            backoff = after.given_back();
        }
    }

    #[test]
    fn everything_is_forgotten_in_the_end() {
        let mut backoff = Backoff::default();
        for second in 0..100_000 {
            backoff = backoff.attempt(POLICY, at(second * 1000)).1;
        }
        let end = 100_000_000;
        assert!(!backoff.is_forgotten(POLICY, at(end)));
        let longest = i64::from(POLICY.highest()) * POLICY.forget_one_ms;
        assert!(backoff.is_forgotten(POLICY, at(end + longest)));
    }

    proptest! {
        #[test]
        fn no_more_are_admitted_within_any_span_than_promised(
            free in 0_u32..20, forget_one_ms in 1_000_i64..3_600_000,
            gaps in proptest::collection::vec(prop_oneof![0_i64..2_000, 0_i64..2_000_000], 1..300),
        ) {
            let policy = Policy { free, forget_one_ms };
            let (mut backoff, mut now, mut admitted) = (Backoff::default(), 0, Vec::new());
            for gap in gaps {
                now += gap;
                let (decision, after) = backoff.attempt(policy, at(now));
                backoff = after;
                match decision {
                    Decision::Allow => admitted.push(now),
                    Decision::Wait { retry_after_ms } => prop_assert!((1..=MAX_WAIT_MS).contains(&retry_after_ms)),
                }
            }
            for (first, start) in admitted.iter().enumerate() {
                for (last, end) in admitted.iter().enumerate().skip(first) {
                    prop_assert!((last - first + 1) as u64 <= policy.most_within(end - start));
                }
            }
        }

        #[test]
        fn after_the_wait_there_is_an_attempt_whatever_the_clock_does(jumps in proptest::collection::vec(-10_000_000_i64..10_000_000, 1..60)) {
            let (mut backoff, mut now) = (Backoff::default(), 0_i64);
            for jump in jumps {
                now += jump;
                let (decision, after) = backoff.attempt(POLICY, at(now));
                backoff = after;
                if let Decision::Wait { retry_after_ms } = decision {
                    prop_assert!(retry_after_ms <= MAX_WAIT_MS);
                    prop_assert_eq!(backoff.attempt(POLICY, at(now + retry_after_ms)).0, Decision::Allow);
                }
            }
        }

        #[test]
        fn no_stored_state_panics(failures: u32, since: i64, open_at: i64, now: i64) {
            let stored = Backoff { failures: failures.min(POLICY.highest()), since: Timestamp::from_millis(since), open_at: Timestamp::from_millis(open_at) };
            let now = Timestamp::from_millis(now);
            let (_, after) = stored.attempt(POLICY, now);
            let _ = after.given_back().is_forgotten(POLICY, now);
        }
    }
}
