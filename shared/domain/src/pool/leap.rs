//! What a leap of the clock, and its return, do to a pool; see [`crate::clock_leap`].

use super::{Member, PoolEvent, PoolState};
use crate::{
    clock_leap::{Behind, Leaping},
    meter::Amounts,
    time::Timestamp,
};

impl Leaping for PoolState {
    fn latest(&self) -> Timestamp {
        self.latest
    }

    fn behind(&self) -> Option<&Behind<Self>> {
        self.behind.as_ref()
    }
}

impl PoolState {
    /// Keeps beside it what would be had the clock not leapt.
    pub(super) fn leap(&mut self, at: Timestamp) {
        self.behind = None;
        self.behind = Some(Behind::new(at, self.clone()));
        self.latest = self.latest.max(at);
    }

    /// Takes an event in for the state behind the leap, at its own instant. Totals are of a period: those of another say
    /// nothing there.
    pub(super) fn follow(&mut self, at: Timestamp, event: &PoolEvent) {
        let period_ahead = self.period_start;
        let Some(behind) = &mut self.behind else { return };
        let (state, step) = behind.going_on_to(at);
        let is_of_both = state.period_start == period_ahead;
        if is_of_both || matches!(event, PoolEvent::Configured(_) | PoolEvent::Granted(_)) {
            state.apply(state.latest.plus_millis(step), event);
        } else {
            state.latest = state.latest.plus_millis(step);
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
                // The leap went over the beginning of a period that has begun meanwhile: what was counted since belongs to it.
                if self.period_start == ahead.period_start && before != ahead.period_start {
                    self.members = ahead.members;
                    self.settled = ahead.settled;
                    self.leased = ahead.leased;
                    self.marks = ahead.marks;
                }
                self.draw();
            }
            _ => self.set_back(at),
        }
    }

    /// Goes back without knowing what was: what was counted since stays counted, and counts in the period around `at`. Leases
    /// end, as with every new period; each member asks for another.
    fn set_back(&mut self, at: Timestamp) {
        if self.latest <= at {
            return;
        }
        self.latest = at;
        let start = self.entitlement.as_ref().map_or(self.period_start, |held| held.terms.period(at).start);
        if start != self.period_start {
            self.period_start = start;
            self.marks.clear();
            for member in self.members.values_mut() {
                *member = Member { version: member.version, settled: member.settled, ..Member::default() };
            }
            self.leased = self.members.values().fold(Amounts::ZERO, |sum, member| sum.plus(member.leased()));
        }
        self.draw();
    }
}
