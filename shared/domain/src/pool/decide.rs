//! The decision for a command: pure, and without a change to the state.

use super::{Ask, Member, PoolCommand, PoolDecision, PoolEvent, PoolState, Report};
use crate::{
    clock_leap::{LEAP_MS, Leaping as _},
    id::UserId,
    meter::{Amounts, Entitlement, LeaseGrant, Limit, MeterName, Refusal},
    time::Timestamp,
};

impl PoolState {
    /// Decides a command and takes its events in. Should the events not become durable, the state is wrong and must be
    /// read anew.
    pub fn carry_out(&mut self, command: &PoolCommand, clock: Timestamp) -> (PoolDecision, Vec<PoolEvent>) {
        let at = self.instant(command, clock);
        let is_told = matches!(command, PoolCommand::ReturnToClock);
        let returned = (!is_told && self.is_back(clock)).then_some(PoolEvent::ClockReturned { from: self.latest });
        if let Some(event) = &returned {
            self.apply(at, event);
        }
        let (decision, mut events) = self.decide(command, clock);
        if !is_told && !events.is_empty() && self.leaps_to(at) {
            events.insert(0, PoolEvent::ClockLeapt { from: self.latest });
        }
        for event in &events {
            self.apply(at, event);
        }
        if events.iter().any(|event| matches!(event, PoolEvent::Reported { .. })) {
            for event in self.marks_reached(at) {
                self.apply(at, &event);
                events.push(event);
            }
        }
        events.splice(0..0, returned);
        (decision, events)
    }

    /// The instant a command is judged at. The member's counts too, so that both are in the same period; but one whose clock has
    /// leapt does not take the team along.
    pub fn instant(&self, command: &PoolCommand, clock: Timestamp) -> Timestamp {
        match command {
            PoolCommand::Ask(ask) => self.now(clock.max(ask.at.min(clock.plus_millis(LEAP_MS - 1)))),
            PoolCommand::ReturnToClock => self.returns_to(clock).unwrap_or_else(|| self.now(clock)),
            _ => self.now(clock),
        }
    }

    /// Decides a command at an instant, see [`crate::meter::State::decide`].
    pub fn decide(&self, command: &PoolCommand, clock: Timestamp) -> (PoolDecision, Vec<PoolEvent>) {
        let now = self.instant(command, clock);
        match command {
            PoolCommand::Configure(entitlement) => {
                let known = self.entitlement.as_ref().is_some_and(|held| held.version >= entitlement.version);
                (PoolDecision::Done, if known { Vec::new() } else { vec![PoolEvent::Configured(*entitlement)] })
            }
            PoolCommand::Grant(grant) => {
                let useless = self.grants.contains(grant.id) || grant.expires_at <= now || grant.amount == 0;
                (PoolDecision::Done, if useless { Vec::new() } else { vec![PoolEvent::Granted(*grant)] })
            }
            PoolCommand::SeeClock => (PoolDecision::Done, Vec::new()),
            PoolCommand::ReturnToClock => {
                let event = self.returns_to(clock).map(|_| PoolEvent::ClockReturned { from: self.latest });
                (PoolDecision::Done, event.into_iter().collect())
            }
            PoolCommand::Report(member, report) => (PoolDecision::Done, self.reported(*member, report, now)),
            PoolCommand::Ask(ask) => self.ask(ask, now),
        }
    }

    /// A report that says something new, as an event.
    fn reported(&self, member: UserId, report: &Report, now: Timestamp) -> Vec<PoolEvent> {
        let Some(entitlement) = &self.entitlement else {
            return Vec::new();
        };
        // A member whose own sum has saturated must not make the team's saturate: it could never be taken out again.
        let report =
            &Report { settled: report.settled.bounded_total(), returned: report.returned.bounded_total(), ..*report };
        let known = self.member(member, now);
        let is_current = report.period_start == entitlement.terms.period(now).start;
        let is_news = report.version > known.version
            && (report.settled != known.settled || known.returned.max(report.returned) != known.returned);
        if is_current && is_news { vec![PoolEvent::Reported { member, report: *report }] } else { Vec::new() }
    }

    fn ask(&self, ask: &Ask, now: Timestamp) -> (PoolDecision, Vec<PoolEvent>) {
        let Some(entitlement) = &self.entitlement else {
            return (PoolDecision::Refused(Refusal::NotConfigured), Vec::new());
        };
        if let Some(refusal) = entitlement.terms.over(now, entitlement.plan) {
            return (PoolDecision::Refused(refusal), Vec::new());
        }
        let mut events = self.reported(ask.member, &ask.report, now);
        // The report first: what it gives back can be leased again. Only then is a copy of the pool needed.
        let reported = (!events.is_empty()).then(|| {
            let mut reported = self.clone();
            for event in &events {
                reported.apply(now, event);
            }
            reported
        });
        let decision = reported.as_ref().unwrap_or(self).lease(entitlement, ask, now);
        if let PoolDecision::Leased(grant) = &decision
            && grant.granted != self.member(ask.member, now).granted
        {
            events.push(PoolEvent::Leased { member: ask.member, granted: grant.granted });
        }
        (decision, events)
    }

    fn lease(&self, entitlement: &Entitlement, ask: &Ask, now: Timestamp) -> PoolDecision {
        let period = entitlement.terms.period(now);
        let member = self.member(ask.member, now);
        // Totals of an older period say nothing about this one.
        let held = if ask.report.period_start == period.start { ask.reserved } else { Amounts::ZERO };
        let members = u64::try_from(self.members.len()).unwrap_or(u64::MAX).max(1);
        let mut short = None;
        let mut granted = member.granted;
        let mut free_after = Amounts::ZERO;
        for meter in MeterName::ALL {
            let needed = ask.needed.get(meter);
            if entitlement.limits.get(meter) == Limit::NotIncluded && needed > 0 {
                return PoolDecision::Refused(Refusal::NotIncluded { meter, plan: entitlement.plan });
            }
            let Some(free) = self.free(entitlement, meter, now) else { continue };
            let of = |amounts: Amounts| amounts.get(meter);
            let wanted = [of(member.returned), of(member.settled), of(held), needed]
                .iter()
                .fold(0, |a, b| u64::saturating_add(a, *b));
            let more = leased_with(&member, meter, wanted).saturating_sub(of(member.leased()));
            if more > free {
                short = short.or(Some(meter));
                continue;
            }
            // For those who wait, and a share for later, smaller as the pool drains and as more members draw from it.
            // Nothing for one that has what it needs (the answer to an earlier request was lost).
            let beside =
                if more == 0 { 0 } else { of(ask.waiting).saturating_add(free / (2 * (members + 1))).min(free - more) };
            set(&mut granted, meter, of(member.granted).max(wanted.saturating_add(beside)));
            set(&mut free_after, meter, free - more - beside);
        }
        let Some(meter) = short else {
            return PoolDecision::Leased(LeaseGrant { period, granted, free: free_after });
        };
        let standing = self.standings(now).into_iter().find(|standing| standing.meter == meter);
        let requested = ask.needed.get(meter);
        let refusal = match standing {
            Some(standing) => Refusal::QuotaExceeded { standing, requested, plan: entitlement.plan },
            None => Refusal::NotIncluded { meter, plan: entitlement.plan },
        };
        let mut holders: Vec<(u64, UserId)> = if self.is_current(now) {
            let others = self.members.iter().filter(|(id, _)| **id != ask.member);
            others.map(|(id, other)| (other.leased().get(meter), *id)).filter(|(leased, _)| *leased > 0).collect()
        } else {
            Vec::new()
        };
        holders.sort_unstable_by(|a, b| b.cmp(a));
        if holders.is_empty() {
            return PoolDecision::Refused(refusal);
        }
        PoolDecision::Short { refusal, holders: holders.into_iter().map(|(_, id)| id).collect() }
    }

    /// The highest mark that each meter has reached, where it was not told of in this period.
    fn marks_reached(&self, now: Timestamp) -> Vec<PoolEvent> {
        self.standings(now)
            .into_iter()
            .filter_map(|standing| {
                let percent = standing.mark_beyond(self.marks.get(&standing.meter).copied())?;
                let (meter, used, limit) = (standing.meter, standing.used, standing.limit?);
                Some(PoolEvent::MarkReached { meter, percent, used, limit })
            })
            .collect()
    }
}

/// What a member would have leased, had it been granted that much.
fn leased_with(member: &Member, meter: MeterName, granted: u64) -> u64 {
    granted
        .max(member.granted.get(meter))
        .saturating_sub(member.returned.get(meter))
        .saturating_sub(member.settled.get(meter))
}

fn set(amounts: &mut Amounts, meter: MeterName, to: u64) {
    *amounts = Amounts::of(|other| if other == meter { to } else { amounts.get(other) });
}
