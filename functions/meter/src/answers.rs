//! Answers kept under idempotency keys, so that a retry is the same answer.

use tollgate_domain::{id::ReservationId, meter::IDEMPOTENCY_WINDOW_MS, time::Timestamp};
use tollgate_platform::meter::Answer;
use worker::{Result, SqlStorage, SqlStorageValue};

use crate::columns::{number, rows, run};

/// The largest answer that is kept: SQLite takes rows of 2 MB here.
pub const MAX_KEPT_ANSWER_BYTES: usize = 1_500_000;

pub struct Answers(SqlStorage);

impl Answers {
    pub fn open(sql: SqlStorage) -> Result<Self> {
        sql.exec(
            "CREATE TABLE IF NOT EXISTS answers (
               reservation TEXT PRIMARY KEY, at INTEGER NOT NULL, status INTEGER NOT NULL, content_type TEXT NOT NULL,
               body TEXT NOT NULL, cost_microusd INTEGER
             ) WITHOUT ROWID;
             CREATE INDEX IF NOT EXISTS answers_at ON answers (at);",
            None,
        )?;
        Ok(Self(sql))
    }

    /// Keeps the first answer of a reservation and drops those whose time is over at `earliest`, the instant that the clock
    /// may come back to.
    pub fn keep(&self, reservation: ReservationId, at: Timestamp, earliest: Timestamp, answer: &Answer) -> Result<()> {
        let horizon = earliest.plus_millis(-IDEMPOTENCY_WINDOW_MS).as_millis();
        run(&self.0, "DELETE FROM answers WHERE at < ?", vec![SqlStorageValue::Integer(horizon)])?;
        run(
            &self.0,
            "INSERT OR IGNORE INTO answers (reservation, at, status, content_type, body, cost_microusd) VALUES (?, ?, ?, ?, ?, ?)",
            vec![
                reservation.to_string().into(),
                SqlStorageValue::Integer(at.as_millis()),
                SqlStorageValue::Integer(i64::from(answer.status)),
                answer.content_type.clone().into(),
                // As it is, not as JSON: the limit is on what is stored.
                answer.body.clone().into(),
                answer.cost_microusd.map_or(SqlStorageValue::Null, number),
            ],
        )
    }

    pub fn kept(&self, reservation: ReservationId) -> Result<Option<Answer>> {
        let query = "SELECT status, content_type, body, cost_microusd FROM answers WHERE reservation = ?";
        let Some(row) = rows(&self.0, query, vec![reservation.to_string().into()])?.next() else {
            return Ok(None);
        };
        let mut row = row?;
        Ok(Some(Answer {
            status: u16::try_from(row.number()?).unwrap_or(200),
            content_type: row.text()?,
            body: row.text()?,
            cost_microusd: row.optional_number()?,
        }))
    }
}
