//! An object's SQLite: an append-only ledger, and checkpoints of the state it adds up to.
//!
//! Two checkpoints are kept. The *latest* bounds what a cold start replays. The *base* stands for the rows that were
//! compacted away: its hash is what the first row that is left is chained to, so the chain stays verifiable.

use std::marker::PhantomData;

use tollgate_domain::{
    ledger::{Hash, Row, Verifier},
    time::Timestamp,
};
use worker::{Result, SqlStorage, SqlStorageValue};

use crate::{
    columns::{number, rows, run},
    machine::Machine,
};

/// After how many rows a checkpoint is written: a bound on what a cold start replays.
pub const CHECKPOINT_EVERY: u64 = 128;

/// Rows of one INSERT: six parameters each, a hundred at most.
const ROWS_PER_INSERT: usize = 16;

/// Rows compacted at a time: a bound on what one alarm does.
const ROWS_PER_COMPACTION: u64 = 2_000;

/// The kind of the row with which a clock comes back, in both machines' ledgers.
const CLOCK_RETURNED: &str = "clock_returned";

const BASE: i64 = 0;
const LATEST: i64 = 1;

/// A row that is to be appended.
pub struct NewRow {
    pub seq: u64,
    pub at: Timestamp,
    pub kind: &'static str,
    pub key: Option<String>,
    pub body: String,
    pub hash: Hash,
}

/// The state after some row.
pub struct Checkpoint<M> {
    pub state: M,
    pub seq: u64,
    pub head: Hash,
}

impl<M: Default> Default for Checkpoint<M> {
    fn default() -> Self {
        Self { state: M::default(), seq: 0, head: Hash::GENESIS }
    }
}

/// What a walk over the whole ledger found.
pub struct Verified<M> {
    /// Rows there ever were.
    pub rows: u64,
    pub head: Hash,
    /// The first row that does not fit the one before it.
    pub broken_at: Option<u64>,
    /// What the rows add up to.
    pub state: M,
}

pub struct LedgerStore<M> {
    sql: SqlStorage,
    machine: PhantomData<M>,
}

impl<M: Machine> LedgerStore<M> {
    pub fn open(sql: SqlStorage) -> Result<Self> {
        sql.exec(
            "CREATE TABLE IF NOT EXISTS ledger (
               seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, key TEXT, body TEXT NOT NULL, hash TEXT NOT NULL
             );
             CREATE INDEX IF NOT EXISTS ledger_key ON ledger (key) WHERE key IS NOT NULL;
             CREATE TABLE IF NOT EXISTS checkpoint (
               id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL, state TEXT NOT NULL
             );",
            None,
        )?;
        Ok(Self { sql, machine: PhantomData })
    }

    /// The state: the latest checkpoint and the rows after it; and how many these were.
    pub fn load(&self) -> Result<(Checkpoint<M>, u64)> {
        let mut loaded = match self.read_checkpoint(LATEST)? {
            Some(latest) => latest,
            None => self.read_checkpoint(BASE)?.unwrap_or_default(),
        };
        let from = loaded.seq;
        let query = "SELECT seq, at, body, hash FROM ledger WHERE seq > ? ORDER BY seq";
        for row in rows(&self.sql, query, vec![number(from)])? {
            let mut row = row?;
            loaded.seq = row.number()?;
            let (at, event) = (row.instant()?, row.json()?);
            loaded.head = row.hash()?;
            loaded.state.apply(at, &event);
        }
        let replayed = loaded.seq - from;
        Ok((loaded, replayed))
    }

    fn read_checkpoint(&self, id: i64) -> Result<Option<Checkpoint<M>>> {
        let query = "SELECT seq, hash, state FROM checkpoint WHERE id = ?";
        let Some(row) = rows(&self.sql, query, vec![SqlStorageValue::Integer(id)])?.next() else {
            return Ok(None);
        };
        let mut row = row?;
        Ok(Some(Checkpoint { seq: row.number()?, head: row.hash()?, state: row.json()? }))
    }

    fn write_checkpoint(&self, id: i64, seq: u64, head: Hash, state: &M) -> Result<()> {
        run(
            &self.sql,
            "INSERT OR REPLACE INTO checkpoint (id, seq, hash, state) VALUES (?, ?, ?, ?)",
            vec![
                SqlStorageValue::Integer(id),
                number(seq),
                head.to_string().into(),
                serde_json::to_string(state)?.into(),
            ],
        )
    }

    /// Remembers the state after the last row.
    pub fn checkpoint(&self, seq: u64, head: Hash, state: &M) -> Result<()> {
        self.write_checkpoint(LATEST, seq, head, state)
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
            run(&self.sql, &sql, values)?;
        }
        Ok(())
    }

    /// The last event that was written under a key, and when.
    pub fn by_key(&self, key: &str) -> Result<Option<(Timestamp, M::Event)>> {
        let query = "SELECT at, body FROM ledger WHERE key = ? ORDER BY seq DESC LIMIT 1";
        let Some(row) = rows(&self.sql, query, vec![key.into()])?.next() else {
            return Ok(None);
        };
        let mut row = row?;
        Ok(Some((row.instant()?, row.json()?)))
    }

    /// Events of some kinds after a row, oldest first, at most `limit`.
    pub fn of_kinds(&self, kinds: &str, after: u64, limit: u32) -> Result<Vec<(u64, Timestamp, M::Event)>> {
        let query =
            format!("SELECT seq, at, body FROM ledger WHERE seq > ? AND kind IN ({kinds}) ORDER BY seq LIMIT ?");
        let values = vec![number(after), SqlStorageValue::Integer(i64::from(limit))];
        rows(&self.sql, &query, values)?
            .map(|row| {
                let mut row = row?;
                Ok((row.number()?, row.instant()?, row.json()?))
            })
            .collect()
    }

    /// Walks the whole chain, from the base on, and adds it up.
    pub fn verify(&self) -> Result<Verified<M>> {
        let base = self.read_checkpoint(BASE)?.unwrap_or_default();
        let mut verifier = Verifier::after(base.seq, base.head);
        let mut state = base.state;
        for row in rows(&self.sql, "SELECT seq, at, body, hash FROM ledger ORDER BY seq", vec![])? {
            let mut row = row?;
            let (seq, at, body, hash) = (row.number()?, row.instant()?, row.text()?, row.hash()?);
            verifier.push(&Row { seq, at, body: &body, hash });
            // A row that is no event breaks the chain's sum, not the walk.
            if let Ok(event) = serde_json::from_str(&body) {
                state.apply(at, &event);
            }
        }
        let (rows, head, broken_at) = verifier.finish();
        Ok(Verified { rows, head, broken_at, state })
    }

    /// The row with which the clock came back, after one that was written ahead of it, where that is older than `before`.
    fn returned_after(&self, seq: u64, before: Timestamp) -> Result<Option<u64>> {
        let query = "SELECT seq, at FROM ledger WHERE seq > ? AND kind = ? ORDER BY seq LIMIT 1";
        let values = vec![number(seq), SqlStorageValue::String(CLOCK_RETURNED.to_owned())];
        let Some(row) = rows(&self.sql, query, values)?.next() else { return Ok(None) };
        let mut row = row?;
        let (returned, at) = (row.number()?, row.instant()?);
        Ok((at < before).then_some(returned))
    }

    /// Replaces rows up to `through` that are older than `before` by a checkpoint, a bounded number at a time. Says
    /// whether there are more. Rows after `now` are of a clock that was ahead: they are as old as its return.
    pub fn compact(&self, through: u64, before: Timestamp, now: Timestamp) -> Result<bool> {
        let mut base = self.read_checkpoint(BASE)?.unwrap_or_default();
        let from = base.seq;
        let mut ahead_through = 0;
        let query = "SELECT seq, at, body, hash FROM ledger WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?";
        let values = vec![number(from), number(through), number(ROWS_PER_COMPACTION)];
        for row in rows(&self.sql, query, values)? {
            let mut row = row?;
            let (seq, at, event) = (row.number()?, row.instant()?, row.json()?);
            if at > now && seq > ahead_through {
                ahead_through = self.returned_after(seq, before)?.unwrap_or(0);
            }
            if at >= before && seq > ahead_through {
                break;
            }
            base.state.apply(at, &event);
            base.seq = seq;
            base.head = row.hash()?;
        }
        if base.seq == from {
            return Ok(false);
        }
        self.write_checkpoint(BASE, base.seq, base.head, &base.state)?;
        run(&self.sql, "DELETE FROM ledger WHERE seq <= ?", vec![number(base.seq)])?;
        Ok(base.seq - from == ROWS_PER_COMPACTION)
    }
}
