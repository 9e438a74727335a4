//! Answers kept under idempotency keys, so that a retry is the same answer.

use tollgate_domain::{id::ReservationId, meter::IDEMPOTENCY_WINDOW_MS, time::Timestamp};
use tollgate_platform::meter::Answer;
use worker::{Result, SqlStorage, SqlStorageValue};

use crate::columns::rows;

/// The largest answer that is kept: SQLite takes rows of 2 MB here.
pub const MAX_KEPT_ANSWER_BYTES: usize = 1_500_000;

pub struct Answers(SqlStorage);

impl Answers {
    pub fn open(sql: SqlStorage) -> Result<Self> {
        sql.exec(
            "CREATE TABLE IF NOT EXISTS answers (
               reservation TEXT PRIMARY KEY, at INTEGER NOT NULL, answer TEXT NOT NULL
             ) WITHOUT ROWID;
             CREATE INDEX IF NOT EXISTS answers_at ON answers (at);",
            None,
        )?;
        Ok(Self(sql))
    }

    /// Keeps the first answer of a reservation and drops those whose time is over.
    pub fn keep(&self, reservation: ReservationId, at: Timestamp, answer: &Answer) -> Result<()> {
        let horizon = at.plus_millis(-IDEMPOTENCY_WINDOW_MS).as_millis();
        self.0.exec("DELETE FROM answers WHERE at < ?", vec![SqlStorageValue::Integer(horizon)])?;
        self.0.exec(
            "INSERT OR IGNORE INTO answers (reservation, at, answer) VALUES (?, ?, ?)",
            vec![
                reservation.to_string().into(),
                SqlStorageValue::Integer(at.as_millis()),
                serde_json::to_string(answer)?.into(),
            ],
        )?;
        Ok(())
    }

    pub fn kept(&self, reservation: ReservationId) -> Result<Option<Answer>> {
        let query = "SELECT answer FROM answers WHERE reservation = ?";
        let Some(row) = rows(&self.0, query, vec![reservation.to_string().into()])?.next() else {
            return Ok(None);
        };
        row?.json().map(Some)
    }
}
