//! What an object does on its own time: when its one alarm is due, and for what.
//!
//! Everything here can be derived from what is stored, so an alarm that is lost, late or doubled changes nothing.

use tollgate_domain::time::Timestamp;

/// How long news waits before it is copied to KV and to the queue: a copy costs four times what a request costs, so a user
/// is copied once in a while, not once a request; and KV takes one write a second for each key.
const COPY_AFTER_MS: i64 = 10_000;

/// How long a lease may lie idle before it goes back to the team.
const RETURN_AFTER_MS: i64 = 10_000;

/// Rows can be compacted once they are older than the idempotency window; an hour later they surely are.
const COMPACT_AFTER_MS: i64 = 25 * 60 * 60 * 1_000;

/// What is to be done next, and when the alarm is set to.
#[derive(Debug, Default)]
pub struct Upkeep {
    /// The instant the alarm is set to, on our clock.
    alarm_at: Option<Timestamp>,
    /// Since when there is news that KV does not have.
    copy_due: Option<Timestamp>,
    /// When rows are old enough to be compacted.
    compact_due: Option<Timestamp>,
    /// When a decision was made last.
    active_at: Timestamp,
}

impl Upkeep {
    /// Something was written.
    pub fn news(&mut self, now: Timestamp) {
        self.active_at = now;
        self.copy_due.get_or_insert(now.plus_millis(COPY_AFTER_MS));
        self.compact_due.get_or_insert(now.plus_millis(COMPACT_AFTER_MS));
    }

    /// Whether KV is to be written; it then has all news.
    pub fn take_copy(&mut self, now: Timestamp) -> bool {
        self.copy_due.take_if(|due| *due <= now).is_some()
    }

    /// Whether old rows are to be compacted; `more` of them are looked for soon.
    pub fn take_compaction(&mut self, now: Timestamp) -> bool {
        self.compact_due.take_if(|due| *due <= now).is_some()
    }

    /// There are more rows to compact.
    pub fn compact_again(&mut self, now: Timestamp) {
        self.compact_due = Some(now.plus_millis(1_000));
    }

    /// When an idle lease goes back.
    pub fn return_at(&self) -> Timestamp {
        self.active_at.plus_millis(RETURN_AFTER_MS)
    }

    /// The alarm has fired, whenever it was set to.
    pub fn fired(&mut self) {
        self.alarm_at = None;
    }

    /// What the alarm is to be set to; `None` when it is set early enough. `others` are instants that the state and the
    /// exports ask for.
    pub fn alarm(&mut self, others: impl IntoIterator<Item = Option<Timestamp>>) -> Option<Timestamp> {
        let next = others.into_iter().chain([self.copy_due, self.compact_due]).flatten().min()?;
        if self.alarm_at.is_some_and(|set| set <= next) {
            return None;
        }
        self.alarm_at = Some(next);
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn the_alarm_is_set_once_for_many_decisions() {
        let mut upkeep = Upkeep::default();
        assert_eq!(upkeep.alarm([]), None);
        upkeep.news(at(0));
        assert_eq!(upkeep.alarm([Some(at(600_000))]), Some(at(COPY_AFTER_MS)));
        upkeep.news(at(500));
        assert_eq!(upkeep.alarm([Some(at(600_500))]), None);
        // Something that comes earlier moves it.
        assert_eq!(upkeep.alarm([Some(at(1_000))]), Some(at(1_000)));
        upkeep.fired();
        assert!(!upkeep.take_copy(at(1_000)));
        assert_eq!(upkeep.alarm([None]), Some(at(COPY_AFTER_MS)));
    }

    #[test]
    fn each_duty_comes_when_it_is_due_and_once() {
        let mut upkeep = Upkeep::default();
        upkeep.news(at(0));
        assert!(upkeep.take_copy(at(COPY_AFTER_MS)) && !upkeep.take_copy(at(COPY_AFTER_MS)));
        assert!(!upkeep.take_compaction(at(COMPACT_AFTER_MS - 1)));
        assert!(upkeep.take_compaction(at(COMPACT_AFTER_MS)) && !upkeep.take_compaction(at(COMPACT_AFTER_MS)));
        assert_eq!(upkeep.alarm([]), None, "an idle object sleeps");
        upkeep.compact_again(at(0));
        assert_eq!(upkeep.alarm([]), Some(at(1_000)));
        assert_eq!(upkeep.return_at(), at(RETURN_AFTER_MS));
    }
}
