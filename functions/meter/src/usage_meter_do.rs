//! Calls and alarms of the object.

use std::{
    cell::{RefCell, RefMut},
    rc::Rc,
    time::Duration,
};

use futures::future::{Either, select};
use tollgate_domain::{
    meter::{Admitted, Command, Decision, Reserve},
    time::Timestamp,
};
use tollgate_platform::{
    clock, log,
    meter::{Answer, End, MeterReply, MeterRequest, Worked},
    settings::Settings,
};
use wasm_bindgen::prelude::*;
use worker::{Delay, DurableObject, Env, Request, Response, Result, State, durable_object};

use crate::{
    ledger_store::{LedgerStore, MAX_KEPT_ANSWER_BYTES},
    memory::Memory,
};

/// How long a request waits for the answer of another one with the same key.
const WAIT_FOR_ANSWER: Duration = Duration::from_secs(25);

/// One user's meter for one product. See `docs/ARCHITECTURE.md`, "Metering".
#[durable_object(alarm)]
pub struct UsageMeter {
    state: State,
    settings: Rc<Settings>,
    store: RefCell<Option<Rc<LedgerStore>>>,
    memory: RefCell<Option<Memory>>,
}

impl DurableObject for UsageMeter {
    fn new(state: State, env: Env) -> Self {
        Self { state, settings: Settings::of(&env), store: RefCell::new(None), memory: RefCell::new(None) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let body = request.bytes().await?;
        let reply = match serde_json::from_slice::<MeterRequest>(&body) {
            Ok(request) => self.answer(request).await.unwrap_or_else(|error| {
                // What could not be written must not be believed: the ledger is read anew.
                self.memory.replace(None);
                log::error("usage_meter", &error.to_string(), None);
                MeterReply::Failed
            }),
            Err(error) => {
                log::error("usage_meter", &format!("a call that is none: {error}"), None);
                MeterReply::Failed
            }
        };
        Response::from_bytes(serde_json::to_vec(&reply)?)
    }

    async fn alarm(&self) -> Result<Response> {
        {
            let store = self.store()?;
            let mut memory = self.memory(&store)?;
            memory.alarm_at = None;
            memory.expire_due(self.now())?;
            memory.commit(&store)?;
        }
        self.arm().await?;
        Response::empty()
    }
}

impl UsageMeter {
    fn now(&self) -> Timestamp {
        clock::now(&self.settings)
    }

    fn store(&self) -> Result<Rc<LedgerStore>> {
        let mut store = self.store.borrow_mut();
        if let Some(store) = &*store {
            return Ok(Rc::clone(store));
        }
        let opened = Rc::new(LedgerStore::open(self.state.storage().sql())?);
        *store = Some(Rc::clone(&opened));
        Ok(opened)
    }

    /// The memory, read from the ledger when it is not there. Never held across an `await`.
    fn memory(&self, store: &LedgerStore) -> Result<RefMut<'_, Memory>> {
        let mut memory = self.memory.borrow_mut();
        if memory.is_none() {
            *memory = Some(Memory::load(store)?);
        }
        RefMut::filter_map(memory, Option::as_mut).map_err(|_| worker::Error::RustError("the memory is gone".into()))
    }

    async fn answer(&self, request: MeterRequest) -> Result<MeterReply> {
        let now = self.now();
        let store = self.store()?;
        match request {
            MeterRequest::Work { ends, reserve } => {
                let worked = self.work(&store, ends, reserve, now).await?;
                self.arm().await?;
                Ok(MeterReply::Worked(worked))
            }
            MeterRequest::Working { id, attempt } => {
                let mut memory = self.memory(&store)?;
                if memory.state.is_open(id) && !memory.works.is_taken_over(id, attempt) {
                    memory.works.heard(id, attempt, now);
                }
                Ok(MeterReply::Done)
            }
            MeterRequest::Configure(entitlement) => self.command(&store, &Command::Configure(entitlement), now),
            MeterRequest::RevokeSession { session, until } => {
                self.command(&store, &Command::RevokeSession { session, until }, now)
            }
            MeterRequest::Standing { session } => {
                let mut memory = self.memory(&store)?;
                memory.expire_due(now)?;
                memory.commit(&store)?;
                if memory.state.is_revoked(session) {
                    return Ok(MeterReply::SessionRevoked);
                }
                Ok(MeterReply::Standing {
                    entitlement: memory.state.entitlement().copied(),
                    standings: memory.state.standings(now),
                    as_of: now,
                    rows: memory.rows(),
                    head: memory.head(),
                })
            }
            MeterRequest::Logs { session, before, limit } => {
                let mut memory = self.memory(&store)?;
                memory.expire_due(now)?;
                memory.commit(&store)?;
                if memory.state.is_revoked(session) {
                    return Ok(MeterReply::SessionRevoked);
                }
                Ok(MeterReply::Logs(store.log(before, limit)?))
            }
        }
    }

    fn command(&self, store: &LedgerStore, command: &Command, now: Timestamp) -> Result<MeterReply> {
        let mut memory = self.memory(store)?;
        memory.run(command, None, None, now)?;
        memory.commit(store)?;
        Ok(MeterReply::Done)
    }

    async fn work(
        &self,
        store: &LedgerStore,
        ends: Vec<End>,
        reserve: Option<Reserve>,
        now: Timestamp,
    ) -> Result<Worked> {
        let waiting = {
            let mut memory = self.memory(store)?;
            memory.expire_due(now)?;
            for end in ends {
                take_end(store, &mut memory, end, now)?;
            }
            let Some(reserve) = reserve else {
                memory.commit(store)?;
                return Ok(Worked::Noted);
            };
            match decide(store, &mut memory, reserve, now)? {
                Next::Answer(worked) => return Ok(worked),
                Next::WaitFor(admitted) => memory.works.wait_for(admitted.id),
            }
        };
        Ok(match select(waiting, Delay::from(WAIT_FOR_ANSWER)).await {
            Either::Left((Ok(Some(answer)), _)) => Worked::Replayed(answer),
            Either::Left((Ok(None), _)) => Worked::NotKept,
            // The sender is gone with a memory that was thrown away, or it takes too long.
            Either::Left((Err(_), _)) | Either::Right(_) => Worked::InProgress,
        })
    }

    /// Sets the alarm for the next hold that expires, unless one is set that comes first: with short requests that
    /// is one write in ten minutes, not one a request.
    async fn arm(&self) -> Result<()> {
        let next = {
            let store = self.store()?;
            let mut memory = self.memory(&store)?;
            let Some(next) = memory.state.next_expiry() else {
                return Ok(());
            };
            if memory.alarm_at.is_some_and(|set| set <= next) {
                return Ok(());
            }
            memory.alarm_at = Some(next);
            next
        };
        let delay_ms = next.as_millis().saturating_sub(self.now().as_millis()).max(1);
        self.state.storage().set_alarm(delay_ms).await
    }
}

/// What follows from a reserve.
enum Next {
    Answer(Worked),
    WaitFor(Admitted),
}

fn take_end(store: &LedgerStore, memory: &mut Memory, end: End, now: Timestamp) -> Result<()> {
    match end {
        End::Settle { settle, answer } => {
            let id = settle.id;
            memory.run(&Command::Settle(settle), None, None, now)?;
            let answer = answer.filter(|answer| answer.body.len() <= MAX_KEPT_ANSWER_BYTES);
            if let Some(answer) = &answer {
                memory.commit(store)?;
                // One that cannot be kept must not stand in the way of all that comes after it.
                if let Err(error) = store.keep_answer(id, now, answer) {
                    log::error("usage_meter", &format!("an answer could not be kept: {error}"), None);
                }
            }
            memory.works.ended(id, answer.as_ref());
        }
        // A retry took the work over: it is its reservation now.
        End::Release { id, attempt, .. } if memory.works.is_taken_over(id, attempt) => {}
        End::Release { id, key, answer, .. } => {
            memory.run(&Command::Release(id), None, key.as_deref(), now)?;
            memory.works.ended(id, answer.as_ref());
        }
    }
    Ok(())
}

fn decide(store: &LedgerStore, memory: &mut Memory, reserve: Reserve, now: Timestamp) -> Result<Next> {
    let (key, attempt) = (reserve.key.clone(), reserve.id);
    let prior = match &key {
        Some(key) => {
            // A release in this very call may have freed the key.
            memory.commit(store)?;
            store.prior(key)?
        }
        None => None,
    };
    let decision = memory.run(&Command::Reserve(reserve), prior.as_ref(), key.as_deref(), now)?;
    memory.commit(store)?;
    let Decision::AdmittedBefore(admitted) = decision else {
        if let (Decision::Admitted(admitted), Some(_)) = (&decision, &key) {
            memory.works.heard(admitted.id, attempt, now);
        }
        return Ok(Next::Answer(Worked::Decided(decision)));
    };
    let kept: Option<Answer> = store.kept_answer(admitted.id)?;
    Ok(match kept {
        Some(answer) => Next::Answer(Worked::Replayed(answer)),
        None if !memory.state.is_open(admitted.id) => Next::Answer(Worked::NotKept),
        None if memory.works.is_running(admitted.id, now) => Next::WaitFor(admitted),
        // Whoever began it is not heard of any more (a crash, a restart, a reply that was lost): this caller carries
        // it out, under the same reservation. Should both finish, the first settle counts and its answer is kept.
        None => {
            memory.works.heard(admitted.id, attempt, now);
            Next::Answer(Worked::Decided(Decision::AdmittedBefore(admitted)))
        }
    })
}
