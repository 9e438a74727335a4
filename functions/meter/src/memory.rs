//! The object's state between calls.
//!
//! It is a cache of the ledger: a call changes it first and writes the rows last, as one INSERT. Should the write
//! fail, the whole memory is thrown away and read anew, so that it never holds what is not durable.

use tollgate_domain::{
    ledger::Hash,
    meter::{Command, Decision, Event, Prior, State},
    time::Timestamp,
};
use worker::Result;

use crate::{
    ledger_store::{CHECKPOINT_EVERY, LedgerStore, NewRow},
    works::Works,
};

pub struct Memory {
    pub state: State,
    seq: u64,
    head: Hash,
    rows_since_checkpoint: u64,
    unwritten: Vec<NewRow>,
    /// Work that is going on under idempotency keys.
    pub works: Works,
    /// The instant the alarm is set to, on our clock.
    pub alarm_at: Option<Timestamp>,
}

impl Memory {
    pub fn load(store: &LedgerStore) -> Result<Self> {
        let loaded = store.load()?;
        Ok(Self {
            state: loaded.state,
            seq: loaded.seq,
            head: loaded.head,
            rows_since_checkpoint: loaded.rows_since_checkpoint,
            unwritten: Vec::new(),
            works: Works::default(),
            alarm_at: None,
        })
    }

    pub const fn rows(&self) -> u64 {
        self.seq
    }

    pub const fn head(&self) -> Hash {
        self.head
    }

    /// Decides a command and takes its events in; they are written by [`Memory::commit`].
    ///
    /// `key` is stored with the rows of a request that has an idempotency key.
    pub fn run(
        &mut self,
        command: &Command,
        prior: Option<&Prior>,
        key: Option<&str>,
        clock: Timestamp,
    ) -> Result<Decision> {
        let (decision, events) = self.state.decide(command, prior, clock);
        let at = self.state.now(clock);
        for event in events {
            self.state.apply(at, &event);
            self.take_in(at, &event, key)?;
        }
        Ok(decision)
    }

    fn take_in(&mut self, at: Timestamp, event: &Event, key: Option<&str>) -> Result<()> {
        let keyed = matches!(
            event,
            Event::Reserved { .. } | Event::Refused { .. } | Event::Released { .. } | Event::ReleasedLate { .. }
        );
        let body = serde_json::to_string(event)?;
        self.seq += 1;
        self.head = self.head.next(self.seq, at, &body);
        self.unwritten.push(NewRow {
            seq: self.seq,
            at,
            kind: event.kind(),
            key: key.filter(|_| keyed).map(str::to_owned),
            body,
            hash: self.head,
        });
        Ok(())
    }

    /// Counts what was never settled and is due.
    pub fn expire_due(&mut self, clock: Timestamp) -> Result<()> {
        if self.state.next_expiry().is_some_and(|due| due <= clock) {
            self.run(&Command::Expire, None, None, clock)?;
        }
        Ok(())
    }

    /// Writes what is not written yet.
    pub fn commit(&mut self, store: &LedgerStore) -> Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        self.rows_since_checkpoint += self.unwritten.len() as u64;
        store.append(std::mem::take(&mut self.unwritten))?;
        if self.rows_since_checkpoint >= CHECKPOINT_EVERY {
            store.checkpoint(self.seq, self.head, &self.state)?;
            self.rows_since_checkpoint = 0;
        }
        Ok(())
    }
}
