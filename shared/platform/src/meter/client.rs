//! Calls of a meter object.

use std::time::Duration;

use tollgate_api::{Code, Problem};
use tollgate_domain::{
    catalogue::Product,
    id::{ReservationId, SessionId, TenantId, UserId},
    meter::{Decision, Entitlement, Refusal, Reserve},
    time::Timestamp,
};
use worker::Delay;

use super::{
    export::{Owner, UsageRow},
    object,
    pending::{self, HOLD_MS, When},
    wire::{End, MeterReply, MeterRequest, Verified, Worked},
};
use crate::{Scope, clock, identity::Caller, store};

/// The object did not answer. Closed for anything that costs money: the caller answers 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the meter cannot be reached")]
pub struct MeterUnavailable;

impl From<MeterUnavailable> for Problem {
    fn from(_: MeterUnavailable) -> Self {
        Self::dependency("meter")
    }
}

/// One user's meter for one product.
#[derive(Debug, Clone)]
pub struct MeterClient {
    owner: Owner,
    object: String,
}

impl MeterClient {
    /// The meter of a verified caller.
    pub fn of(caller: &Caller) -> Self {
        Self::named(caller.tenant, caller.user, caller.product)
    }

    /// The meter of a user of a tenant, for billing and sign-in.
    pub fn named(tenant: TenantId, user: UserId, product: Product) -> Self {
        let owner = Owner { tenant, user: Some(user), product };
        Self { owner, object: owner.object_name() }
    }

    /// Asks for a reservation, taking along the settles that wait.
    ///
    /// # Errors
    /// 503 when the meter cannot be reached.
    pub async fn reserve(&self, scope: &Scope, caller: &Caller, reserve: &Reserve) -> Result<Worked, Problem> {
        let ends = pending::with(|queues| queues.depart(&self.object, clock::wall().as_millis()));
        let request = MeterRequest::Work { ends, reserve: Some(reserve.clone()) };
        let mut reply = self.call(scope, &request).await;
        if let Ok(MeterReply::Worked(Worked::Decided(Decision::Refused(Refusal::NotConfigured)))) = &reply {
            reply = match self.configure_late(scope, caller).await {
                Ok(()) => {
                    self.call(scope, &MeterRequest::Work { ends: Vec::new(), reserve: Some(reserve.clone()) }).await
                }
                Err(problem) => {
                    pending::with(|queues| queues.arrive(&self.object));
                    return Err(problem);
                }
            };
        }
        if let Ok(MeterReply::Worked(worked)) = reply {
            if !matches!(worked, Worked::Decided(Decision::Admitted(_) | Decision::AdmittedBefore(_))) {
                pending::with(|queues| queues.arrive(&self.object));
            }
            return Ok(worked);
        }
        // Sending an end twice is harmless: a reservation ends once.
        let mut ends = if let MeterRequest::Work { ends, .. } = request { ends } else { Vec::new() };
        // The object may have decided, and only its answer was lost: the work will not be done.
        ends.push(End::Release { id: reserve.id, attempt: reserve.id, key: reserve.key.clone(), answer: None });
        pending::with(|queues| {
            queues.arrive(&self.object);
            queues.put_back(&self.object, ends);
        });
        let (client, sender) = (self.clone(), scope.clone());
        scope.wait_until(async move { client.flush(&sender).await });
        Err(MeterUnavailable.into())
    }

    /// A meter that was never told its plan (the push after the registration was lost) is told now.
    async fn configure_late(&self, scope: &Scope, caller: &Caller) -> Result<(), Problem> {
        let row = store::subscription(scope, caller.tenant, caller.user, caller.product, caller.session).await?;
        let entitlement = row.and_then(|row| row.entitlement(caller.product)).ok_or_else(|| {
            Problem::new(Code::PlanLacksFeature, format!("There is no subscription to {}.", caller.product))
        })?;
        Ok(self.configure(scope, entitlement).await?)
    }

    /// Says that the work under an idempotency key goes on; what is lost is said again.
    pub async fn working(&self, scope: &Scope, id: ReservationId, attempt: ReservationId) {
        // Failing is logged where it happens, and the next one is not far.
        let _ = self.done(scope, &MeterRequest::Working { id, attempt }).await;
    }

    /// Reports how a reservation ended, after the answer: at once, or on the next reserve of a busy user.
    pub fn end(&self, scope: &Scope, end: End) {
        let keyed = matches!(&end, End::Settle { answer: Some(_), .. } | End::Release { answer: Some(_), .. });
        let when = pending::with(|queues| {
            queues.arrive(&self.object);
            queues.push(&self.object, end, clock::wall().as_millis())
        });
        let (client, sender) = (self.clone(), scope.clone());
        match when {
            // Others wait for a kept answer.
            _ if keyed => scope.wait_until(async move { client.flush(&sender).await }),
            When::Now => scope.wait_until(async move { client.flush(&sender).await }),
            When::Later => scope.wait_until(async move {
                Delay::from(Duration::from_millis(HOLD_MS.unsigned_abs())).await;
                client.flush(&sender).await;
            }),
            When::WithOthers => {}
        }
    }

    /// Sends what waits, with a few tries; what is lost in the end expires and counts at its estimate.
    async fn flush(&self, scope: &Scope) {
        for pause_ms in [100, 500, 2_000] {
            let ends = pending::with(|queues| queues.take(&self.object));
            if ends.is_empty() {
                return;
            }
            let request = MeterRequest::Work { ends, reserve: None };
            if let Ok(MeterReply::Worked(_)) = self.call(scope, &request).await {
                return;
            }
            if let MeterRequest::Work { ends, .. } = request {
                pending::with(|queues| queues.put_back(&self.object, ends));
            }
            Delay::from(Duration::from_millis(pause_ms)).await;
        }
        crate::log::error("meter", "settles could not be sent; they wait for the next reserve or expire", Some(scope));
    }

    /// Pushes a plan.
    ///
    /// # Errors
    /// When the meter cannot be reached.
    pub async fn configure(&self, scope: &Scope, entitlement: Entitlement) -> Result<(), MeterUnavailable> {
        self.done(scope, &MeterRequest::Configure { owner: self.owner, entitlement }).await
    }

    /// Stops a session at once.
    ///
    /// # Errors
    /// When the meter cannot be reached.
    pub async fn revoke_session(
        &self,
        scope: &Scope,
        session: SessionId,
        until: Timestamp,
    ) -> Result<(), MeterUnavailable> {
        self.done(scope, &MeterRequest::RevokeSession { session, until }).await
    }

    /// Where the meters stand.
    ///
    /// # Errors
    /// 401 when the session was ended, 503 when the meter cannot be reached.
    pub async fn standing(&self, scope: &Scope, session: SessionId) -> Result<MeterReply, Problem> {
        let reply = self.call(scope, &MeterRequest::Standing { session }).await?;
        Self::session_stands(scope, reply)
    }

    /// Usage that the analytics copy does not have yet, oldest first, and the last row that it has.
    ///
    /// # Errors
    /// 401 when the session was ended, 503 when the meter cannot be reached.
    pub async fn unexported(&self, scope: &Scope, session: SessionId) -> Result<(Vec<UsageRow>, u64), Problem> {
        let reply = self.call(scope, &MeterRequest::Unexported { session }).await?;
        match Self::session_stands(scope, reply)? {
            MeterReply::Unexported { rows, confirmed } => Ok((rows, confirmed)),
            _ => Err(MeterUnavailable.into()),
        }
    }

    /// Walks the ledger.
    ///
    /// # Errors
    /// 401 when the session was ended, 503 when the meter cannot be reached.
    pub async fn verify(&self, scope: &Scope, session: SessionId) -> Result<Verified, Problem> {
        let reply = self.call(scope, &MeterRequest::Verify { session }).await?;
        match Self::session_stands(scope, reply)? {
            MeterReply::Verified(verified) => Ok(verified),
            _ => Err(MeterUnavailable.into()),
        }
    }

    fn session_stands(scope: &Scope, reply: MeterReply) -> Result<MeterReply, Problem> {
        match reply {
            MeterReply::SessionRevoked => {
                Err(Problem::refusal(&Refusal::SessionRevoked, scope.now(), &scope.settings().public_url))
            }
            MeterReply::Failed => Err(MeterUnavailable.into()),
            reply => Ok(reply),
        }
    }

    async fn done(&self, scope: &Scope, request: &MeterRequest) -> Result<(), MeterUnavailable> {
        match self.call(scope, request).await? {
            MeterReply::Done => Ok(()),
            _ => Err(MeterUnavailable),
        }
    }

    async fn call(&self, scope: &Scope, request: &MeterRequest) -> Result<MeterReply, MeterUnavailable> {
        object::call_for(scope, "METER", &self.object, request).await.map_err(|error| {
            crate::log::error("meter", &format!("{error:?}"), Some(scope));
            MeterUnavailable
        })
    }
}
