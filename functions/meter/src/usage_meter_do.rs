//! Calls and alarms of a user's meter.

use tollgate_domain::{
    clock_leap::Leaping as _,
    id::SessionId,
    meter::{Command, Credential, Decision, Event, Refusal, State as Meter, UsageDetail},
    pool::Report,
    time::Timestamp,
};
use tollgate_platform::meter::{MarkRow, MeterReply, MeterRequest, UsageRow, Worked};
use wasm_bindgen::prelude::*;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use crate::{
    object::{ExportRow, Exported, Object, Opened},
    pool_link::PoolLink,
    works::Works,
};

/// Rows that are answered beside the analytics copy.
const MAX_UNEXPORTED: u32 = 2_500;

/// One user's meter for one product. See `docs/METERING.md`.
#[durable_object(alarm)]
pub struct UsageMeter {
    pub(crate) object: Object<Meter>,
    pub(crate) works: std::cell::RefCell<Works>,
    pub(crate) pool: PoolLink,
}

impl DurableObject for UsageMeter {
    fn new(state: State, env: Env) -> Self {
        Self { object: Object::new(state, env), works: std::cell::RefCell::default(), pool: PoolLink::default() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let body = request.bytes().await?;
        self.object.serve(&body, MeterReply::Failed, async |request| self.answer(request).await).await
    }

    async fn alarm(&self) -> Result<Response> {
        let now = self.object.now();
        self.object.opened()?.upkeep.fired();
        self.expire_due(now)?;
        self.object.look_after().await?;
        self.return_idle(now).await?;
        self.arm().await?;
        Response::empty()
    }
}

impl UsageMeter {
    async fn answer(&self, request: MeterRequest) -> Result<MeterReply> {
        let now = self.object.now();
        if let Some(reply) = nothing_of(&request)
            && self.object.is_blank()?
        {
            return Ok(reply);
        }
        let reply = match request {
            // Anybody can make up a key of a user who does not exist: such a meter keeps nothing.
            MeterRequest::Work { ends, reserves }
                if ends.is_empty()
                    && reserves.iter().all(|reserve| reserve.credential.is_some())
                    && self.object.is_blank()? =>
            {
                let unknown = Worked::Decided(Decision::Refused(Refusal::KeyNotKnown));
                return Ok(MeterReply::Worked(vec![unknown; reserves.len()]));
            }
            MeterRequest::Work { ends, reserves } => MeterReply::Worked(self.work(ends, reserves).await?),
            MeterRequest::Working { id, attempt } => {
                let mut works = self.works.borrow_mut();
                if self.object.opened()?.memory.state.is_open(id) && !works.is_taken_over(id, attempt) {
                    works.heard(id, attempt, now);
                }
                MeterReply::Done
            }
            MeterRequest::Configure { owner, entitlement } => {
                self.object.opened()?.owned_by(owner)?;
                self.command(&Command::Configure(entitlement), now)?
            }
            MeterRequest::Grant(grant) => self.command(&Command::Grant(grant), now)?,
            MeterRequest::KnowKeys(keys) => {
                let mut opened = self.object.opened()?;
                for key in keys {
                    opened.memory.run(&Command::KnowKey(key), None, None, now)?;
                }
                opened.commit(now)?;
                MeterReply::Done
            }
            MeterRequest::RevokeKeys { keys, until } => {
                let mut opened = self.object.opened()?;
                for key in keys {
                    opened.memory.run(&Command::RevokeKey { key, until }, None, None, now)?;
                }
                opened.commit(now)?;
                MeterReply::Done
            }
            MeterRequest::RevokeSession { session, until } => {
                self.command(&Command::RevokeSession { session, until }, now)?
            }
            MeterRequest::Standing { session } => {
                self.expire_due(now)?;
                let opened = self.object.opened()?;
                let state = &opened.memory.state;
                if is_ended(&opened, session) {
                    MeterReply::SessionRevoked
                } else {
                    let (entitlement, standings) = (state.entitlement().copied(), state.standings(now));
                    MeterReply::Standing { entitlement, standings, as_of: now }
                }
            }
            MeterRequest::Unexported { session } => {
                let opened = self.object.opened()?;
                if is_ended(&opened, session) {
                    MeterReply::SessionRevoked
                } else {
                    let rows = opened.unexported(MAX_UNEXPORTED)?.into_iter().filter_map(|row| match row {
                        ExportRow::Usage(row) => Some(row),
                        ExportRow::Mark(_) => None,
                    });
                    MeterReply::Unexported { rows: rows.collect(), confirmed: opened.exports.confirmed }
                }
            }
            MeterRequest::Prove(credential) => return self.prove(&credential, now),
            MeterRequest::Verify { session } => {
                let opened = self.object.opened()?;
                if is_ended(&opened, session) {
                    MeterReply::SessionRevoked
                } else {
                    MeterReply::Verified(opened.verify()?)
                }
            }
            MeterRequest::Recall(lease) => {
                let mut opened = self.object.opened()?;
                // It may not have heard of all it was granted.
                opened.run(&Command::Lease(lease), now)?;
                opened.run(&Command::ReturnIdle, now)?;
                MeterReply::Recalled(report(&opened, now))
            }
            MeterRequest::ReturnToClock => self.command(&Command::ReturnToClock, now)?,
            MeterRequest::Exported(arrived) => {
                self.object.confirm(arrived).await?;
                MeterReply::Done
            }
            MeterRequest::Delete => {
                self.return_all(now).await?;
                self.object.delete().await?;
                return Ok(MeterReply::Done);
            }
        };
        self.arm().await?;
        Ok(reply)
    }

    /// Looks and changes nothing.
    fn prove(&self, credential: &Credential, now: Timestamp) -> Result<MeterReply> {
        Ok(MeterReply::Proven(self.object.opened()?.memory.state.prove(credential, now).err()))
    }

    fn command(&self, command: &Command, now: Timestamp) -> Result<MeterReply> {
        self.object.opened()?.run(command, now)?;
        Ok(MeterReply::Done)
    }

    /// Counts what was never settled and is due.
    pub(crate) fn expire_due(&self, now: Timestamp) -> Result<()> {
        let mut opened = self.object.opened()?;
        if opened.memory.state.next_expiry().is_some_and(|due| due <= now) {
            opened.run(&Command::Expire, now)?;
        }
        Ok(())
    }

    async fn arm(&self) -> Result<()> {
        self.object
            .arm(|opened, now| {
                let state = &opened.memory.state;
                let idle = (!state.idle_lease(now).is_zero()).then(|| opened.upkeep.return_at());
                [state.next_expiry(), idle].into_iter().flatten().min()
            })
            .await
    }
}

/// What a meter that was deleted, or never was, answers to what comes late: it keeps nothing of it.
fn nothing_of(request: &MeterRequest) -> Option<MeterReply> {
    match request {
        MeterRequest::Work { reserves, .. } if reserves.is_empty() => Some(MeterReply::Worked(Vec::new())),
        MeterRequest::Exported(_)
        | MeterRequest::Working { .. }
        | MeterRequest::ReturnToClock
        | MeterRequest::Delete => Some(MeterReply::Done),
        MeterRequest::Recall(_) => Some(MeterReply::Recalled(None)),
        MeterRequest::Prove(_) => Some(MeterReply::Proven(Some(Refusal::KeyNotKnown))),
        MeterRequest::Unexported { .. } => Some(MeterReply::Unexported { rows: Vec::new(), confirmed: 0 }),
        _ => None,
    }
}

/// Whether the session that asks was ended.
fn is_ended(opened: &Opened<Meter>, session: Option<SessionId>) -> bool {
    session.is_some_and(|session| opened.memory.state.is_revoked(session))
}

/// This member's totals for its team's pool; `None` where there is no team.
pub fn report(opened: &Opened<Meter>, now: Timestamp) -> Option<Report> {
    let state = &opened.memory.state;
    let entitlement = state.entitlement().filter(|entitlement| entitlement.pooled)?;
    Some(Report {
        version: opened.memory.rows(),
        period_start: entitlement.terms.period(state.now(now)).start,
        settled: state.in_use(now).0,
        returned: state.lease(now).map(|lease| lease.returned).unwrap_or_default(),
    })
}

impl Exported for Meter {
    const KINDS: &'static str = "'settled', 'settled_late', 'released_late', 'expired', 'mark_reached'";

    fn export(seq: u64, at: Timestamp, event: Event) -> Option<ExportRow> {
        let outcome =
            |outcome: &str| UsageDetail { outcome: outcome.into(), estimated: true, ..UsageDetail::default() };
        Some(match event {
            Event::Settled(settle) => ExportRow::Usage(UsageRow {
                seq,
                at,
                id: settle.id,
                late: false,
                // A ledger of before this was bounded may hold what no copy can.
                amounts: settle.amounts.bounded(),
                detail: settle.detail,
            }),
            Event::SettledLate(settle) => ExportRow::Usage(UsageRow {
                seq,
                at,
                id: settle.id,
                late: true,
                amounts: settle.amounts.bounded(),
                detail: settle.detail,
            }),
            Event::ReleasedLate { id } => ExportRow::Usage(UsageRow {
                seq,
                at,
                id,
                late: true,
                amounts: tollgate_domain::meter::Amounts::ZERO,
                detail: outcome("released"),
            }),
            Event::Expired { id, amounts, request_id } => ExportRow::Usage(UsageRow {
                seq,
                at,
                id,
                late: false,
                amounts,
                detail: UsageDetail { request_id, ..outcome("expired") },
            }),
            Event::MarkReached { meter, percent, used, limit } => {
                ExportRow::Mark(MarkRow { seq, at, meter, percent, used, limit })
            }
            _ => return None,
        })
    }

    fn entitlement(&self) -> Option<&tollgate_domain::meter::Entitlement> {
        Self::entitlement(self)
    }

    fn standings(&self, now: Timestamp) -> Vec<tollgate_domain::meter::Standing> {
        Self::standings(self, now)
    }
}
