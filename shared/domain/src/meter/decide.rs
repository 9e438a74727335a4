//! The decision for a command: pure, and without a change to the state.

use super::{
    Admitted, Amounts, Bucket, Command, Decision, Event, IDEMPOTENCY_WINDOW_MS, LeaseGrant, Limit, MeterName, Prior,
    RateLimit, Refusal, Reserve, State,
};
use crate::{clock_leap::Leaping as _, time::Timestamp};

/// Why a reservation cannot be had.
enum Obstacle {
    Refused(Refusal),
    /// The lease is too small.
    Short,
}

impl State {
    /// Decides a command and takes its events in: what [`State::decide`] and [`State::apply`] do, and the marks that were
    /// reached by it. Should the events not become durable, the state is wrong and must be read anew.
    pub fn carry_out(&mut self, command: &Command, prior: Option<&Prior>, clock: Timestamp) -> (Decision, Vec<Event>) {
        let at = self.instant(command, clock);
        let is_told = matches!(command, Command::ReturnToClock);
        let returned = (!is_told && self.is_back(clock)).then_some(Event::ClockReturned { from: self.latest });
        if let Some(event) = &returned {
            self.apply(at, event);
        }
        let (decision, mut events) = self.decide(command, prior, clock);
        if !is_told && !events.is_empty() && self.leaps_to(at) {
            events.insert(0, Event::ClockLeapt { from: self.latest });
        }
        for event in &events {
            self.apply(at, event);
        }
        events.splice(0..0, returned);
        let counted = events
            .iter()
            .any(|event| matches!(event, Event::Settled(_) | Event::SettledLate(_) | Event::Expired { .. }));
        if counted {
            for event in self.marks_reached(at) {
                self.apply(at, &event);
                events.push(event);
            }
        }
        (decision, events)
    }

    /// The instant that a command is judged at, and its events are written with.
    pub fn instant(&self, command: &Command, clock: Timestamp) -> Timestamp {
        match command {
            Command::ReturnToClock => self.returns_to(clock).unwrap_or_else(|| self.now(clock)),
            _ => self.now(clock),
        }
    }

    /// The highest mark that each meter has reached, where it was not told of in this period. A team's marks are its
    /// pool's to tell.
    fn marks_reached(&self, now: Timestamp) -> Vec<Event> {
        if self.entitlement.is_none_or(|entitlement| entitlement.pooled) {
            return Vec::new();
        }
        self.standings(now)
            .into_iter()
            .filter_map(|standing| {
                let percent = standing.mark_beyond(self.marks.get(&standing.meter).copied())?;
                let (meter, used, limit) = (standing.meter, standing.used, standing.limit?);
                Some(Event::MarkReached { meter, percent, used, limit })
            })
            .collect()
    }

    /// Decides a command at an instant. The events are to be made durable in one transaction, then given to
    /// [`State::apply`] in order, then the decision may leave.
    ///
    /// `prior` is what the ledger holds under the command's idempotency key, if it has one.
    pub fn decide(&self, command: &Command, prior: Option<&Prior>, clock: Timestamp) -> (Decision, Vec<Event>) {
        let now = self.now(clock);
        match command {
            Command::Configure(entitlement) => {
                let known = self.entitlement.as_ref().is_some_and(|held| held.version >= entitlement.version);
                (Decision::Done, if known { Vec::new() } else { vec![Event::Configured(*entitlement)] })
            }
            Command::Grant(grant) => {
                let useless = self.grants.contains(grant.id) || grant.expires_at <= now || grant.amount == 0;
                (Decision::Done, if useless { Vec::new() } else { vec![Event::Granted(*grant)] })
            }
            Command::Reserve(reserve) => self.reserve(reserve, prior, now),
            Command::Refuse(reserve, refusal) => self.refuse(reserve, refusal, prior, now),
            Command::Lease(grant) => (Decision::Done, self.lease_event(grant, now)),
            Command::ReturnIdle => (Decision::Done, self.return_idle(now)),
            Command::Settle(settle) => {
                // What comes from a provider by way of the shell is believed within bounds: nothing that is settled can make the
                // state's sums saturate, or use up a plan that nobody used.
                let events = if let Some(hold) = self.held.get(&settle.id) {
                    vec![Event::Settled(settle.believable_or(hold.amounts))]
                } else if let Some(hold) = self.expired.get(&settle.id) {
                    vec![Event::SettledLate(settle.believable_or(hold.amounts))]
                } else {
                    Vec::new()
                };
                (Decision::Done, events)
            }
            Command::Release(id) => (
                Decision::Done,
                if self.is_held(*id) {
                    vec![Event::Released { id: *id }]
                } else if self.is_open(*id) {
                    vec![Event::ReleasedLate { id: *id }]
                } else {
                    Vec::new()
                },
            ),
            Command::Expire => (Decision::Done, self.due(now)),
            Command::SeeClock => (Decision::Done, Vec::new()),
            Command::ReturnToClock => {
                let event = self.returns_to(clock).map(|_| Event::ClockReturned { from: self.latest });
                (Decision::Done, event.into_iter().collect())
            }
            Command::KnowKey(key) => {
                (Decision::Done, self.keys.news(key, now).map(Event::KeyKnown).into_iter().collect())
            }
            Command::RevokeKey { key, until } => {
                let event = Event::KeyRevoked { key: *key, until: *until };
                (Decision::Done, if *until > now { vec![event] } else { Vec::new() })
            }
            Command::RevokeSession { session, until } => {
                let event = Event::SessionRevoked { session: *session, until: *until };
                (Decision::Done, if *until > now { vec![event] } else { Vec::new() })
            }
        }
    }

    fn due(&self, now: Timestamp) -> Vec<Event> {
        self.held
            .iter()
            .filter(|(_, hold)| hold.until <= now)
            .map(|(id, hold)| Event::Expired { id: *id, amounts: hold.amounts, request_id: hold.request_id.clone() })
            .collect()
    }

    fn reserve(&self, reserve: &Reserve, prior: Option<&Prior>, now: Timestamp) -> (Decision, Vec<Event>) {
        // A revoked session gets nothing, not even the repetition of an older decision.
        if reserve.session.is_some_and(|session| self.is_revoked(session)) {
            return (Decision::Refused(Refusal::SessionRevoked), Vec::new());
        }
        // Nor does a key that is not good.
        let of_key = match reserve.credential.as_ref().map(|credential| self.keys.verify(credential, now)) {
            Some(Err(refusal)) => return (Decision::Refused(refusal), Vec::new()),
            Some(Ok(rate)) => rate,
            None => None,
        };
        if let Some(prior) = prior
            && let Some(decision) = self.repeat(reserve, prior, now)
        {
            return (decision, Vec::new());
        }
        let rates = match self.take_rates(of_key, now) {
            Ok(rates) => rates,
            Err(refusal) => return (Decision::Refused(refusal), Vec::new()),
        };
        match self.obstacle(reserve, now) {
            Some(Obstacle::Short) => (Decision::Short { needed: reserve.least() }, Vec::new()),
            Some(Obstacle::Refused(refusal)) => {
                let events = remembered(reserve, &refusal);
                (Decision::Refused(refusal), events)
            }
            None => {
                let amounts = self.held_for(reserve, now);
                let event = Event::Reserved {
                    id: reserve.id,
                    amounts,
                    request_id: reserve.request_id.clone(),
                    expires_at: now.plus_millis(reserve.ttl_ms.max(1)),
                    fingerprint: reserve.fingerprint.clone(),
                    rates,
                };
                let mut standing = self.standings(now);
                for meter in &mut standing {
                    meter.reserved = meter.reserved.saturating_add(amounts.get(meter.meter));
                }
                let trial_ends_at = self.trial_ends_at();
                let admitted = Admitted { id: reserve.id, amounts, standing, trial_ends_at };
                (Decision::Admitted(admitted), vec![event])
            }
        }
    }

    /// The team's pool had nothing left. The key may have been decided while it was asked.
    fn refuse(
        &self,
        reserve: &Reserve,
        refusal: &Refusal,
        prior: Option<&Prior>,
        now: Timestamp,
    ) -> (Decision, Vec<Event>) {
        match prior.and_then(|prior| self.repeat(reserve, prior, now)) {
            Some(decision) => (decision, Vec::new()),
            None => (Decision::Refused(refusal.clone()), remembered(reserve, refusal)),
        }
    }

    fn lease_event(&self, grant: &LeaseGrant, now: Timestamp) -> Vec<Event> {
        let Some(entitlement) = &self.entitlement else {
            return Vec::new();
        };
        let known = self.lease(now).map_or(Amounts::ZERO, |lease| lease.granted);
        let is_news = known.max(grant.granted) != known;
        if is_news && grant.period == entitlement.terms.period(now) { vec![Event::Leased(*grant)] } else { Vec::new() }
    }

    fn return_idle(&self, now: Timestamp) -> Vec<Event> {
        let idle = self.idle_lease(now);
        match self.lease(now) {
            Some(lease) if !idle.is_zero() => vec![Event::Returned { returned: lease.returned.plus(idle) }],
            _ => Vec::new(),
        }
    }

    /// The buckets of the rate limits after one more request.
    fn take_rates(&self, of_key: Option<(Bucket, RateLimit)>, now: Timestamp) -> Result<Vec<(Bucket, i64)>, Refusal> {
        let of_user = self.entitlement.and_then(|entitlement| entitlement.rate).map(|limit| (Bucket::User, limit));
        [of_user, of_key]
            .into_iter()
            .flatten()
            .map(|(bucket, limit)| match limit.take(self.rates.get(&bucket).copied(), now) {
                Ok(full_at) => Ok((bucket, full_at)),
                Err(retry_after_ms) => Err(Refusal::RateLimited { limit, bucket, retry_after_ms }),
            })
            .collect()
    }

    /// The same decision for the same key, for as long as it is kept.
    fn repeat(&self, reserve: &Reserve, prior: &Prior, now: Timestamp) -> Option<Decision> {
        if prior.at.plus_millis(IDEMPOTENCY_WINDOW_MS) <= now {
            return None;
        }
        let (fingerprint, decision) = match &prior.event {
            Event::Reserved { id, amounts, fingerprint, .. } => (
                fingerprint,
                Decision::AdmittedBefore(Admitted {
                    id: *id,
                    amounts: *amounts,
                    standing: self.standings(now),
                    trial_ends_at: self.trial_ends_at(),
                }),
            ),
            Event::Refused { refusal, fingerprint } => (fingerprint, Decision::Refused(refusal.clone())),
            _ => return None,
        };
        Some(if *fingerprint == reserve.fingerprint { decision } else { Decision::Refused(Refusal::KeyReused) })
    }

    /// What an admitted reservation holds: its amounts, and what is granted to its answer. Under a hard limit, or a lease
    /// from the team's pool, everything that may still be answered is held.
    fn held_for(&self, reserve: &Reserve, now: Timestamp) -> Amounts {
        let (Some(room), Some(entitlement)) = (reserve.answer, &self.entitlement) else {
            return reserve.amounts;
        };
        let is_hard = entitlement.pooled || matches!(entitlement.limits.tokens, Limit::Hard(_));
        let capacity = self.capacity(entitlement, MeterName::Tokens, now).filter(|_| is_hard);
        let granted = capacity.map_or(room.least, |capacity| {
            let (settled, reserved) = self.in_use(now);
            let in_use = settled.plus(reserved).plus(reserve.amounts).tokens;
            // Admitted, so the least fits.
            room.granted(capacity.saturating_sub(in_use), self.held_count()).unwrap_or(room.least)
        });
        Amounts { tokens: reserve.amounts.tokens.saturating_add(granted), ..reserve.amounts }
    }

    /// Why this reservation cannot be had; `None` when it can.
    fn obstacle(&self, reserve: &Reserve, now: Timestamp) -> Option<Obstacle> {
        let Some(entitlement) = &self.entitlement else {
            return Some(Obstacle::Refused(Refusal::NotConfigured));
        };
        if let Some(refusal) = entitlement.terms.over(now, entitlement.plan) {
            return Some(Obstacle::Refused(refusal));
        }
        if reserve.needs_confirmed && !entitlement.may_cost() {
            return Some(Obstacle::Refused(Refusal::EmailNotVerified));
        }
        let needed = reserve.least();
        let asked = || MeterName::ALL.into_iter().filter(|meter| needed.get(*meter) > 0);
        if let Some(meter) = asked().find(|meter| entitlement.limits.get(*meter) == Limit::NotIncluded) {
            return Some(Obstacle::Refused(Refusal::NotIncluded { meter, plan: entitlement.plan }));
        }
        let (settled, reserved) = self.in_use(now);
        let in_use = settled.plus(reserved);
        let meter = asked().find(|meter| {
            let requested = needed.get(*meter);
            self.capacity(entitlement, *meter, now)
                .is_some_and(|capacity| requested > capacity.saturating_sub(in_use.get(*meter)))
        })?;
        if entitlement.pooled {
            return Some(Obstacle::Short);
        }
        let standing = self.standings(now).into_iter().find(|standing| standing.meter == meter)?;
        let requested = needed.get(meter);
        Some(Obstacle::Refused(Refusal::QuotaExceeded { standing, requested, plan: entitlement.plan }))
    }
}

/// What is kept of a refusal, so that a retry under the same key gets the same answer.
fn remembered(reserve: &Reserve, refusal: &Refusal) -> Vec<Event> {
    if reserve.key.is_none() || refusal.is_passing() {
        return Vec::new();
    }
    vec![Event::Refused { refusal: refusal.clone(), fingerprint: reserve.fingerprint.clone() }]
}
