//! What an object does on its own time: when its one alarm is due, and for what.
//!
//! Everything here can be derived from what is stored, so an alarm that is lost, late or doubled changes nothing.

use tollgate_domain::time::Timestamp;

/// How long the first news waits before it is copied to KV and to the queue, so that what comes together is copied
/// together.
const COPY_AFTER_MS: i64 = 2_000;

/// How far the copies of a busy user are apart: a copy costs several times what a request costs, and KV takes up to a
/// minute to be seen everywhere anyway.
const COPY_AGAIN_MS: i64 = 60_000;

/// How long a lease may lie idle before it goes back to the team.
const RETURN_AFTER_MS: i64 = 10_000;

/// Rows can be compacted once they are older than the idempotency window; an hour later they surely are.
const COMPACT_AFTER_MS: i64 = 25 * 60 * 60 * 1_000;

/// What is to be done next, and when the alarm is set to.
#[derive(Debug, Default)]
pub struct Upkeep {
    /// The instant the alarm is set to, on our clock.
    alarm_at: Option<Timestamp>,
    /// When the news that KV does not have is to be copied.
    copy_due: Option<Timestamp>,
    /// When KV was written last, as far as this memory goes.
    copied_at: Option<Timestamp>,
    /// When rows are old enough to be compacted.
    compact_due: Option<Timestamp>,
    /// When a decision was made last.
    active_at: Timestamp,
}

impl Upkeep {
    /// Something was written; rows were sent last at `sent_at`.
    pub fn news(&mut self, now: Timestamp, sent_at: Timestamp) {
        self.active_at = now;
        // A clock that jumped back does not put the copy off.
        let again = self.copied_at.map_or(sent_at, |copied| copied.max(sent_at)).min(now).plus_millis(COPY_AGAIN_MS);
        // What is due already comes before this; what is due later is left of a clock that was ahead.
        let copy = now.plus_millis(COPY_AFTER_MS).max(again);
        self.copy_due = Some(self.copy_due.map_or(copy, |due| due.min(copy)));
        let compact = now.plus_millis(COMPACT_AFTER_MS);
        self.compact_due = Some(self.compact_due.map_or(compact, |due| due.min(compact)));
    }

    /// Whether KV is to be written; it then has all news.
    pub fn take_copy(&mut self, now: Timestamp) -> bool {
        let due = self.copy_due.take_if(|due| *due <= now).is_some();
        if due {
            self.copied_at = Some(now);
        }
        due
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

    const NEVER: Timestamp = Timestamp::from_millis(i64::MIN / 2);

    #[test]
    fn a_busy_user_is_copied_once_a_minute() {
        let mut upkeep = Upkeep::default();
        upkeep.news(at(0), NEVER);
        assert!(!upkeep.take_copy(at(COPY_AFTER_MS - 1)) && upkeep.take_copy(at(COPY_AFTER_MS)));
        upkeep.news(at(COPY_AFTER_MS + 1), NEVER);
        assert!(!upkeep.take_copy(at(COPY_AGAIN_MS)) && upkeep.take_copy(at(COPY_AFTER_MS + COPY_AGAIN_MS)));
        // Who was quiet for longer is copied soon again.
        upkeep.news(at(10 * COPY_AGAIN_MS), NEVER);
        assert!(upkeep.take_copy(at(10 * COPY_AGAIN_MS + COPY_AFTER_MS)));
        upkeep.news(at(0), NEVER);
        assert!(upkeep.take_copy(at(COPY_AGAIN_MS)), "a clock that jumped back");
    }

    #[test]
    fn what_a_clock_that_was_ahead_has_put_off_is_done_in_time() {
        let mut upkeep = Upkeep::default();
        let ahead = at(COMPACT_AFTER_MS * 1_000);
        upkeep.news(ahead, NEVER);
        upkeep.news(at(0), ahead);
        assert!(upkeep.take_copy(at(COPY_AGAIN_MS)));
        assert!(upkeep.take_compaction(at(COMPACT_AFTER_MS)));
        assert_eq!(upkeep.return_at(), at(RETURN_AFTER_MS));
    }

    #[test]
    fn the_alarm_is_set_once_for_many_decisions() {
        let mut upkeep = Upkeep::default();
        assert_eq!(upkeep.alarm([]), None);
        upkeep.news(at(0), NEVER);
        assert_eq!(upkeep.alarm([Some(at(600_000))]), Some(at(COPY_AFTER_MS)));
        upkeep.news(at(500), NEVER);
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
        upkeep.news(at(0), NEVER);
        assert!(upkeep.take_copy(at(COPY_AFTER_MS)) && !upkeep.take_copy(at(COPY_AFTER_MS)));
        assert!(!upkeep.take_compaction(at(COMPACT_AFTER_MS - 1)));
        assert!(upkeep.take_compaction(at(COMPACT_AFTER_MS)) && !upkeep.take_compaction(at(COMPACT_AFTER_MS)));
        assert_eq!(upkeep.alarm([]), None, "an idle object sleeps");
        upkeep.compact_again(at(0));
        assert_eq!(upkeep.alarm([]), Some(at(1_000)));
        assert_eq!(upkeep.return_at(), at(RETURN_AFTER_MS));
    }
}
