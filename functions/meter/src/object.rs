//! What both objects share: a machine with its ledger, its copies elsewhere, and its alarm.

use std::cell::{Ref, RefCell, RefMut};

use serde::{Serialize, de::DeserializeOwned};
use tollgate_domain::{
    meter::{Entitlement, IDEMPOTENCY_WINDOW_MS, Standing},
    time::Timestamp,
};
use tollgate_platform::{
    clock, log,
    meter::{ExportBatch, MarkRow, Owner, ROWS_HEADER, Snapshot, UsageRow, Verified},
    settings::Settings,
};
use worker::{Env, Error, Result, SqlStorage, State};

use crate::{
    answers::Answers,
    columns::{rows, run},
    exports::Exports,
    ledger_store::LedgerStore,
    machine::Machine,
    memory::Memory,
    row_count,
    upkeep::Upkeep,
};

/// Rows of one message, where they are not too long for it.
const ROWS_PER_MESSAGE: u32 = 200;

/// The longest message: a queue takes 128 kB, its envelope included.
const MAX_MESSAGE_BYTES: usize = 100_000;

/// What is handed to the queue at once: it takes 256 kB.
const MAX_SEND_BYTES: usize = 200_000;

/// Messages that are on their way at once.
const MESSAGES_PER_WINDOW: usize = 10;

/// A machine whose rows are copied to the analytics database.
pub trait Exported: Machine {
    /// The kinds of rows that are copied, as an SQL list.
    const KINDS: &'static str;

    /// A row as usage or as a mark.
    fn export(seq: u64, at: Timestamp, event: Self::Event) -> Option<ExportRow>;

    /// The plan held.
    fn entitlement(&self) -> Option<&Entitlement>;

    /// Where the meters stand.
    fn standings(&self, now: Timestamp) -> Vec<Standing>;
}

pub enum ExportRow {
    Usage(UsageRow),
    Mark(MarkRow),
}

/// The stored side of an object, opened on the first call.
pub struct Opened<M: Exported> {
    pub store: LedgerStore<M>,
    pub answers: Answers,
    pub memory: Memory<M>,
    pub exports: Exports,
    pub upkeep: Upkeep,
    owner: Option<Owner>,
    sql: SqlStorage,
}

impl<M: Exported> Opened<M> {
    fn open(sql: SqlStorage, now: Timestamp) -> Result<Self> {
        let store = LedgerStore::open(sql.clone())?;
        let answers = Answers::open(sql.clone())?;
        let memory = Memory::load(&store)?;
        let exports = Exports::open(&sql)?;
        sql.exec(
            "CREATE TABLE IF NOT EXISTS owner (id INTEGER PRIMARY KEY CHECK (id = 1), owner TEXT NOT NULL);",
            None,
        )?;
        let owner = match rows(&sql, "SELECT owner FROM owner", vec![])?.next() {
            Some(row) => Some(row?.json()?),
            None => None,
        };
        let mut upkeep = Upkeep::default();
        if memory.rows() > 0 {
            upkeep.news(now, exports.sent_at());
        }
        Ok(Self { store, answers, memory, exports, upkeep, owner, sql })
    }

    /// Whose this is; `None` before the first plan.
    pub const fn owner(&self) -> Option<Owner> {
        self.owner
    }

    /// Remembers whose this is.
    pub fn owned_by(&mut self, owner: Owner) -> Result<()> {
        if self.owner != Some(owner) {
            run(
                &self.sql,
                "INSERT OR REPLACE INTO owner (id, owner) VALUES (1, ?)",
                vec![serde_json::to_string(&owner)?.into()],
            )?;
            self.owner = Some(owner);
        }
        Ok(())
    }

    /// Writes what is not written yet.
    pub fn commit(&mut self, now: Timestamp) -> Result<()> {
        if self.memory.commit(&self.store)? {
            self.upkeep.news(now, self.exports.sent_at());
        }
        Ok(())
    }

    /// A clock that has come back from a leap brings the state with it.
    fn see_clock(&mut self, now: Timestamp) -> Result<()> {
        if self.memory.state.is_back(now) {
            self.run(&M::SEE_CLOCK, now)?;
        }
        Ok(())
    }

    /// A copy failed: it is made again.
    fn copy_again(&mut self, now: Timestamp) {
        self.upkeep.news(now, self.exports.sent_at());
    }

    /// Runs a command that no idempotency key belongs to, and writes what it did.
    pub fn run(&mut self, command: &M::Command, now: Timestamp) -> Result<M::Decision> {
        let decision = self.memory.run(command, None, None, now)?;
        self.commit(now)?;
        Ok(decision)
    }

    /// Walks the ledger.
    pub fn verify(&self) -> Result<Verified> {
        let verified = self.store.verify()?;
        let complete = verified.rows == self.memory.rows() && verified.head == self.memory.head();
        Ok(Verified {
            rows: verified.rows,
            head: verified.head,
            // A last row that is gone is missed by no other row.
            broken_at: verified.broken_at.or((!complete).then_some(verified.rows + 1)),
            adds_up: verified.state == self.memory.state,
        })
    }

    /// What the analytics copy does not have yet, oldest first.
    pub fn unexported(&self, limit: u32) -> Result<Vec<ExportRow>> {
        let rows = self.store.of_kinds(M::KINDS, self.exports.look_after(self.exports.confirmed), limit)?;
        Ok(rows.into_iter().filter_map(|(seq, at, event)| M::export(seq, at, event)).collect())
    }

    /// The messages of the next window, as they are handed to the queue together; empty while one is on its way, or when
    /// there is nothing.
    fn window(&mut self, now: Timestamp) -> Result<Vec<Vec<ExportBatch>>> {
        let (Some(owner), Some(mut after)) = (self.owner, self.exports.send_after(now)) else {
            return Ok(Vec::new());
        };
        let (mut sends, mut messages, mut sent_bytes, mut limit) = (Vec::new(), 0, MAX_SEND_BYTES, ROWS_PER_MESSAGE);
        while messages < MESSAGES_PER_WINDOW {
            let rows = self.store.of_kinds(M::KINDS, self.exports.look_after(after), limit)?;
            let Some((through, ..)) = rows.last() else {
                if messages == 0 {
                    self.exports.nothing_up_to(self.memory.written());
                }
                break;
            };
            let mut batch = ExportBatch { owner, after, through: *through, usage: Vec::new(), marks: Vec::new() };
            for (seq, at, event) in rows {
                match M::export(seq, at, event) {
                    Some(ExportRow::Usage(row)) => batch.usage.push(row),
                    Some(ExportRow::Mark(row)) => batch.marks.push(row),
                    None => {}
                }
            }
            let bytes = serde_json::to_vec(&batch)?.len();
            if bytes > MAX_MESSAGE_BYTES && limit > 1 {
                limit /= 2;
                continue;
            }
            if sent_bytes + bytes > MAX_SEND_BYTES {
                sends.push(Vec::new());
                sent_bytes = 0;
            }
            (after, messages, sent_bytes) = (batch.through, messages + 1, sent_bytes + bytes);
            if let Some(send) = sends.last_mut() {
                send.push(batch);
            }
        }
        self.exports.more = messages == MESSAGES_PER_WINDOW;
        Ok(sends)
    }

    fn snapshot(&self, now: Timestamp) -> Option<(String, Snapshot)> {
        let (owner, entitlement) = (self.owner?, self.memory.state.entitlement()?);
        let snapshot = Snapshot {
            product: entitlement.product,
            plan: entitlement.plan,
            pooled: entitlement.pooled,
            standings: self.memory.state.standings(now),
            as_of: now,
        };
        Some((owner.snapshot_key(), snapshot))
    }
}

/// An object: what is opened, and the runtime around it.
pub struct Object<M: Exported> {
    pub state: State,
    pub env: Env,
    settings: std::rc::Rc<Settings>,
    opened: RefCell<Option<Opened<M>>>,
}

impl<M: Exported> Object<M> {
    pub fn new(state: State, env: Env) -> Self {
        let settings = Settings::of(&env);
        Self { state, env, settings, opened: RefCell::new(None) }
    }

    pub fn now(&self) -> Timestamp {
        clock::now(&self.settings)
    }

    /// What is stored, with its cache. Never held across an `await`.
    pub fn opened(&self) -> Result<RefMut<'_, Opened<M>>> {
        let mut opened = self.opened.borrow_mut();
        if opened.is_none() {
            *opened = Some(Opened::open(self.state.storage().sql(), self.now())?);
        }
        // Before anything is read.
        if let Some(opened) = opened.as_mut() {
            opened.see_clock(self.now())?;
        }
        RefMut::filter_map(opened, Option::as_mut).map_err(|_| Error::RustError("what was opened is gone".into()))
    }

    /// Whether nothing was ever stored here; to look stores nothing.
    pub fn is_blank(&self) -> Result<bool> {
        if self.peek().is_some() {
            return Ok(false);
        }
        let sql = self.state.storage().sql();
        let stored = rows(&sql, "SELECT 1 FROM sqlite_master WHERE name = 'ledger'", vec![])?.next();
        Ok(stored.transpose()?.is_none())
    }

    /// The same, when it is open already.
    pub fn peek(&self) -> Option<Ref<'_, Opened<M>>> {
        Ref::filter_map(self.opened.borrow(), Option::as_ref).ok()
    }

    /// What could not be written must not be believed: the ledger is read anew.
    pub fn forget(&self) {
        self.opened.replace(None);
    }

    /// Empties everything; nothing is left but an object without rows.
    pub async fn delete(&self) -> Result<()> {
        self.forget();
        let storage = self.state.storage();
        storage.delete_alarm().await?;
        storage.delete_all().await
    }

    /// Reads a call, answers it, and sets the alarm. A failure is logged and answered as one. Locally the answer also
    /// tells what it cost.
    pub async fn serve<Q: DeserializeOwned, R: Serialize>(
        &self,
        body: &[u8],
        failed: R,
        answer: impl AsyncFnOnce(Q) -> Result<R>,
    ) -> Result<worker::Response> {
        let work = self.reply(body, failed, answer);
        if !self.settings.is_local() {
            return worker::Response::from_bytes(serde_json::to_vec(&work.await)?);
        }
        let (reply, rows) = row_count::counted(work).await;
        let response = worker::Response::from_bytes(serde_json::to_vec(&reply)?)?;
        response.headers().set(ROWS_HEADER, &format!("{} {}", rows.read, rows.written))?;
        Ok(response)
    }

    async fn reply<Q: DeserializeOwned, R>(
        &self,
        body: &[u8],
        failed: R,
        answer: impl AsyncFnOnce(Q) -> Result<R>,
    ) -> R {
        match serde_json::from_slice::<Q>(body) {
            Ok(request) => match answer(request).await {
                Ok(reply) => reply,
                Err(error) => {
                    self.forget();
                    log::error("meter", &error.to_string(), None);
                    failed
                }
            },
            Err(error) => {
                log::error("meter", &format!("a call that is none: {error}"), None);
                failed
            }
        }
    }

    /// Sets the alarm for what comes next, unless it is set early enough. `more` is an instant that only one kind of
    /// object knows.
    pub async fn arm(&self, more: impl FnOnce(&Opened<M>, Timestamp) -> Option<Timestamp>) -> Result<()> {
        let now = self.now();
        let next = {
            let mut opened = self.opened()?;
            let others = [more(&opened, now), opened.exports.retry_at()];
            opened.upkeep.alarm(others)
        };
        let Some(next) = next else { return Ok(()) };
        let delay_ms = next.as_millis().saturating_sub(now.as_millis()).max(1);
        self.state.storage().set_alarm(delay_ms).await
    }

    /// What the alarm does for every object: copies to KV and to the queue, and compaction. What fails is logged and
    /// comes again.
    pub async fn look_after(&self) -> Result<()> {
        let now = self.now();
        let (copy, compact) = {
            let mut opened = self.opened()?;
            (opened.upkeep.take_copy(now), opened.upkeep.take_compaction(now))
        };
        if copy && let Err(error) = self.write_snapshot(now).await {
            log::warn("meter", &format!("the copy in KV could not be written: {error}"), None);
            self.opened()?.copy_again(now);
        }
        if let Err(error) = self.send_rows(now).await {
            log::warn("meter", &format!("rows could not be sent to the queue: {error}"), None);
            self.opened()?.copy_again(now);
        }
        if compact {
            let mut opened = self.opened()?;
            let now = opened.memory.state.now(now);
            let before = opened.memory.state.earliest(now).plus_millis(-IDEMPOTENCY_WINDOW_MS);
            let through =
                if opened.unexported(1)?.is_empty() { opened.memory.rows() } else { opened.exports.confirmed };
            if opened.store.compact(through, before, now)? {
                opened.upkeep.compact_again(now);
            }
        }
        Ok(())
    }

    async fn write_snapshot(&self, now: Timestamp) -> Result<()> {
        let Some((key, snapshot)) = self.opened()?.snapshot(now) else { return Ok(()) };
        let counters = self.env.kv("COUNTERS")?;
        counters.put(&key, &snapshot)?.execute().await?;
        Ok(())
    }

    /// Hands the next window of rows to the queue.
    pub async fn send_rows(&self, now: Timestamp) -> Result<()> {
        let sends = self.opened()?.window(now)?;
        let Some(last) = sends.last().and_then(|send| send.last()) else { return Ok(()) };
        let through = last.through;
        let queue = self.env.queue("USAGE_EVENTS")?;
        for messages in sends {
            queue.send_batch(messages).await?;
        }
        let mut opened = self.opened()?;
        opened.exports.sent(through, now);
        opened.exports.save(&opened.sql)
    }

    /// Whoever wrote the rows says so. Where there were more rows than one window takes, the next follows at once; what was
    /// written since waits for its own time.
    pub async fn confirm(&self, arrived: Vec<(u64, u64)>) -> Result<()> {
        let follows = {
            let mut opened = self.opened()?;
            opened.exports.confirm(arrived);
            opened.exports.save(&opened.sql)?;
            opened.exports.more && !opened.exports.is_waiting()
        };
        if follows { self.send_rows(self.now()).await } else { Ok(()) }
    }
}
