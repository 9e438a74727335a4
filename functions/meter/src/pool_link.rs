//! A member's way to its team's pool.

use std::cell::Cell;

use futures::lock::Mutex;
use tollgate_domain::{
    clock_leap::Leaping as _,
    meter::{Amounts, Command, Decision, Refusal, Reserve},
    pool::Ask,
    time::Timestamp,
};
use tollgate_platform::{
    log,
    meter::{Owner, PoolReply, PoolRequest, call},
};
use worker::{Error, Result};

use crate::usage_meter_do::{UsageMeter, report};

/// One question at a time; what others wait for goes along with it.
#[derive(Default)]
pub struct PoolLink {
    asking: Mutex<()>,
    waiting: Cell<Amounts>,
}

impl UsageMeter {
    /// Decides a reserve that the lease is too small for: the pool is asked, unless the answer to another request's
    /// question has brought enough meanwhile.
    pub(crate) async fn decide_with_pool(&self, reserve: Reserve) -> Result<Decision> {
        self.object.opened()?.commit(self.object.now())?;
        self.pool.waiting.set(self.pool.waiting.get().plus(reserve.least()));
        let turn = self.pool.asking.lock().await;
        self.pool.waiting.set(self.pool.waiting.get().minus(reserve.least()));
        let command = Command::Reserve(reserve.clone());
        let mut decision = self.decide(&command, &reserve, self.object.now())?;
        // A second time when a period ended, or a recall took the lease, between question and answer.
        for _ in 0..3 {
            if !matches!(decision, Decision::Short { .. }) {
                break;
            }
            match self.ask(reserve.least()).await? {
                PoolReply::Leased(lease) => {
                    self.object.opened()?.run(&Command::Lease(lease), self.object.now())?;
                    decision = self.decide(&command, &reserve, self.object.now())?;
                }
                PoolReply::Refused(refusal) => {
                    decision = self.decide(&Command::Refuse(reserve.clone(), refusal), &reserve, self.object.now())?;
                }
                other => return Err(Error::RustError(format!("the pool answered {other:?}"))),
            }
        }
        drop(turn);
        match decision {
            Decision::Short { .. } => Err(Error::RustError("the pool's leases do not arrive".into())),
            decision => Ok(decision),
        }
    }

    async fn ask(&self, needed: Amounts) -> Result<PoolReply> {
        let now = self.object.now();
        let (pool, question, entitlement) = {
            let mut opened = self.object.opened()?;
            opened.commit(now)?;
            let state = &opened.memory.state;
            let (Some(Owner { tenant, user: Some(member), product }), Some(report), Some(entitlement)) =
                (opened.owner(), report(&opened, now), state.entitlement().copied())
            else {
                return Err(Error::RustError("a member without a team".into()));
            };
            let reserved = state.in_use(now).1;
            let waiting = self.pool.waiting.get();
            let pool = Owner { tenant, user: None, product };
            (pool, Ask { member, report, reserved, needed, waiting, at: state.now(now) }, entitlement)
        };
        let ask = PoolRequest::Ask(question);
        let reply = self.tell_pool(&pool, &ask).await?;
        if reply != PoolReply::Refused(Refusal::NotConfigured) {
            return Ok(reply);
        }
        // The push to the pool was lost: every member knows the team's plan.
        self.tell_pool(&pool, &PoolRequest::Configure { owner: pool, entitlement }).await?;
        self.tell_pool(&pool, &ask).await
    }

    async fn tell_pool(&self, pool: &Owner, request: &PoolRequest) -> Result<PoolReply> {
        call(&self.object.env, "POOL", &pool.object_name(), request)
            .await
            .map_err(|error| Error::RustError(format!("the team's pool cannot be reached: {error:?}")))
    }

    /// Gives back a lease that lies idle, and with it this member's totals.
    pub(crate) async fn return_idle(&self, now: Timestamp) -> Result<()> {
        let due = self.object.peek().is_some_and(|opened| opened.upkeep.return_at() <= now);
        if due { self.return_all(now).await } else { Ok(()) }
    }

    /// Gives back what is neither used nor held. The member gives it up first; should the message be lost, the next
    /// one carries the same totals.
    pub(crate) async fn return_all(&self, now: Timestamp) -> Result<()> {
        let told = {
            let mut opened = self.object.opened()?;
            if opened.memory.state.idle_lease(now).is_zero() {
                return Ok(());
            }
            opened.run(&Command::ReturnIdle, now)?;
            match (opened.owner(), report(&opened, now)) {
                (Some(Owner { tenant, user: Some(member), product }), Some(report)) => {
                    (Owner { tenant, user: None, product }, PoolRequest::Report(member, report))
                }
                _ => return Ok(()),
            }
        };
        if let Err(error) = self.tell_pool(&told.0, &told.1).await {
            log::warn("meter", &error.to_string(), None);
        }
        Ok(())
    }
}
