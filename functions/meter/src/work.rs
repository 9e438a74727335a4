//! The hot path: taking in what ended, then deciding what begins.

use std::time::Duration;

use futures::future::{Either, select};
use tollgate_domain::{
    clock_leap::Leaping as _,
    meter::{Admitted, Command, Decision, Event, Prior, Reserve, State as Meter},
    time::Timestamp,
};
use tollgate_platform::{
    log,
    meter::{Answer, End, Worked},
};
use worker::{Delay, Result};

use crate::{answers::MAX_KEPT_ANSWER_BYTES, object::Opened, usage_meter_do::UsageMeter};

/// How long a request waits for the answer of another one with the same key.
const WAIT_FOR_ANSWER: Duration = Duration::from_secs(25);

/// What follows from a reserve.
pub enum Next {
    /// The call is answered.
    Answer(Worked),
    /// Another caller carries the same key out.
    WaitFor(Admitted),
}

impl UsageMeter {
    /// Takes in what ended, then decides each reserve. What is decided without waiting is written together.
    pub(crate) async fn work(&self, ends: Vec<End>, reserves: Vec<Reserve>) -> Result<Vec<Worked>> {
        let now = self.object.now();
        self.expire_due(now)?;
        for end in ends {
            self.take_end(end, now)?;
        }
        let mut worked = Vec::with_capacity(reserves.len());
        for reserve in reserves {
            worked.push(self.begin(reserve).await?);
        }
        self.object.opened()?.commit(now)?;
        Ok(worked)
    }

    async fn begin(&self, reserve: Reserve) -> Result<Worked> {
        let now = self.object.now();
        let decision = match self.decide(&Command::Reserve(reserve.clone()), &reserve, now)? {
            Decision::Short { .. } => self.decide_with_pool(reserve.clone()).await?,
            decision => decision,
        };
        let waiting = match self.follow(&reserve, decision, self.object.now())? {
            Next::Answer(worked) => return Ok(worked),
            Next::WaitFor(admitted) => self.works.borrow_mut().wait_for(admitted.id),
        };
        // Nothing of this object is left unwritten while it waits.
        self.object.opened()?.commit(now)?;
        Ok(match select(waiting, Delay::from(WAIT_FOR_ANSWER)).await {
            Either::Left((Ok(Some(answer)), _)) => Worked::Replayed(answer),
            Either::Left((Ok(None), _)) => Worked::NotKept,
            Either::Left((Err(_), _)) | Either::Right(_) => Worked::InProgress,
        })
    }

    fn take_end(&self, end: End, now: Timestamp) -> Result<()> {
        let mut opened = self.object.opened()?;
        let mut works = self.works.borrow_mut();
        match end {
            End::Settle { settle, answer } => {
                let id = settle.id;
                opened.memory.run(&Command::Settle(settle), None, None, now)?;
                let answer = answer.filter(|answer| answer.body.len() <= MAX_KEPT_ANSWER_BYTES);
                if let Some(answer) = &answer {
                    opened.commit(now)?;
                    // One that cannot be kept must not stand in the way of all that comes after it.
                    if let Err(error) = opened.answers.keep(id, now, opened.memory.state.earliest(now), answer) {
                        log::error("usage_meter", &format!("an answer could not be kept: {error}"), None);
                    }
                }
                works.ended(id, answer.as_ref());
            }
            // A retry took the work over: it is its reservation now.
            End::Release { id, attempt, .. } if works.is_taken_over(id, attempt) => {}
            End::Release { id, key, answer, .. } => {
                opened.memory.run(&Command::Release(id), None, key.as_deref(), now)?;
                works.ended(id, answer.as_ref());
            }
        }
        Ok(())
    }

    /// Decides a command for a reserve, knowing what was decided under its key before. What it did is written together
    /// with the rest of the call, and before anything is waited for.
    pub(crate) fn decide(&self, command: &Command, reserve: &Reserve, now: Timestamp) -> Result<Decision> {
        let mut opened = self.object.opened()?;
        let prior = match &reserve.key {
            Some(key) => {
                // A release in this very call may have freed the key.
                opened.commit(now)?;
                prior(&opened, key)?
            }
            None => None,
        };
        opened.memory.run(command, prior.as_ref(), reserve.key.as_deref(), now)
    }

    fn follow(&self, reserve: &Reserve, decision: Decision, now: Timestamp) -> Result<Next> {
        let mut works = self.works.borrow_mut();
        let Decision::AdmittedBefore(admitted) = decision else {
            if let (Decision::Admitted(admitted), Some(_)) = (&decision, &reserve.key) {
                works.heard(admitted.id, reserve.id, now);
            }
            return Ok(Next::Answer(Worked::Decided(decision)));
        };
        let opened = self.object.opened()?;
        let kept: Option<Answer> = opened.answers.kept(admitted.id)?;
        Ok(match kept {
            Some(answer) => Next::Answer(Worked::Replayed(answer)),
            None if !opened.memory.state.is_open(admitted.id) => Next::Answer(Worked::NotKept),
            None if works.is_running(admitted.id, now) => Next::WaitFor(admitted),
            // Whoever began it is not heard of any more (a crash, a restart, a reply that was lost): this caller carries
            // it out, under the same reservation. Should both finish, the first settle counts and its answer is kept.
            None => {
                works.heard(admitted.id, reserve.id, now);
                Next::Answer(Worked::Decided(Decision::AdmittedBefore(admitted)))
            }
        })
    }
}

/// What was decided under a key last; `None` also when that was released since.
fn prior(opened: &Opened<Meter>, key: &str) -> Result<Option<Prior>> {
    let last = opened.store.by_key(key)?;
    Ok(last
        .filter(|(_, event)| !matches!(event, Event::Released { .. } | Event::ReleasedLate { .. }))
        .map(|(at, event)| Prior { at, event }))
}
