//! Trials: where one stands at an instant, whose it is, and what is to be said before it ends.

pub mod budget;
mod claim;
pub(crate) mod person;
mod reminder;

pub use claim::{Claimant, claim_of};
pub use person::PersonKey;
pub use reminder::Reminder;

use serde::{Deserialize, Serialize};

use crate::time::{DAY_MS, Timestamp};

/// A trial's span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// When it began.
    pub started_at: Timestamp,
    /// The first instant at which it is over.
    pub ends_at: Timestamp,
}

/// What `GET /user/trial-status` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialStatus {
    /// The trial runs.
    Trialing,
    /// The trial is over and nothing was bought: metered calls answer 402.
    Expired,
    /// A plan is held; the trial no longer matters.
    Active,
    /// A plan is held, and a payment is missing.
    PastDue,
    /// A plan was held and is over: metered calls answer 402.
    Ended,
}

impl Trial {
    /// A trial of that many days of 24 hours from `now`.
    pub const fn starting(now: Timestamp, days: i64) -> Self {
        Self { started_at: now, ends_at: now.plus_days(days) }
    }

    /// What somebody gets who had a trial before: one that is over as it begins.
    pub const fn none_left(now: Timestamp) -> Self {
        Self { started_at: now, ends_at: now }
    }

    /// What is left of it for whoever begins it anew while nobody has confirmed the address with which it began at `since`: it
    /// ends when the first would have ended, so that registering again makes no trial longer.
    #[must_use]
    pub const fn rest_of_one_begun(self, since: Timestamp) -> Self {
        let (start, end) = (self.started_at.as_millis(), self.ends_at.as_millis());
        let ends = since.as_millis().saturating_add(end.saturating_sub(start));
        let ends = if ends > end { end } else { ends };
        Self { ends_at: Timestamp::from_millis(if ends > start { ends } else { start }), ..self }
    }

    /// Whether it is shorter than one of that many days, because another registration had begun it.
    pub const fn is_shortened(self, days: i64) -> bool {
        self.ends_at.as_millis() < self.started_at.plus_days(days).as_millis()
    }

    /// Whether there was any of it: not for whoever had one before.
    pub fn was_given(&self) -> bool {
        self.ends_at > self.started_at
    }

    /// Whether it is over; it is at `ends_at` itself.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.ends_at
    }

    /// The days left, begun ones counted: 7 at the start of a week, 1 in its last minute, 0 after it.
    pub const fn days_remaining(&self, now: Timestamp) -> u64 {
        let left = self.ends_at.as_millis().saturating_sub(now.as_millis());
        if left <= 0 { 0 } else { left.cast_unsigned().div_ceil(DAY_MS.cast_unsigned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_begun_again_before_anybody_confirmed_ends_when_the_first_does() {
        let day = Timestamp::from_millis;
        let first = Trial::starting(day(0), 7);
        for (registered, left) in [(0, 7 * DAY_MS), (3 * DAY_MS, 4 * DAY_MS), (7 * DAY_MS, 0), (30 * DAY_MS, 0)] {
            let again = Trial::starting(day(registered), 7).rest_of_one_begun(first.started_at);
            assert_eq!(again.ends_at.as_millis() - again.started_at.as_millis(), left);
            assert_eq!(again.is_shortened(7), left < 7 * DAY_MS);
        }
        // A clock that went back makes none longer.
        assert_eq!(Trial::starting(day(0), 7).rest_of_one_begun(day(9 * DAY_MS)), first);
    }

    #[test]
    fn it_ends_at_the_instant() {
        let start = Timestamp::from_millis(1_000);
        let trial = Trial::starting(start, 7);
        assert_eq!(trial.days_remaining(start), 7);
        assert_eq!(trial.days_remaining(start.plus_millis(1)), 7);
        let last = trial.ends_at.plus_millis(-1);
        assert!(!trial.is_over(last));
        assert_eq!(trial.days_remaining(last), 1);
        assert!(trial.is_over(trial.ends_at));
        assert_eq!(trial.days_remaining(trial.ends_at), 0);
        assert_eq!(trial.days_remaining(trial.ends_at.plus_days(3)), 0);
    }

    #[test]
    fn who_had_one_before_has_nothing_left_of_another_and_is_told_nothing_of_its_end() {
        let now = Timestamp::from_millis(1_000);
        let none = Trial::none_left(now);
        assert!(none.is_over(now) && !none.was_given() && Trial::starting(now, 1).was_given());
        assert_eq!(none.days_remaining(now), 0);
        assert_eq!(none.reminders(Timestamp::from_millis(0), now.plus_days(9)).count(), 0);
    }
}
