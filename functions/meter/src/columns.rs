//! Running statements, and reading the columns of a row in order.

use serde::de::DeserializeOwned;
use tollgate_domain::{ledger::Hash, time::Timestamp};
use worker::{Error, Result, SqlCursor, SqlCursorRawIterator, SqlStorage, SqlStorageValue};

use crate::row_count;

/// A row's columns; a wrong type is a fault of ours and said to be one.
pub struct Columns(std::vec::IntoIter<SqlStorageValue>);

/// The rows of a query, read as they are asked for.
pub fn rows(
    sql: &SqlStorage,
    query: &str,
    values: Vec<SqlStorageValue>,
) -> Result<impl Iterator<Item = Result<Columns>> + use<>> {
    let cursor = sql.exec(query, values)?;
    let reading = Reading { rows: cursor.raw(), cursor };
    Ok(reading.map(|row| row.map(|row| Columns(row.into_iter()))))
}

/// Runs a statement that answers no rows.
pub fn run(sql: &SqlStorage, query: &str, values: Vec<SqlStorageValue>) -> Result<()> {
    row_count::add(&sql.exec(query, values)?);
    Ok(())
}

/// A query that is being read. How much SQLite read for it is known when nobody reads on.
struct Reading {
    rows: SqlCursorRawIterator,
    cursor: SqlCursor,
}

impl Iterator for Reading {
    type Item = Result<Vec<SqlStorageValue>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next()
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        row_count::add(&self.cursor);
    }
}

/// Integers here are counters and milliseconds, far below 2^53.
pub fn number(value: u64) -> SqlStorageValue {
    SqlStorageValue::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

impl Columns {
    pub fn integer(&mut self) -> Result<i64> {
        match self.0.next() {
            Some(SqlStorageValue::Integer(value)) => Ok(value),
            other => Err(unexpected(other.as_ref())),
        }
    }

    pub fn text(&mut self) -> Result<String> {
        match self.0.next() {
            Some(SqlStorageValue::String(text)) => Ok(text),
            other => Err(unexpected(other.as_ref())),
        }
    }

    pub fn number(&mut self) -> Result<u64> {
        self.integer().map(i64::unsigned_abs)
    }

    pub fn optional_number(&mut self) -> Result<Option<u64>> {
        match self.0.next() {
            Some(SqlStorageValue::Null) => Ok(None),
            Some(SqlStorageValue::Integer(value)) => Ok(Some(value.unsigned_abs())),
            other => Err(unexpected(other.as_ref())),
        }
    }

    pub fn instant(&mut self) -> Result<Timestamp> {
        self.integer().map(Timestamp::from_millis)
    }

    pub fn hash(&mut self) -> Result<Hash> {
        Hash::parse(&self.text()?).ok_or_else(|| Error::RustError("a stored hash is not 64 hexadecimal digits".into()))
    }

    pub fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        Ok(serde_json::from_str(&self.text()?)?)
    }
}

fn unexpected(value: Option<&SqlStorageValue>) -> Error {
    Error::RustError(format!("unexpected column: {value:?}"))
}
