//! What a request cost: counted where it happens, asserted in tests, and the same thing the bill is made of.
//!
//! Each function keeps the counters of its latest requests in memory, in the local environment only;
//! `GET /__dev/cost/{request_id}` at the gateway adds up what the functions answer.

use std::{cell::Cell, cell::RefCell, collections::VecDeque, rc::Rc};

use serde::{Deserialize, Serialize};

/// Counts of one request in one function.
#[derive(Debug, Default)]
pub struct Cost {
    counts: Cell<Counts>,
}

/// The figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Calls of a Durable Object.
    pub durable_object_calls: u32,
    /// Rows the SQLite of the objects that were called read for it.
    #[serde(default)]
    pub meter_rows_read: u32,
    /// Rows it wrote, those of indexes too.
    #[serde(default)]
    pub meter_rows_written: u32,
    /// Statements sent to D1.
    pub d1_statements: u32,
    /// Rows D1 read for them.
    pub d1_rows_read: u32,
    /// Rows D1 wrote for them.
    pub d1_rows_written: u32,
    /// Reads of KV.
    pub kv_reads: u32,
    /// Writes to KV.
    pub kv_writes: u32,
    /// HTTP requests to other parties.
    pub fetches: u32,
}

impl Counts {
    /// The sum, count by count.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            durable_object_calls: self.durable_object_calls + other.durable_object_calls,
            meter_rows_read: self.meter_rows_read + other.meter_rows_read,
            meter_rows_written: self.meter_rows_written + other.meter_rows_written,
            d1_statements: self.d1_statements + other.d1_statements,
            d1_rows_read: self.d1_rows_read + other.d1_rows_read,
            d1_rows_written: self.d1_rows_written + other.d1_rows_written,
            kv_reads: self.kv_reads + other.kv_reads,
            kv_writes: self.kv_writes + other.kv_writes,
            fetches: self.fetches + other.fetches,
        }
    }
}

impl Cost {
    /// Adds to the counts.
    pub fn add(&self, more: Counts) {
        self.counts.set(self.counts.get().plus(more));
    }

    /// A call of a Durable Object.
    pub fn durable_object_call(&self) {
        self.add(Counts { durable_object_calls: 1, ..Counts::default() });
    }

    /// An HTTP request to another party.
    pub fn fetch(&self) {
        self.add(Counts { fetches: 1, ..Counts::default() });
    }

    /// What has been counted so far.
    pub fn counts(&self) -> Counts {
        self.counts.get()
    }
}

/// How many requests a function remembers.
const REMEMBERED: usize = 2_000;

thread_local! {
    static LATEST: RefCell<VecDeque<(String, Rc<Cost>)>> = const { RefCell::new(VecDeque::new()) };
}

/// Remembers a request's counters; what is counted after the answer still shows.
pub(crate) fn remember(request_id: String, cost: Rc<Cost>) {
    LATEST.with_borrow_mut(|latest| {
        if latest.len() == REMEMBERED {
            latest.pop_front();
        }
        latest.push_back((request_id, cost));
    });
}

/// What this function remembers of a request.
pub(crate) fn recall(request_id: &str) -> Option<Counts> {
    LATEST.with_borrow(|latest| latest.iter().rev().find(|(id, _)| id == request_id).map(|(_, cost)| cost.counts()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_made_after_the_answer_still_show_and_old_requests_are_forgotten() {
        let cost = Rc::new(Cost::default());
        remember("req_a".into(), Rc::clone(&cost));
        cost.durable_object_call();
        cost.fetch();
        let counts = recall("req_a").unwrap();
        assert_eq!((counts.durable_object_calls, counts.fetches, counts.d1_statements), (1, 1, 0));
        for number in 0..REMEMBERED {
            remember(number.to_string(), Rc::default());
        }
        assert_eq!(recall("req_a"), None);
    }
}
