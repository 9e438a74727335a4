//! The object's SQLite: an append-only ledger, a checkpoint of the state it adds up to, and kept answers.

use tollgate_domain::{
    id::ReservationId,
    ledger::Hash,
    meter::{Event, IDEMPOTENCY_WINDOW_MS, Prior, State},
    time::Timestamp,
};
use tollgate_platform::meter::{Answer, LogRow};
use worker::{Error, Result, SqlStorage, SqlStorageValue};

/// After how many rows a checkpoint is written: a bound on what a cold start replays.
pub const CHECKPOINT_EVERY: u64 = 128;

/// The largest answer that is kept: SQLite takes rows of 2 MB here.
pub const MAX_KEPT_ANSWER_BYTES: usize = 1_500_000;

/// Rows of one INSERT: six parameters each, a hundred at most.
const ROWS_PER_INSERT: usize = 16;

/// A row that is to be appended.
pub struct NewRow {
    pub seq: u64,
    pub at: Timestamp,
    pub kind: &'static str,
    pub key: Option<String>,
    pub body: String,
    pub hash: Hash,
}

/// What a cold start finds.
pub struct Loaded {
    pub state: State,
    pub seq: u64,
    pub head: Hash,
    pub rows_since_checkpoint: u64,
}

pub struct LedgerStore(SqlStorage);

impl LedgerStore {
    pub fn open(sql: SqlStorage) -> Result<Self> {
        sql.exec(
            "CREATE TABLE IF NOT EXISTS ledger (
               seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, key TEXT, body TEXT NOT NULL, hash TEXT NOT NULL
             );
             CREATE INDEX IF NOT EXISTS ledger_key ON ledger (key) WHERE key IS NOT NULL;
             CREATE TABLE IF NOT EXISTS checkpoint (
               id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL, state TEXT NOT NULL
             );
             CREATE TABLE IF NOT EXISTS answers (
               reservation TEXT PRIMARY KEY, at INTEGER NOT NULL, status INTEGER NOT NULL, content_type TEXT NOT NULL,
               body TEXT NOT NULL, cost_microusd INTEGER
             ) WITHOUT ROWID;
             CREATE INDEX IF NOT EXISTS ledger_late ON ledger (kind) WHERE kind IN ('settled_late', 'released_late');
             CREATE INDEX IF NOT EXISTS answers_at ON answers (at);",
            None,
        )?;
        Ok(Self(sql))
    }

    /// The state: the latest checkpoint and the rows after it.
    pub fn load(&self) -> Result<Loaded> {
        let mut loaded = Loaded { state: State::default(), seq: 0, head: Hash::GENESIS, rows_since_checkpoint: 0 };
        if let Some(row) = self.rows("SELECT seq, hash, state FROM checkpoint", vec![])?.next() {
            let mut row = Columns(row?.into_iter());
            loaded.seq = row.number()?;
            loaded.head = row.hash()?;
            loaded.state = row.json()?;
        }
        let after = number(loaded.seq);
        for row in self.rows("SELECT seq, at, body, hash FROM ledger WHERE seq > ? ORDER BY seq", vec![after])? {
            let mut row = Columns(row?.into_iter());
            loaded.seq = row.number()?;
            let at = row.instant()?;
            let event: Event = row.json()?;
            loaded.head = row.hash()?;
            loaded.state.apply(at, &event);
            loaded.rows_since_checkpoint += 1;
        }
        Ok(loaded)
    }

    /// Appends rows; they become durable together, before any answer leaves the object.
    pub fn append(&self, rows: Vec<NewRow>) -> Result<()> {
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let mut values = Vec::with_capacity(6);
            let mut count = 0;
            for row in rows.by_ref().take(ROWS_PER_INSERT) {
                count += 1;
                values.extend([
                    number(row.seq),
                    SqlStorageValue::Integer(row.at.as_millis()),
                    SqlStorageValue::String(row.kind.to_owned()),
                    row.key.into(),
                    SqlStorageValue::String(row.body),
                    SqlStorageValue::String(row.hash.to_string()),
                ]);
            }
            let mut sql = String::from("INSERT INTO ledger (seq, at, kind, key, body, hash) VALUES (?,?,?,?,?,?)");
            for _ in 1..count {
                sql.push_str(",(?,?,?,?,?,?)");
            }
            self.0.exec(&sql, values)?;
        }
        Ok(())
    }

    pub fn checkpoint(&self, seq: u64, head: Hash, state: &State) -> Result<()> {
        let state = serde_json::to_string(state)?;
        self.0.exec(
            "INSERT OR REPLACE INTO checkpoint (id, seq, hash, state) VALUES (1, ?, ?, ?)",
            vec![number(seq), head.to_string().into(), state.into()],
        )?;
        Ok(())
    }

    /// What was decided under a key last; `None` also when that was released since.
    pub fn prior(&self, key: &str) -> Result<Option<Prior>> {
        let query = "SELECT at, body FROM ledger WHERE key = ? ORDER BY seq DESC LIMIT 1";
        let Some(row) = self.rows(query, vec![key.into()])?.next() else {
            return Ok(None);
        };
        let mut row = Columns(row?.into_iter());
        let (at, event) = (row.instant()?, row.json()?);
        Ok((!matches!(event, Event::Released { .. } | Event::ReleasedLate { .. })).then_some(Prior { at, event }))
    }

    /// Keeps the first answer of a reservation and drops those whose time is over.
    pub fn keep_answer(&self, reservation: ReservationId, at: Timestamp, answer: &Answer) -> Result<()> {
        let horizon = at.plus_millis(-IDEMPOTENCY_WINDOW_MS).as_millis();
        self.0.exec("DELETE FROM answers WHERE at < ?", vec![SqlStorageValue::Integer(horizon)])?;
        self.0.exec(
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
        )?;
        Ok(())
    }

    pub fn kept_answer(&self, reservation: ReservationId) -> Result<Option<Answer>> {
        let query = "SELECT status, content_type, body, cost_microusd FROM answers WHERE reservation = ?";
        let Some(row) = self.rows(query, vec![reservation.to_string().into()])?.next() else {
            return Ok(None);
        };
        let mut row = Columns(row?.into_iter());
        Ok(Some(Answer {
            status: u16::try_from(row.number()?).unwrap_or(200),
            content_type: row.text()?,
            body: row.text()?,
            cost_microusd: row.optional_number()?,
        }))
    }

    /// Rows of the usage log, newest first.
    pub fn log(&self, before: Option<u64>, limit: u32) -> Result<Vec<LogRow>> {
        // An expired hold that was settled or given back after all has its later row only.
        let query = "SELECT seq, at, body FROM ledger \
            WHERE kind IN ('settled', 'settled_late', 'expired') AND seq < ? \
              AND NOT (kind = 'expired' AND body ->> '$.data.id' IN ( \
                SELECT body ->> '$.data.id' FROM ledger WHERE kind IN ('settled_late', 'released_late'))) \
            ORDER BY seq DESC LIMIT ?";
        let before = before.map_or(SqlStorageValue::Float(9e15), number);
        let mut log = Vec::new();
        for row in self.rows(query, vec![before, SqlStorageValue::Integer(i64::from(limit))])? {
            let mut row = Columns(row?.into_iter());
            let (seq, at) = (row.number()?, row.instant()?);
            match row.json()? {
                Event::Settled(settle) | Event::SettledLate(settle) => {
                    log.push(LogRow { seq, at, id: settle.id, amounts: settle.amounts, detail: settle.detail });
                }
                Event::Expired { id, amounts } => {
                    let detail = tollgate_domain::meter::UsageDetail {
                        outcome: "expired".into(),
                        estimated: true,
                        ..Default::default()
                    };
                    log.push(LogRow { seq, at, id, amounts, detail });
                }
                _ => {}
            }
        }
        Ok(log)
    }

    fn rows(
        &self,
        query: &str,
        values: Vec<SqlStorageValue>,
    ) -> Result<impl Iterator<Item = Result<Vec<SqlStorageValue>>> + use<>> {
        Ok(self.0.exec(query, values)?.raw())
    }
}

/// Integers here are counters and milliseconds, far below 2^53.
fn number(value: u64) -> SqlStorageValue {
    SqlStorageValue::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

/// A row's columns in order; a wrong type is a fault of ours and said to be one.
struct Columns(std::vec::IntoIter<SqlStorageValue>);

impl Columns {
    fn integer(&mut self) -> Result<i64> {
        match self.0.next() {
            Some(SqlStorageValue::Integer(value)) => Ok(value),
            other => Err(unexpected(other.as_ref())),
        }
    }

    fn text(&mut self) -> Result<String> {
        match self.0.next() {
            Some(SqlStorageValue::String(text)) => Ok(text),
            other => Err(unexpected(other.as_ref())),
        }
    }

    fn number(&mut self) -> Result<u64> {
        self.integer().map(i64::unsigned_abs)
    }

    fn optional_number(&mut self) -> Result<Option<u64>> {
        match self.0.next() {
            Some(SqlStorageValue::Null) => Ok(None),
            Some(SqlStorageValue::Integer(value)) => Ok(Some(value.unsigned_abs())),
            other => Err(unexpected(other.as_ref())),
        }
    }

    fn instant(&mut self) -> Result<Timestamp> {
        self.integer().map(Timestamp::from_millis)
    }

    fn hash(&mut self) -> Result<Hash> {
        Hash::parse(&self.text()?).ok_or_else(|| Error::RustError("a stored hash is not 64 hexadecimal digits".into()))
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T> {
        Ok(serde_json::from_str(&self.text()?)?)
    }
}

fn unexpected(value: Option<&SqlStorageValue>) -> Error {
    Error::RustError(format!("unexpected column: {value:?}"))
}
