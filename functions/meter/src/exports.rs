//! How far the ledger was copied to the analytics database.
//!
//! Rows are sent through a queue and confirmed by whoever wrote them. Until then they are sent again, with growing
//! pauses: nothing is lost when the queue or the database is away. Only one window of rows is on its way at a time, so
//! neither this object's memory nor the queue grows with the backlog; the ledger itself is the backlog.

use std::collections::BTreeMap;

use tollgate_domain::time::Timestamp;
use worker::{Result, SqlStorage, SqlStorageValue};

use crate::columns::{number, rows, run};

/// The longest pause before rows that were not confirmed are sent again.
const LONGEST_PAUSE_MS: i64 = 60 * 60 * 1_000;

/// The pause before the first repetition.
const FIRST_PAUSE_MS: i64 = 60 * 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exports {
    /// The analytics copy has all rows up to this one.
    pub confirmed: u64,
    /// All rows up to this one were sent.
    pub sent: u64,
    sent_at: Timestamp,
    attempts: u32,
    /// No row up to this one is to be sent but those that were. In memory only: at worst it is looked for again.
    barren: u64,
    /// Messages that overtook one that is still missing. In memory only: at worst they are sent again.
    ahead: BTreeMap<u64, u64>,
    /// There were more rows than a window takes. In memory only: a start looks anyway.
    pub more: bool,
}

impl Exports {
    /// When rows were sent last.
    pub const fn sent_at(&self) -> Timestamp {
        self.sent_at
    }

    pub fn open(sql: &SqlStorage) -> Result<Self> {
        sql.exec(
            "CREATE TABLE IF NOT EXISTS exports (
               id INTEGER PRIMARY KEY CHECK (id = 1), confirmed INTEGER NOT NULL, sent INTEGER NOT NULL, sent_at INTEGER NOT NULL, attempts INTEGER NOT NULL
             );",
            None,
        )?;
        let Some(row) = rows(sql, "SELECT confirmed, sent, sent_at, attempts FROM exports", vec![])?.next() else {
            return Ok(Self::default());
        };
        let mut row = row?;
        Ok(Self {
            confirmed: row.number()?,
            sent: row.number()?,
            sent_at: row.instant()?,
            attempts: u32::try_from(row.number()?).unwrap_or(u32::MAX),
            barren: 0,
            ahead: BTreeMap::new(),
            more: false,
        })
    }

    pub fn save(&self, sql: &SqlStorage) -> Result<()> {
        run(
            sql,
            "INSERT OR REPLACE INTO exports (id, confirmed, sent, sent_at, attempts) VALUES (1, ?, ?, ?, ?)",
            vec![
                number(self.confirmed),
                number(self.sent),
                SqlStorageValue::Integer(self.sent_at.as_millis()),
                SqlStorageValue::Integer(i64::from(self.attempts)),
            ],
        )
    }

    /// Whether rows are on their way.
    pub const fn is_waiting(&self) -> bool {
        self.sent > self.confirmed
    }

    /// When the rows that are on their way are to be sent again; `None` when there are none.
    pub fn retry_at(&self) -> Option<Timestamp> {
        let doublings = self.attempts.saturating_sub(1).min(10);
        let pause = FIRST_PAUSE_MS.saturating_mul(1 << doublings).min(LONGEST_PAUSE_MS);
        self.is_waiting().then(|| self.sent_at.plus_millis(pause))
    }

    /// Rows after which one is to be sent at an instant; `None` while others are on their way.
    pub fn send_after(&self, now: Timestamp) -> Option<u64> {
        // Sent on a clock that was ahead: nobody waits until then.
        let is_ahead = now.plus_millis(LONGEST_PAUSE_MS) < self.sent_at;
        (is_ahead || self.retry_at().is_none_or(|at| at <= now)).then_some(self.confirmed)
    }

    /// Nothing after what is confirmed is to be sent, up to this row: the next look begins there, so that its cost does
    /// not grow with rows of no interest to the copy.
    pub fn nothing_up_to(&mut self, seq: u64) {
        self.barren = self.barren.max(seq);
    }

    /// Rows after which what is not confirmed is found.
    pub fn look_after(&self, seq: u64) -> u64 {
        seq.max(self.barren)
    }

    /// Rows up to this one were handed to the queue.
    pub fn sent(&mut self, through: u64, now: Timestamp) {
        self.attempts = if self.is_waiting() { self.attempts.saturating_add(1) } else { 1 };
        self.sent = through;
        self.sent_at = now;
    }

    /// The analytics copy has these rows: after the first number of each pair, up to the second. Messages may come in any
    /// order and more than once; what is confirmed has no gap.
    pub fn confirm(&mut self, arrived: Vec<(u64, u64)>) {
        self.ahead.extend(arrived);
        while let Some(first) = self.ahead.first_entry()
            && *first.key() <= self.confirmed
        {
            self.confirmed = self.confirmed.max(first.remove());
        }
        if !self.is_waiting() {
            self.ahead.clear();
            self.sent = self.confirmed;
            self.attempts = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn one_window_at_a_time_and_again_with_growing_pauses() {
        let mut exports = Exports::default();
        assert_eq!(exports.send_after(at(0)), Some(0));
        exports.sent(10, at(0));
        assert_eq!(exports.send_after(at(59_999)), None);
        assert_eq!(exports.send_after(at(60_000)), Some(0));
        exports.sent(10, at(60_000));
        assert_eq!(exports.retry_at(), Some(at(180_000)));
        for _ in 0..40 {
            exports.sent(12, at(0));
        }
        assert_eq!(exports.retry_at(), Some(at(LONGEST_PAUSE_MS)));
        exports.confirm(vec![(0, 12)]);
        assert_eq!((exports.retry_at(), exports.send_after(at(0))), (None, Some(12)));
        exports.sent(20, at(0));
        assert_eq!(exports.retry_at(), Some(at(FIRST_PAUSE_MS)), "the pauses start again");
    }

    #[test]
    fn what_is_of_no_interest_is_looked_at_once() {
        let mut exports = Exports::default();
        assert_eq!(exports.look_after(0), 0);
        exports.nothing_up_to(1_000);
        assert_eq!((exports.send_after(at(0)), exports.look_after(0)), (Some(0), 1_000));
        exports.sent(1_010, at(0));
        exports.confirm(vec![(0, 1_010)]);
        assert_eq!(exports.look_after(exports.confirmed), 1_010);
    }

    #[test]
    fn a_confirmation_may_come_late_doubled_or_in_parts() {
        let mut exports = Exports::default();
        exports.sent(10, at(0));
        exports.confirm(vec![(0, 4)]);
        assert_eq!((exports.is_waiting(), exports.send_after(at(1))), (true, None));
        // The last message overtakes: what is missing between is not taken for granted.
        exports.confirm(vec![(7, 10)]);
        assert_eq!((exports.confirmed, exports.is_waiting()), (4, true));
        exports.confirm(vec![(4, 7), (0, 4)]);
        assert_eq!((exports.confirmed, exports.is_waiting()), (10, false));
        // One for a window that was sent again under another length.
        exports.confirm(vec![(8, 15)]);
        assert_eq!((exports.confirmed, exports.sent), (15, 15));
    }
}
