//! An object's state between calls.
//!
//! It is a cache of the ledger: a call changes it first and writes the rows last, as one INSERT. Should the write
//! fail, the whole memory is thrown away and read anew, so that it never holds what is not durable.

use tollgate_domain::{ledger::Hash, time::Timestamp};
use worker::Result;

use crate::{
    ledger_store::{CHECKPOINT_EVERY, LedgerStore, NewRow},
    machine::Machine,
};

pub struct Memory<M: Machine> {
    pub state: M,
    seq: u64,
    head: Hash,
    rows_since_checkpoint: u64,
    unwritten: Vec<NewRow>,
}

impl<M: Machine> Memory<M> {
    pub fn load(store: &LedgerStore<M>) -> Result<Self> {
        let (loaded, rows_since_checkpoint) = store.load()?;
        Ok(Self {
            state: loaded.state,
            seq: loaded.seq,
            head: loaded.head,
            rows_since_checkpoint,
            unwritten: Vec::new(),
        })
    }

    /// Rows of the ledger.
    pub const fn rows(&self) -> u64 {
        self.seq
    }

    /// Rows of the ledger that are written.
    pub fn written(&self) -> u64 {
        self.seq - self.unwritten.len() as u64
    }

    /// The hash of the last row.
    pub const fn head(&self) -> Hash {
        self.head
    }

    /// Decides a command and takes its events in; they are written by [`Memory::commit`].
    ///
    /// `key` is stored with the rows of a request that has an idempotency key.
    pub fn run(
        &mut self,
        command: &M::Command,
        prior: Option<&M::Prior>,
        key: Option<&str>,
        clock: Timestamp,
    ) -> Result<M::Decision> {
        let at = self.state.instant(command, clock);
        let (decision, events) = self.state.carry_out(command, prior, clock);
        for event in events {
            self.take_in(at, &event, key)?;
        }
        Ok(decision)
    }

    fn take_in(&mut self, at: Timestamp, event: &M::Event, key: Option<&str>) -> Result<()> {
        let body = serde_json::to_string(event)?;
        self.seq += 1;
        self.head = self.head.next(self.seq, at, &body);
        self.unwritten.push(NewRow {
            seq: self.seq,
            at,
            kind: M::kind(event),
            key: key.filter(|_| M::is_keyed(event)).map(str::to_owned),
            body,
            hash: self.head,
        });
        Ok(())
    }

    /// Writes what is not written yet; says whether there was anything.
    pub fn commit(&mut self, store: &LedgerStore<M>) -> Result<bool> {
        if self.unwritten.is_empty() {
            return Ok(false);
        }
        self.rows_since_checkpoint += self.unwritten.len() as u64;
        store.append(std::mem::take(&mut self.unwritten))?;
        if self.rows_since_checkpoint >= CHECKPOINT_EVERY {
            store.checkpoint(self.seq, self.head, &self.state)?;
            self.rows_since_checkpoint = 0;
        }
        Ok(true)
    }
}
