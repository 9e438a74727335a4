//! The decision for a command: pure, and without a change to the state.

use super::{
    Admitted, Command, Decision, Event, IDEMPOTENCY_WINDOW_MS, Limit, MeterName, Prior, Refusal, Reserve, State,
};
use crate::{meter::Terms, time::Timestamp};

impl State {
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
            Command::Reserve(reserve) => self.reserve(reserve, prior, now),
            Command::Settle(settle) => (
                Decision::Done,
                if self.is_held(settle.id) {
                    vec![Event::Settled(settle.clone())]
                } else if self.is_open(settle.id) {
                    vec![Event::SettledLate(settle.clone())]
                } else {
                    Vec::new()
                },
            ),
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
            .map(|(id, hold)| Event::Expired { id: *id, amounts: hold.amounts })
            .collect()
    }

    fn reserve(&self, reserve: &Reserve, prior: Option<&Prior>, now: Timestamp) -> (Decision, Vec<Event>) {
        // A revoked session gets nothing, not even the repetition of an older decision.
        if reserve.session.is_some_and(|session| self.is_revoked(session)) {
            return (Decision::Refused(Refusal::SessionRevoked), Vec::new());
        }
        if let Some(prior) = prior
            && let Some(decision) = self.repeat(reserve, prior, now)
        {
            return (decision, Vec::new());
        }
        match self.refusal(reserve, now) {
            // Not remembered: it is mended by a push, and the same key must then work.
            Some(Refusal::NotConfigured) => (Decision::Refused(Refusal::NotConfigured), Vec::new()),
            Some(refusal) => {
                let events = if reserve.key.is_some() {
                    vec![Event::Refused { refusal: refusal.clone(), fingerprint: reserve.fingerprint.clone() }]
                } else {
                    Vec::new()
                };
                (Decision::Refused(refusal), events)
            }
            None => {
                let event = Event::Reserved {
                    id: reserve.id,
                    amounts: reserve.amounts,
                    expires_at: now.plus_millis(reserve.ttl_ms.max(1)),
                    fingerprint: reserve.fingerprint.clone(),
                };
                let mut standing = self.standings(now);
                for meter in &mut standing {
                    meter.reserved = meter.reserved.saturating_add(reserve.amounts.get(meter.meter));
                }
                (Decision::Admitted(Admitted { id: reserve.id, amounts: reserve.amounts, standing }), vec![event])
            }
        }
    }

    /// The same decision for the same key, for as long as it is kept.
    fn repeat(&self, reserve: &Reserve, prior: &Prior, now: Timestamp) -> Option<Decision> {
        if prior.at.plus_millis(IDEMPOTENCY_WINDOW_MS) <= now {
            return None;
        }
        let (fingerprint, decision) = match &prior.event {
            Event::Reserved { id, amounts, fingerprint, .. } => (
                fingerprint,
                Decision::AdmittedBefore(Admitted { id: *id, amounts: *amounts, standing: self.standings(now) }),
            ),
            Event::Refused { refusal, fingerprint } => (fingerprint, Decision::Refused(refusal.clone())),
            _ => return None,
        };
        Some(if *fingerprint == reserve.fingerprint { decision } else { Decision::Refused(Refusal::KeyReused) })
    }

    /// Why this reservation cannot be had; `None` when it can.
    fn refusal(&self, reserve: &Reserve, now: Timestamp) -> Option<Refusal> {
        let Some(entitlement) = &self.entitlement else {
            return Some(Refusal::NotConfigured);
        };
        if let Terms::Trial(trial) = entitlement.terms
            && trial.is_over(now)
        {
            return Some(Refusal::TrialExpired { ended_at: trial.ends_at });
        }
        let (settled, reserved) = self.in_use(entitlement, now);
        let in_use = settled.plus(reserved);
        MeterName::ALL.into_iter().find_map(|meter| {
            let requested = reserve.amounts.get(meter);
            if requested == 0 {
                return None;
            }
            match entitlement.limits.get(meter) {
                Limit::Unlimited => None,
                Limit::NotIncluded => Some(Refusal::NotIncluded { meter, plan: entitlement.plan }),
                limit @ Limit::Hard(_) => {
                    let fits = limit.remaining(in_use.get(meter)).is_none_or(|left| requested <= left);
                    if fits {
                        return None;
                    }
                    let standing = self.standings(now).into_iter().find(|standing| standing.meter == meter)?;
                    Some(Refusal::QuotaExceeded { standing, requested, plan: entitlement.plan })
                }
            }
        })
    }
}
