//! What a leap of the clock, and its return, do to a meter; see [`crate::clock_leap`].

use super::{Amounts, Event, State};
use crate::{
    clock_leap::{Behind, Leaping},
    time::Timestamp,
};

impl Leaping for State {
    fn latest(&self) -> Timestamp {
        self.latest
    }

    fn behind(&self) -> Option<&Behind<Self>> {
        self.behind.as_ref()
    }
}

impl State {
    /// Keeps beside it what would be had the clock not leapt.
    pub(super) fn leap(&mut self, at: Timestamp) {
        self.behind = None;
        self.behind = Some(Behind::new(at, self.clone()));
        self.latest = self.latest.max(at);
    }

    /// Takes an event in for the state behind the leap, at its own instant.
    pub(super) fn follow(&mut self, at: Timestamp, event: &Event) {
        let period_ahead = self.period_start;
        let Some(behind) = &mut self.behind else { return };
        let (state, step) = behind.going_on_to(at);
        let now = state.latest.plus_millis(step);
        let back_ms = now.as_millis().saturating_sub(at.as_millis());
        match event {
            Event::Reserved { id, amounts, expires_at, fingerprint, request_id, rates } => {
                let rates =
                    rates.iter().map(|(bucket, at_us)| (*bucket, at_us.saturating_add(back_ms.saturating_mul(1_000))));
                let reserved = Event::Reserved {
                    id: *id,
                    amounts: *amounts,
                    expires_at: expires_at.plus_millis(back_ms),
                    fingerprint: fingerprint.clone(),
                    request_id: request_id.clone(),
                    rates: rates.collect(),
                };
                state.apply(now, &reserved);
            }
            // What has expired by the clock that leapt may be held here.
            Event::Settled(settle) | Event::SettledLate(settle) if state.is_held(settle.id) => {
                state.apply(now, &Event::Settled(settle.clone()));
            }
            Event::Released { id } | Event::ReleasedLate { id } if state.is_held(*id) => {
                state.apply(now, &Event::Released { id: *id });
            }
            Event::Expired { id, .. } => {
                if state.held.get(id).is_some_and(|hold| hold.until <= now) {
                    state.apply(now, event);
                }
            }
            // Of another period; its marks are found after the return.
            Event::Returned { .. } | Event::MarkReached { .. } if state.period_start != period_ahead => {}
            _ => state.apply(now, event),
        }
    }

    /// The clock has come back: to what is behind the leap, or, where that is not kept any more, as well as can be.
    pub(super) fn come_back(&mut self, at: Timestamp) {
        match self.behind.take() {
            Some(behind) if behind.state().latest <= at => {
                let ahead = std::mem::replace(self, behind.into_state());
                let before = self.period_start;
                self.latest = at;
                self.roll_period();
                if self.period_start == ahead.period_start && before != ahead.period_start {
                    self.take_counters(&ahead);
                }
                self.draw();
            }
            _ => self.set_back(at),
        }
    }

    /// The leap went over the beginning of a period that has begun meanwhile: what was counted since belongs to it.
    fn take_counters(&mut self, ahead: &Self) {
        self.settled = ahead.settled;
        self.marks.clone_from(&ahead.marks);
        self.lease = ahead.lease;
        for (id, hold) in &mut self.held {
            if let Some(held) = ahead.held.get(id) {
                hold.period_start = held.period_start;
            } else if let Some(expired) = ahead.expired.get(id) {
                hold.period_start = expired.period_start;
                if expired.period_start == self.period_start {
                    // It is held again, so its estimate does not count any more.
                    self.settled = self.settled.minus(expired.amounts);
                }
            }
        }
        for (id, hold) in &mut self.expired {
            if let Some(expired) = ahead.expired.get(id) {
                hold.period_start = expired.period_start;
            }
        }
        self.sum_reserved();
    }

    /// Goes back without knowing what was: what was counted since stays counted, and counts in the period around `at`.
    fn set_back(&mut self, at: Timestamp) {
        let ahead_ms = self.latest.as_millis().saturating_sub(at.as_millis());
        if ahead_ms <= 0 {
            return;
        }
        self.latest = at;
        self.rates.clear();
        let started = self.period_start;
        let start = self.entitlement.as_ref().map_or(started, |held| held.terms.period(at).start);
        if start != started {
            self.period_start = start;
            self.marks.clear();
            self.lease = None;
        }
        for hold in self.held.values_mut().chain(self.expired.values_mut()) {
            hold.until = hold.until.plus_millis(-ahead_ms);
            if hold.period_start == started {
                hold.period_start = start;
            }
        }
        self.due = self.held.iter().map(|(id, hold)| (hold.until.as_millis(), *id)).collect();
        self.sum_reserved();
        self.draw();
    }

    /// Adds up what is held in this period.
    pub(super) fn sum_reserved(&mut self) {
        let of_this_period = self.held.values().filter(|hold| hold.period_start == self.period_start);
        self.reserved = of_this_period.fold(Amounts::ZERO, |sum, hold| sum.plus(hold.amounts));
    }
}
