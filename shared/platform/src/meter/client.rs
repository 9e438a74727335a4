//! Calls of a meter object.

use std::{rc::Rc, time::Duration};

use tollgate_api::{Code, Problem};
use tollgate_domain::{
    catalogue::Product,
    id::{ApiKeyId, ReservationId, SessionId, TenantId, UserId},
    meter::{Decision, Entitlement, MeterKey, REVOKED_KEY_MS, Refusal, Reserve},
    time::Timestamp,
};
use worker::Delay;

use super::{
    export::{ExportBatch, Owner, UsageRow},
    object,
    pending::{self, GATHER_MS, HOLD_MS, PATIENCE_MS, When},
    proven,
    ticket::Ticket,
    wire::{End, MeterReply, MeterRequest, Verified, Worked},
};
use crate::{
    Scope, clock,
    identity::{Asker, Payer, api_key},
    store,
};

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
    /// The meter of whoever pays.
    pub fn of(caller: &impl Payer) -> Self {
        let (tenant, user, product) = caller.payer();
        Self::named(tenant, user, product)
    }

    /// The meter of a user of a tenant, for billing and sign-in.
    pub fn named(tenant: TenantId, user: UserId, product: Product) -> Self {
        let owner = Owner { tenant, user: Some(user), product };
        Self { owner, object: owner.object_name() }
    }

    /// Asks for a reservation, taking along the settles and the reserves that wait; or goes along itself. The meter
    /// verifies the caller's key; one that it does not know is looked up and told, once.
    ///
    /// # Errors
    /// 503 when the meter cannot be reached, 401 for a key that is not good.
    pub async fn reserve(&self, scope: &Scope, caller: &Asker, reserve: &Reserve) -> Result<Worked, Problem> {
        let now = clock::wall().as_millis();
        let in_company = pending::with(|queues| queues.begin(self.owner, now));
        let mut told = false;
        let worked = loop {
            let worked = if in_company && reserve.key.is_none() && !told {
                self.travel(scope, caller, reserve).await
            } else {
                // Under an idempotency key the object may let the caller wait for an answer: nobody else should wait with it.
                only(self.work(scope, caller, vec![reserve.clone()]).await)
            };
            if told || !matches!(&worked, Ok(Worked::Decided(Decision::Refused(Refusal::KeyNotKnown)))) {
                break worked;
            }
            if let Err(problem) = self.introduce(scope, caller).await {
                break Err(problem);
            }
            told = true;
        };
        if !matches!(&worked, Ok(Worked::Decided(Decision::Admitted(_) | Decision::AdmittedBefore(_)))) {
            pending::with(|queues| queues.arrive(self.owner));
        }
        worked
    }

    /// Has a caller's key proven, before anything is reserved with it: by what this isolate knows, or by a call. A session's
    /// token is its own proof.
    ///
    /// # Errors
    /// 401 or 403 for a key that is not good, 503 when the meter cannot be reached.
    pub async fn prove(&self, scope: &Scope, caller: &Asker) -> Result<(), Problem> {
        let Some(credential) = caller.credential() else { return Ok(()) };
        let now = scope.now();
        if proven::is_known(&credential, now) {
            return Ok(());
        }
        match self.call(scope, &MeterRequest::Prove(credential)).await? {
            MeterReply::Proven(None) => {}
            // The look-up says whether it is good, and remembers one that is not.
            MeterReply::Proven(Some(Refusal::KeyNotKnown)) => self.introduce(scope, caller).await?,
            MeterReply::Proven(Some(refusal)) => {
                return Err(Problem::refusal(&refusal, now, &scope.settings().public_url));
            }
            _ => return Err(MeterUnavailable.into()),
        }
        proven::remember(&credential, now);
        Ok(())
    }

    /// Tells the meter of a key that it does not know (the push was lost), once it is found good.
    async fn introduce(&self, scope: &Scope, caller: &Asker) -> Result<(), Problem> {
        let token = caller.token().ok_or(MeterUnavailable)?;
        let (key, _) = api_key::look_up(scope, token).await?;
        Ok(self.know_keys(scope, vec![key.for_meter()]).await?)
    }

    /// Waits for others of the same user, and goes with them.
    async fn travel(&self, scope: &Scope, caller: &Asker, reserve: &Reserve) -> Result<Worked, Problem> {
        let ticket = Rc::new(Ticket::new(reserve.clone()));
        pending::with(|queues| queues.wait(self.owner, Rc::clone(&ticket)));
        let give_up = clock::wall().plus_millis(PATIENCE_MS);
        loop {
            Delay::from(Duration::from_millis(GATHER_MS.unsigned_abs())).await;
            if let Some(answer) = ticket.told() {
                return answer;
            }
            let now = clock::wall();
            if !ticket.has_departed()
                && let Some(tickets) = pending::with(|queues| queues.set_out(self.owner, now.as_millis()))
            {
                let convoy = Convoy { owner: self.owner, tickets };
                let worked = self.work(scope, caller, convoy.reserves()).await;
                convoy.arrive(worked);
            } else if now >= give_up {
                crate::log::warn("meter", "a call that others went along with never came back", Some(scope));
                pending::with(|queues| queues.leave(self.owner, |waiting| Rc::ptr_eq(waiting, &ticket)));
                self.give_back(scope, [reserve]);
                return Err(MeterUnavailable.into());
            }
            // Whoever sets out takes itself along, unless the convoy was full: then it goes with the next.
            if let Some(answer) = ticket.told() {
                return answer;
            }
        }
    }

    /// Sends the settles that wait, and reserves; answers each of the reserves.
    async fn work(&self, scope: &Scope, caller: &Asker, reserves: Vec<Reserve>) -> Result<Vec<Worked>, Problem> {
        let ends = pending::with(|queues| queues.take(self.owner));
        let mut request = MeterRequest::Work { ends, reserves };
        let mut reply = self.call(scope, &request).await;
        if let (Ok(MeterReply::Worked(worked)), MeterRequest::Work { ends, .. }) = (&reply, &mut request)
            // Each reserve brings its own credential: one with a key that the meter does not know is refused before.
            && worked.iter().any(|worked| matches!(worked, Worked::Decided(Decision::Refused(Refusal::NotConfigured))))
        {
            ends.clear();
            self.configure_late(scope, caller).await?;
            reply = self.call(scope, &request).await;
        }
        let MeterRequest::Work { ends, reserves } = request else { return Err(MeterUnavailable.into()) };
        if let Ok(MeterReply::Worked(worked)) = reply
            && worked.len() == reserves.len()
        {
            return Ok(worked);
        }
        // Sending an end twice is harmless: a reservation ends once.
        pending::with(|queues| queues.put_back(self.owner, ends));
        self.give_back(scope, &reserves);
        Err(MeterUnavailable.into())
    }

    /// The object may have decided, and only its answer was lost: the work will not be done.
    fn give_back<'a>(&self, scope: &Scope, reserves: impl IntoIterator<Item = &'a Reserve>) {
        let ends = reserves.into_iter().map(|reserve| End::Release {
            id: reserve.id,
            attempt: reserve.id,
            key: reserve.key.clone(),
            answer: None,
        });
        pending::with(|queues| queues.put_back(self.owner, ends.collect()));
        let (client, sender) = (self.clone(), scope.clone());
        scope.wait_until(async move { client.flush(&sender).await });
    }

    /// A meter that was never told its plan (the push after the registration was lost) is told now.
    async fn configure_late(&self, scope: &Scope, caller: &Asker) -> Result<(), Problem> {
        let (tenant, user, product) = caller.payer();
        let row = store::subscription(scope, tenant, user, product, caller.session()).await?;
        // A deleted user's meter knows no ended session any more; a team's plan would open it again.
        // Without a row, too: whoever signed in had a subscription then.
        if caller.session().is_some() && row.as_ref().is_none_or(|row| row.session_stands == 0) {
            return Err(Problem::new(Code::SessionRevoked, "This session was ended. Sign in again."));
        }
        let entitlement = row
            .and_then(|row| row.entitlement(product))
            .ok_or_else(|| Problem::new(Code::PlanLacksFeature, format!("There is no subscription to {product}.")))?;
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
            queues.arrive(self.owner);
            queues.push(self.owner, end, clock::wall().as_millis())
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
            let ends = pending::with(|queues| queues.take(self.owner));
            if ends.is_empty() {
                return;
            }
            let request = MeterRequest::Work { ends, reserves: Vec::new() };
            if let Ok(MeterReply::Worked(_)) = self.call(scope, &request).await {
                return;
            }
            if let MeterRequest::Work { ends, .. } = request {
                pending::with(|queues| queues.put_back(self.owner, ends));
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

    /// Tells of API keys.
    ///
    /// # Errors
    /// When the meter cannot be reached.
    pub async fn know_keys(&self, scope: &Scope, keys: Vec<MeterKey>) -> Result<(), MeterUnavailable> {
        self.done(scope, &MeterRequest::KnowKeys(keys)).await
    }

    /// Stops API keys at once.
    ///
    /// # Errors
    /// When the meter cannot be reached.
    pub async fn revoke_keys(&self, scope: &Scope, keys: Vec<ApiKeyId>) -> Result<(), MeterUnavailable> {
        let until = scope.now().plus_millis(REVOKED_KEY_MS);
        self.done(scope, &MeterRequest::RevokeKeys { keys, until }).await
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

    /// Copies to the analytics database what is not there yet, then empties the object. `false` while work goes on: it is
    /// waited for, until it ends or expires.
    ///
    /// # Errors
    /// 503 when the meter or the database cannot be reached.
    pub async fn hand_over_and_delete(&self, scope: &Scope) -> Result<bool, Problem> {
        loop {
            if let MeterReply::Standing { standings, .. } = self.standing(scope, None).await?
                && standings.iter().any(|standing| standing.reserved > 0)
            {
                return Ok(false);
            }
            let (usage, confirmed) = self.unexported(scope, None).await?;
            let Some(through) = usage.last().map(|row| row.seq) else { break };
            let batch = ExportBatch { owner: self.owner, after: confirmed, through, usage, marks: Vec::new() };
            store::write_export(scope, &batch).await?;
            self.done(scope, &MeterRequest::Exported(vec![(confirmed, through)])).await?;
        }
        self.delete(scope).await?;
        Ok(true)
    }

    /// Brings the meter back to the clock, where it is ahead of it.
    ///
    /// # Errors
    /// When the meter cannot be reached.
    pub async fn return_to_clock(&self, scope: &Scope) -> Result<(), MeterUnavailable> {
        self.done(scope, &MeterRequest::ReturnToClock).await
    }

    /// Empties the object.
    ///
    /// # Errors
    /// When the meter cannot be reached.
    pub async fn delete(&self, scope: &Scope) -> Result<(), MeterUnavailable> {
        self.done(scope, &MeterRequest::Delete).await
    }

    /// Where the meters stand.
    ///
    /// # Errors
    /// 401 when the session was ended, 503 when the meter cannot be reached.
    pub async fn standing(&self, scope: &Scope, session: impl Into<Option<SessionId>>) -> Result<MeterReply, Problem> {
        let reply = self.call(scope, &MeterRequest::Standing { session: session.into() }).await?;
        Self::session_stands(scope, reply)
    }

    /// Usage that the analytics copy does not have yet, oldest first, and the last row that it has.
    ///
    /// # Errors
    /// 401 when the session was ended, 503 when the meter cannot be reached.
    pub async fn unexported(
        &self,
        scope: &Scope,
        session: impl Into<Option<SessionId>>,
    ) -> Result<(Vec<UsageRow>, u64), Problem> {
        let reply = self.call(scope, &MeterRequest::Unexported { session: session.into() }).await?;
        match Self::session_stands(scope, reply)? {
            MeterReply::Unexported { rows, confirmed } => Ok((rows, confirmed)),
            _ => Err(MeterUnavailable.into()),
        }
    }

    /// Walks the ledger.
    ///
    /// # Errors
    /// 401 when the session was ended, 503 when the meter cannot be reached.
    pub async fn verify(&self, scope: &Scope, session: impl Into<Option<SessionId>>) -> Result<Verified, Problem> {
        let reply = self.call(scope, &MeterRequest::Verify { session: session.into() }).await?;
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

/// A call of several reserves: whatever becomes of it, everybody who went along is told.
struct Convoy {
    owner: Owner,
    tickets: Vec<Rc<Ticket>>,
}

impl Convoy {
    fn reserves(&self) -> Vec<Reserve> {
        self.tickets.iter().inspect(|ticket| ticket.depart()).map(|ticket| ticket.reserve.clone()).collect()
    }

    fn arrive(mut self, worked: Result<Vec<Worked>, Problem>) {
        let tickets = std::mem::take(&mut self.tickets);
        match worked {
            Ok(worked) => {
                for (ticket, worked) in tickets.into_iter().zip(worked) {
                    ticket.tell(Ok(worked));
                }
            }
            Err(problem) => {
                for ticket in tickets {
                    ticket.tell(Err(problem.clone()));
                }
            }
        }
    }
}

impl Drop for Convoy {
    fn drop(&mut self) {
        for ticket in self.tickets.drain(..) {
            ticket.tell(Err(MeterUnavailable.into()));
        }
        pending::with(|queues| queues.back(self.owner));
    }
}

fn only(worked: Result<Vec<Worked>, Problem>) -> Result<Worked, Problem> {
    worked?.into_iter().next().ok_or_else(|| MeterUnavailable.into())
}
