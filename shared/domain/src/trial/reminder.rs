//! What is to be said before a trial ends.

use serde::{Deserialize, Serialize};

use super::Trial;
use crate::time::Timestamp;

/// A mail about the end of a trial. In the order in which they fall due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reminder {
    /// Three days are left.
    ThreeDays,
    /// One day is left.
    OneDay,
    /// It has ended.
    Ended,
}

impl Reminder {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::ThreeDays, Self::OneDay, Self::Ended];

    /// How many days of 24 hours before the end.
    pub const fn days_before(self) -> i64 {
        match self {
            Self::ThreeDays => 3,
            Self::OneDay => 1,
            Self::Ended => 0,
        }
    }

    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ThreeDays => "three_days",
            Self::OneDay => "one_day",
            Self::Ended => "ended",
        }
    }

    /// When it falls due; never for a trial that began later than that.
    pub fn due_at(self, trial: &Trial) -> Option<Timestamp> {
        let due = trial.ends_at.plus_days(-self.days_before());
        (due > trial.started_at).then_some(due)
    }
}

impl Trial {
    /// What fell due after one instant and up to another, in order. Spans that follow each other give each reminder once,
    /// however they are cut: a job remembers the instant up to which it looked.
    ///
    /// After a long pause there may be several; the last is the one to send.
    pub fn reminders(&self, after: Timestamp, until: Timestamp) -> impl Iterator<Item = Reminder> {
        let trial = *self;
        let is_due = move |reminder: &Reminder| reminder.due_at(&trial).is_some_and(|due| after < due && due <= until);
        Reminder::ALL.into_iter().filter(is_due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trial() -> Trial {
        Trial::starting(Timestamp::from_millis(1_000), 7)
    }

    #[test]
    fn each_falls_due_to_the_millisecond() {
        let trial = trial();
        for (reminder, days) in [(Reminder::ThreeDays, 4), (Reminder::OneDay, 6), (Reminder::Ended, 7)] {
            let due = trial.started_at.plus_days(days);
            assert_eq!(reminder.due_at(&trial), Some(due));
            assert_eq!(trial.reminders(due.plus_millis(-1), due).collect::<Vec<_>>(), [reminder]);
            assert_eq!(trial.reminders(due, due.plus_millis(1)).count(), 0);
            assert_eq!(trial.reminders(due.plus_millis(-9), due.plus_millis(-1)).count(), 0);
        }
    }

    #[test]
    fn a_short_trial_is_not_reminded_before_it_began() {
        let trial = Trial::starting(Timestamp::from_millis(0), 2);
        let all = trial.reminders(Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
        assert_eq!(all.collect::<Vec<_>>(), [Reminder::OneDay, Reminder::Ended]);
    }

    #[test]
    fn nothing_is_due_backwards() {
        let trial = trial();
        assert_eq!(trial.reminders(trial.ends_at, trial.started_at).count(), 0);
    }

    proptest! {
        #[test]
        fn each_once_however_the_time_is_cut(mut looks in proptest::collection::vec(-1_000_000_000..2_000_000_000_i64, 0..60)) {
            let trial = trial();
            looks.sort_unstable();
            looks.insert(0, i64::MIN);
            looks.push(i64::MAX);
            let told: Vec<_> = looks
                .windows(2)
                .flat_map(|span| trial.reminders(Timestamp::from_millis(span[0]), Timestamp::from_millis(span[1])))
                .collect();
            prop_assert_eq!(told, Reminder::ALL);
        }
    }
}
