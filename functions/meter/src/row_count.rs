//! How many rows SQLite read and wrote for a call: what the bill is made of, and what tests assert.
//!
//! Only a call that is counted pays for it, and calls are counted in the local environment only.

use std::{cell::Cell, future::poll_fn, pin::pin};

use worker::SqlCursor;

/// Rows of the statements of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowCount {
    pub read: usize,
    pub written: usize,
}

thread_local! {
    /// The count of the call that runs at the moment; `None` when it is not counted.
    static RUNNING: Cell<Option<RowCount>> = const { Cell::new(None) };
}

/// Carries work out and counts its rows. A statement is never interrupted, so calls that wait for something in between
/// are told apart.
pub async fn counted<T>(work: impl Future<Output = T>) -> (T, RowCount) {
    let mut work = pin!(work);
    let mut rows = RowCount::default();
    let done = poll_fn(|context| {
        RUNNING.set(Some(rows));
        let polled = work.as_mut().poll(context);
        rows = RUNNING.take().unwrap_or(rows);
        polled
    })
    .await;
    (done, rows)
}

/// Adds what a statement has read and written until now; called when nothing more is asked of it.
pub fn add(cursor: &SqlCursor) {
    if let Some(RowCount { read, written }) = RUNNING.get() {
        RUNNING.set(Some(RowCount { read: read + cursor.rows_read(), written: written + cursor.rows_written() }));
    }
}
