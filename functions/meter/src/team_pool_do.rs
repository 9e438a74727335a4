//! Calls and alarms of a team's pool.

use std::cell::RefCell;

use futures::{
    FutureExt,
    future::{LocalBoxFuture, Shared, join_all},
};
use tollgate_domain::{
    clock_leap::Leaping as _,
    id::UserId,
    meter::{Amounts, Entitlement, LeaseGrant, Standing},
    pool::{Ask, PoolCommand, PoolDecision, PoolEvent, PoolState, Report},
    time::Timestamp,
};
use tollgate_platform::{
    log,
    meter::{MarkRow, MeterReply, MeterRequest, Owner, PoolReply, PoolRequest, call},
};
use wasm_bindgen::prelude::*;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use crate::object::{ExportRow, Exported, Object};

/// Members that are asked at once for what they hold idle.
const RECALLS_AT_ONCE: usize = 16;

/// What a member answers when it is recalled; `None` when it cannot be reached, or has nothing of this period.
type Recall = Shared<LocalBoxFuture<'static, Option<Report>>>;

/// One team's pool for one product. See `docs/METERING.md`.
#[durable_object(alarm)]
pub struct TeamPool {
    object: Object<PoolState>,
    /// Recalls that are on their way, by member: others who need the same wait for the same answer.
    recalls: RefCell<Vec<(UserId, Recall)>>,
}

impl DurableObject for TeamPool {
    fn new(state: State, env: Env) -> Self {
        Self { object: Object::new(state, env), recalls: RefCell::default() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let body = request.bytes().await?;
        self.object.serve(&body, PoolReply::Failed, async |request| self.answer(request).await).await
    }

    async fn alarm(&self) -> Result<Response> {
        self.object.opened()?.upkeep.fired();
        self.object.look_after().await?;
        self.object.arm(|_, _| None).await?;
        Response::empty()
    }
}

impl TeamPool {
    async fn answer(&self, request: PoolRequest) -> Result<PoolReply> {
        let now = self.object.now();
        // A pool that was deleted, or never was, is not made by a question.
        if matches!(
            request,
            PoolRequest::Delete | PoolRequest::Exported(_) | PoolRequest::Report(..) | PoolRequest::ReturnToClock
        ) && self.object.is_blank()?
        {
            return Ok(PoolReply::Done);
        }
        let reply = match request {
            PoolRequest::Ask(ask) => self.lease(ask).await?,
            PoolRequest::Report(member, report) => self.command(&PoolCommand::Report(member, report), now)?,
            PoolRequest::Configure { owner, entitlement } => {
                self.object.opened()?.owned_by(owner)?;
                self.command(&PoolCommand::Configure(entitlement), now)?
            }
            PoolRequest::Grant(grant) => self.command(&PoolCommand::Grant(grant), now)?,
            PoolRequest::Standing => {
                let opened = self.object.opened()?;
                let state = &opened.memory.state;
                PoolReply::Standing {
                    entitlement: state.entitlement().copied(),
                    standings: state.standings(now),
                    as_of: now,
                }
            }
            PoolRequest::ReturnToClock => self.command(&PoolCommand::ReturnToClock, now)?,
            PoolRequest::Exported(arrived) => {
                self.object.confirm(arrived).await?;
                PoolReply::Done
            }
            PoolRequest::Delete => {
                self.object.delete().await?;
                return Ok(PoolReply::Done);
            }
            PoolRequest::Verify => PoolReply::Verified(self.object.opened()?.verify()?),
        };
        self.object.arm(|_, _| None).await?;
        Ok(reply)
    }

    fn command(&self, command: &PoolCommand, now: Timestamp) -> Result<PoolReply> {
        self.object.opened()?.run(command, now)?;
        Ok(PoolReply::Done)
    }

    fn decide(&self, ask: Ask) -> Result<PoolDecision> {
        let now = self.object.now();
        self.object.opened()?.run(&PoolCommand::Ask(ask), now)
    }

    /// Leases; before anything is refused, every member gives back what it holds idle.
    async fn lease(&self, ask: Ask) -> Result<PoolReply> {
        let mut asked: Vec<UserId> = Vec::new();
        loop {
            let (refusal, holders) = match self.decide(ask)? {
                PoolDecision::Leased(lease) => return Ok(PoolReply::Leased(lease)),
                PoolDecision::Refused(refusal) => return Ok(PoolReply::Refused(refusal)),
                PoolDecision::Done => return Ok(PoolReply::Failed),
                PoolDecision::Short { refusal, holders } => (refusal, holders),
            };
            let next: Vec<UserId> =
                holders.into_iter().filter(|holder| !asked.contains(holder)).take(RECALLS_AT_ONCE).collect();
            if next.is_empty() {
                return Ok(PoolReply::Refused(refusal));
            }
            let recalls: Vec<_> = next.iter().map(|member| self.recall(*member)).collect::<Result<_>>()?;
            let reports = join_all(recalls).await;
            let now = self.object.now();
            for (member, report) in next.iter().zip(reports) {
                if let Some(report) = report {
                    self.object.opened()?.run(&PoolCommand::Report(*member, report), now)?;
                }
            }
            asked.extend(next);
        }
    }

    /// Asks a member for what it holds idle, together with others who ask the same at the moment.
    fn recall(&self, member: UserId) -> Result<Recall> {
        let mut recalls = self.recalls.borrow_mut();
        recalls.retain(|(_, recall)| recall.peek().is_none());
        if let Some((_, recall)) = recalls.iter().find(|(id, _)| *id == member) {
            return Ok(recall.clone());
        }
        let now = self.object.now();
        let (owner, lease) = {
            let opened = self.object.opened()?;
            let state = &opened.memory.state;
            let granted = state.members().find(|(id, _)| **id == member).map(|(_, known)| known.granted);
            let (Some(owner), Some(entitlement)) = (opened.owner(), state.entitlement()) else {
                return Ok(async { None }.boxed_local().shared());
            };
            let period = entitlement.terms.period(state.now(now));
            (owner, LeaseGrant { period, granted: granted.unwrap_or_default(), free: Amounts::ZERO })
        };
        let name = Owner { user: Some(member), ..owner }.object_name();
        let env = self.object.env.clone();
        let recall = async move {
            match call(&env, "METER", &name, &MeterRequest::Recall(lease)).await {
                Ok(MeterReply::Recalled(report)) => report,
                other => {
                    // What it holds stays leased: nobody can use it twice.
                    log::warn("pool", &format!("{member} could not be asked to give back: {other:?}"), None);
                    None
                }
            }
        };
        let recall = recall.boxed_local().shared();
        recalls.push((member, recall.clone()));
        Ok(recall)
    }
}

impl Exported for PoolState {
    const KINDS: &'static str = "'mark_reached'";

    fn export(seq: u64, at: Timestamp, event: PoolEvent) -> Option<ExportRow> {
        match event {
            PoolEvent::MarkReached { meter, percent, used, limit } => {
                Some(ExportRow::Mark(MarkRow { seq, at, meter, percent, used, limit }))
            }
            _ => None,
        }
    }

    fn entitlement(&self) -> Option<&Entitlement> {
        Self::entitlement(self)
    }

    fn standings(&self, now: Timestamp) -> Vec<Standing> {
        Self::standings(self, now)
    }
}
