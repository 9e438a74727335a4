//! What all trials together may cost in a day.
//!
//! One trial is bounded by its plan, and each needs an address of its own; a thousand addresses are still a thousand trials. So
//! an installation has a ceiling for a UTC day, in micro-dollars at list price. A [`Budget`] leases shares of it to the
//! instances that serve requests, and each spends its [`Share`] without asking anybody: no request waits for a counter that all
//! of them write.
//!
//! What is leased never exceeds the ceiling, and what is spent never exceeds what is leased but by what single answers cost
//! more than was held for them; that is taken from the instance's next share. An instance that ends takes the rest of its share
//! along: shares are small, and shrink with what is left.

use serde::{Deserialize, Serialize};

use crate::time::{DAY_MS, Timestamp};

/// The UTC day of an instant, counted from 1970.
pub const fn day_of(now: Timestamp) -> i64 {
    now.as_millis().div_euclid(DAY_MS)
}

/// The first instant of the next UTC day.
pub const fn next_day(now: Timestamp) -> Timestamp {
    Timestamp::from_millis((day_of(now) + 1) * DAY_MS)
}

/// A share is a 64th of what is left of the day, so that instances which come and go cannot use it up by ending.
const SHARE_OF_WHAT_IS_LEFT: u64 = 64;

/// At which shares of the ceiling an operator hears of it, in percent.
const MARKS: [u8; 2] = [80, 100];

/// What of a day's ceiling is leased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    day: i64,
    leased_microusd: u64,
    /// The highest of the marks that an operator was told of.
    told_percent: u8,
    /// What was leased of the day before, whichever it was: the clock may come back to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<(i64, u64)>,
}

/// What a budget answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// For which UTC day.
    pub day: i64,
    /// How much; 0 when the need does not fit any more.
    pub microusd: u64,
    /// The mark that was reached by this, of which an operator is to hear.
    pub mark_percent: Option<u8>,
}

impl Budget {
    /// Leases at least `need`, or nothing. A clock that goes back gives no day twice: within a day it is the later one that
    /// counts, and from further ahead it comes back to what was leased of the day that it is.
    pub fn lease(self, need_microusd: u64, ceiling_microusd: u64, now: Timestamp) -> (Lease, Self) {
        let mut after = self;
        let today = day_of(now);
        if is_another(self.day, today) {
            let leased = self.before.filter(|(day, _)| *day == today).map_or(0, |(_, leased)| leased);
            let before = Some((self.day, self.leased_microusd));
            after = Self { day: today, leased_microusd: leased, told_percent: 0, before };
        }
        let left = ceiling_microusd.saturating_sub(after.leased_microusd);
        let fits = need_microusd <= left;
        let microusd = if fits { need_microusd.max(left / SHARE_OF_WHAT_IS_LEFT) } else { 0 };
        after.leased_microusd += microusd;
        // What is refused is the ceiling reached, even where a small request might still fit.
        let percent = if fits { percent_of(after.leased_microusd, ceiling_microusd) } else { 100 };
        let mark = MARKS.into_iter().rev().find(|mark| percent >= *mark && *mark > after.told_percent);
        after.told_percent = mark.unwrap_or(after.told_percent);
        (Lease { day: after.day, microusd, mark_percent: mark }, after)
    }

    /// How much is leased, of the day that it counts.
    pub const fn leased_microusd(self) -> u64 {
        self.leased_microusd
    }
}

/// Whether today is another day than the one that is counted: a later one, or one before yesterday of a clock that was ahead.
const fn is_another(counted: i64, today: i64) -> bool {
    today > counted || today < counted - 1
}

fn percent_of(part: u64, whole: u64) -> u8 {
    let percent = u128::from(part) * 100 / u128::from(whole.max(1));
    u8::try_from(percent.min(100)).unwrap_or(100)
}

/// What an instance may still spend of what it was leased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    day: i64,
    /// Below zero when answers cost more than was held for them.
    left_microusd: i128,
}

impl Share {
    /// Holds an amount; what is missing to it is answered when it does not fit: lease that, and hold again.
    ///
    /// # Errors
    /// What is missing, in micro-dollars.
    pub fn hold(&mut self, microusd: u64, now: Timestamp) -> Result<i64, u64> {
        if is_another(self.day, day_of(now)) {
            // What is left of yesterday is yesterday's.
            *self = Self { day: day_of(now), left_microusd: self.left_microusd.min(0) };
        }
        let missing = i128::from(microusd) - self.left_microusd;
        if missing > 0 && microusd > 0 {
            return Err(u64::try_from(missing).unwrap_or(u64::MAX));
        }
        self.left_microusd -= i128::from(microusd);
        Ok(self.day)
    }

    /// Takes a lease in; one of another day is worth nothing any more.
    pub fn take(&mut self, lease: Lease) {
        if is_another(self.day, lease.day) {
            *self = Self { day: lease.day, left_microusd: self.left_microusd.min(0) };
        }
        if lease.day == self.day {
            self.left_microusd += i128::from(lease.microusd);
        }
    }

    /// What was held on that day is over, and cost so much.
    pub fn end(&mut self, day: i64, held_microusd: u64, cost_microusd: u64) {
        if day == self.day {
            self.left_microusd += i128::from(held_microusd) - i128::from(cost_microusd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 20_000;

    fn at(day: i64, ms: i64) -> Timestamp {
        Timestamp::from_millis(day * DAY_MS + ms)
    }

    #[test]
    fn shares_shrink_and_the_ceiling_stands() {
        let (mut budget, mut marks, mut refused) = (Budget::default(), Vec::new(), 0);
        for n in 0..10_000 {
            let (lease, after) = budget.lease(1_000, 1_000_000, at(DAY, n));
            budget = after;
            marks.extend(lease.mark_percent);
            refused += u32::from(lease.microusd == 0);
        }
        assert_eq!((budget.leased_microusd() <= 1_000_000, marks, refused > 0), (true, vec![80, 100], true));
        let (lease, _) = budget.lease(1_000, 1_000_000, at(DAY, -DAY_MS));
        assert_eq!(lease.microusd, 0, "a clock that goes back gives nothing twice");
        let (lease, _) = budget.lease(1_000, 1_000_000, at(DAY + 1, 0));
        assert_eq!((lease.day, lease.microusd), (DAY + 1, 15_625), "the next day begins anew");
    }

    #[test]
    fn the_next_day_begins_at_midnight() {
        assert_eq!(next_day(at(DAY, 5)), at(DAY + 1, 0));
        assert_eq!(next_day(at(DAY, 0)), at(DAY + 1, 0));
    }

    #[test]
    fn a_day_far_ahead_is_not_kept_when_the_clock_comes_back() {
        let (_, today) = Budget::default().lease(900, 1_000, at(DAY, 0));
        let mut share = Share::default();
        let (lease, ahead) = today.lease(1_000, 1_000, at(DAY + 400, 0));
        share.take(lease);
        assert_eq!((lease.microusd, share.hold(1_000, at(DAY + 400, 0))), (1_000, Ok(DAY + 400)));
        // What was leased today is as it was, however often the clock goes to and fro.
        let (lease, back) = ahead.lease(50, 1_000, at(DAY, 1));
        assert_eq!((lease.day, lease.microusd, back.leased_microusd()), (DAY, 50, 950));
        assert_eq!(share.hold(50, at(DAY, 1)), Err(50), "nothing is left of the other day's share");
        share.take(lease);
        assert_eq!(share.hold(50, at(DAY, 1)), Ok(DAY));
        let (lease, _) = back.lease(1, 1_000, at(DAY + 400, 0));
        assert_eq!(lease.microusd, 0, "nor is a day far ahead given twice");
    }

    #[test]
    fn a_ceiling_of_nothing_gives_nothing_and_what_costs_nothing_needs_nothing() {
        let (lease, _) = Budget::default().lease(1, 0, at(DAY, 0));
        assert_eq!((lease.microusd, lease.mark_percent), (0, Some(100)));
        assert_eq!(Share::default().hold(0, at(DAY, 0)), Ok(DAY));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Ask { instance: usize, holds: u64 },
        End { which: prop::sample::Index, percent: u64 },
        Dies { instance: usize },
        Wait { ms: i64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0_usize..4, 0_u64..5_000).prop_map(|(instance, holds)| Step::Ask { instance, holds }),
            4 => (any::<prop::sample::Index>(), 0_u64..=100).prop_map(|(which, percent)| Step::End { which, percent }),
            1 => (0_usize..4).prop_map(|instance| Step::Dies { instance }),
            1 => (0_i64..DAY_MS).prop_map(|ms| Step::Wait { ms }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(
            std::env::var("METER_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000)
        ))]

        /// Whatever instances do, and however many end: what all of a day's requests can still cost together never exceeds the
        /// day's ceiling.
        #[test]
        fn a_day_s_trials_never_cost_more_than_the_ceiling(
            ceiling in 0_u64..100_000,
            steps in proptest::collection::vec(step(), 1..200),
        ) {
            let (mut budget, mut now) = (Budget::default(), at(DAY, 0));
            let mut shares = [Share::default(); 4];
            // Which instance, which of its lives, which day, and how much.
            let (mut open, mut lives) = (Vec::<(usize, u32, i64, u64)>::new(), [0_u32; 4]);
            let mut spent = std::collections::HashMap::<i64, u64>::new();
            for step in steps {
                match step {
                    Step::Ask { instance, holds } => {
                        let mut held = shares[instance].hold(holds, now);
                        if let Err(missing) = held {
                            let (lease, after) = budget.lease(missing, ceiling, now);
                            budget = after;
                            shares[instance].take(lease);
                            held = shares[instance].hold(holds, now);
                            prop_assert!(held.is_ok() == (lease.microusd > 0), "a lease is enough, or there is none");
                        }
                        if let Ok(day) = held { open.push((instance, lives[instance], day, holds)); }
                    }
                    Step::End { which, percent } if !open.is_empty() => {
                        let (instance, life, day, held) = open.swap_remove(which.index(open.len()));
                        let cost = held * percent / 100;
                        *spent.entry(day).or_default() += cost;
                        if life == lives[instance] { shares[instance].end(day, held, cost); }
                    }
                    Step::End { .. } => {}
                    Step::Dies { instance } => {
                        shares[instance] = Share::default();
                        lives[instance] += 1;
                    }
                    Step::Wait { ms } => now = now.plus_millis(ms),
                }
                let today = day_of(now);
                let held: u64 = open.iter().filter(|(.., day, _)| *day == today).map(|(.., held)| held).sum();
                let all = held + spent.get(&today).copied().unwrap_or(0);
                prop_assert!(all <= ceiling, "{all} of {ceiling}");
                prop_assert!(budget.leased_microusd() <= ceiling);
            }
        }
    }
}
