//! Statements about Stripe's events: the table has no tenant, for whose an event is, is found out when it is processed.

use serde::Deserialize;
use tollgate_domain::{id::Shard, stripe_api::Event, time::Timestamp};

use super::database::{Database, Param, Statement, StoreError, bound};
use crate::Scope;

/// Statements of this repository.
#[rustfmt::skip] // one line a statement: whoever adds one changes no other line
pub const STATEMENTS: &[Statement] = &[
    ACCEPT,
    ONE,
    FINISH,
    FAIL,
    WAITING,
    QUEUED,
    LIST,
    REPLAY,
];

// Whose event it is, is found out later; that it came is stored before Stripe is answered.
const ACCEPT: Statement = Statement {
    name: "directory_stripe_events.accept",
    sql: "INSERT OR IGNORE INTO stripe_events (event_id, kind, subscription_id, customer_id, received_at, status, queued_at, invoice_id, payment_id) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5, ?7, ?8)",
};

// The queue brings an event's id: nobody's rows are in the table.
const ONE: Statement = Statement {
    name: "directory_stripe_events.one",
    sql: "SELECT seq, event_id, kind, subscription_id, customer_id, invoice_id, payment_id, received_at, status, attempts, applied, finished_at, note \
          FROM stripe_events WHERE event_id = ?1",
};

// The same table: an event is finished once, whoever tries.
const FINISH: Statement = Statement {
    name: "directory_stripe_events.finish",
    sql: "UPDATE stripe_events SET status = ?2, note = ?3, finished_at = ?4, applied = applied + ?5 \
          WHERE event_id = ?1 AND status = 'pending'",
};

// The same table: an event that could not be processed is tried again at an instant.
const FAIL: Statement = Statement {
    name: "directory_stripe_events.fail",
    sql: "UPDATE stripe_events SET attempts = attempts + 1, note = ?2, queued_at = ?3 WHERE event_id = ?1 AND status = 'pending'",
};

// The same table: events that the queue has lost, or never got.
const WAITING: Statement = Statement {
    name: "directory_stripe_events.waiting",
    sql: "SELECT event_id FROM stripe_events WHERE status = 'pending' AND (queued_at < ?1 OR queued_at > ?3) \
          ORDER BY queued_at LIMIT ?2",
};

// The same table: the event is with the queue again.
const QUEUED: Statement = Statement {
    name: "directory_stripe_events.queued",
    sql: "UPDATE stripe_events SET queued_at = ?2 WHERE event_id = ?1 AND status = 'pending'",
};

// The same table, for an operator, newest first.
const LIST: Statement = Statement {
    name: "directory_stripe_events.list",
    sql: "SELECT seq, event_id, kind, subscription_id, customer_id, invoice_id, payment_id, received_at, status, attempts, applied, finished_at, note \
          FROM stripe_events WHERE (?1 IS NULL OR status = ?1) AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
};

// The same table, for an operator: an event is processed as if it had just come.
const REPLAY: Statement = Statement {
    name: "directory_stripe_events.replay",
    sql: "UPDATE stripe_events SET status = 'pending', attempts = 0, note = NULL, finished_at = NULL, queued_at = ?2 \
          WHERE event_id = ?1 AND status <> 'pending'",
};

/// An event of Stripe's as it is stored.
#[derive(Debug, Clone, Deserialize)]
pub struct EventRow {
    /// Its number here.
    pub seq: i64,
    /// `evt_...`.
    pub event_id: String,
    /// `customer.subscription.updated` and so on.
    pub kind: String,
    /// `sub_...`.
    pub subscription_id: Option<String>,
    /// `cus_...`.
    pub customer_id: Option<String>,
    /// `in_...`.
    pub invoice_id: Option<String>,
    /// `ch_...`, `py_...` or `pi_...`.
    pub payment_id: Option<String>,
    /// Milliseconds.
    pub received_at: i64,
    /// `pending`, `done`, `ignored` or `dead`.
    pub status: String,
    /// How often it could not be processed.
    pub attempts: u32,
    /// How often it was applied.
    pub applied: u32,
    /// Milliseconds.
    pub finished_at: Option<i64>,
    /// Why it is ignored or dead.
    pub note: Option<String>,
}

/// How an event ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventEnd {
    /// It was processed.
    Done,
    /// It says nothing here.
    Ignored,
    /// It cannot be processed: an operator looks at it.
    Dead,
}

impl EventEnd {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Ignored => "ignored",
            Self::Dead => "dead",
        }
    }
}

fn events_of(scope: &Scope) -> Result<Database<'_>, StoreError> {
    Database::of(scope, Shard::FIRST)
}

/// Stores an event; answers whether it is new.
///
/// # Errors
/// When the database cannot be written.
pub async fn accept(scope: &Scope, event: &Event) -> Result<bool, StoreError> {
    let subject = event.subject.as_ref();
    let params = bound(&[
        Param::Text(&event.id),
        Param::Text(&event.kind),
        subject.and_then(|subject| subject.subscription.as_deref()).into(),
        subject.and_then(|subject| subject.customer.as_deref()).into(),
        Param::Int(scope.now().as_millis()),
        Param::Text(if subject.is_some() { "pending" } else { "ignored" }),
        subject.and_then(|subject| subject.invoice.as_deref()).into(),
        subject.and_then(|subject| subject.payment.as_deref()).into(),
    ]);
    let changed = events_of(scope)?.batch(&[(ACCEPT, params)]).await?;
    Ok(changed.first() == Some(&1))
}

/// An event.
///
/// # Errors
/// When the database cannot be read.
pub async fn one(scope: &Scope, id: &str) -> Result<Option<EventRow>, StoreError> {
    Ok(events_of(scope)?.all(ONE, &bound(&[Param::Text(id)])).await?.into_iter().next())
}

/// Ends an event, once.
///
/// # Errors
/// When the database cannot be written.
pub async fn finish(scope: &Scope, id: &str, end: EventEnd, note: Option<&str>) -> Result<(), StoreError> {
    let params = bound(&[
        Param::Text(id),
        Param::Text(end.as_str()),
        note.into(),
        Param::Int(scope.now().as_millis()),
        Param::Int(i64::from(end == EventEnd::Done)),
    ]);
    events_of(scope)?.batch(&[(FINISH, params)]).await.map(drop)
}

/// Notes that an event could not be processed and is tried again at an instant.
///
/// # Errors
/// When the database cannot be written.
pub async fn fail(scope: &Scope, id: &str, note: &str, again_at: Timestamp) -> Result<(), StoreError> {
    let params = bound(&[Param::Text(id), Param::Text(note), Param::Int(again_at.as_millis())]);
    events_of(scope)?.batch(&[(FAIL, params)]).await.map(drop)
}

#[derive(Deserialize)]
struct EventId {
    event_id: String,
}

/// Events that should have been processed by an instant, at most `limit`; those that were queued on a clock that was ahead, too.
///
/// # Errors
/// When the database cannot be read.
pub async fn waiting(scope: &Scope, before: Timestamp, limit: u32) -> Result<Vec<String>, StoreError> {
    // A retry is put off by less than a day.
    let ahead = scope.now().plus_days(1);
    let params = bound(&[Param::Int(before.as_millis()), Param::Int(i64::from(limit)), Param::Int(ahead.as_millis())]);
    let rows: Vec<EventId> = events_of(scope)?.all(WAITING, &params).await?;
    Ok(rows.into_iter().map(|row| row.event_id).collect())
}

/// Notes that events are with the queue.
///
/// # Errors
/// When the database cannot be written.
pub async fn queued(scope: &Scope, ids: &[String]) -> Result<(), StoreError> {
    let now = Param::Int(scope.now().as_millis());
    let writes: Vec<_> = ids.iter().map(|id| (QUEUED, bound(&[Param::Text(id), now]))).collect();
    events_of(scope)?.batch(&writes).await.map(drop)
}

/// Events of a status, or all, newest first, those before a number.
///
/// # Errors
/// When the database cannot be read.
pub async fn list(
    scope: &Scope,
    status: Option<&str>,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<EventRow>, StoreError> {
    let params = bound(&[status.into(), Param::Int(before.unwrap_or(1 << 52)), Param::Int(i64::from(limit))]);
    events_of(scope)?.all(LIST, &params).await
}

/// Has an event processed again; answers whether there is one that is not waiting anyway.
///
/// # Errors
/// When the database cannot be written.
pub async fn replay(scope: &Scope, id: &str) -> Result<bool, StoreError> {
    let params = bound(&[Param::Text(id), Param::Int(scope.now().as_millis())]);
    let changed = events_of(scope)?.batch(&[(REPLAY, params)]).await?;
    Ok(changed.first() == Some(&1))
}
