//! A meter's memory, and how an event changes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Amounts, Entitlement, Event, LATE_SETTLE_WINDOW_MS, MeterName, Standing};
use crate::{
    id::{ReservationId, SessionId},
    time::{Timestamp, millis},
};

/// Amounts held by one reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What it holds.
    pub amounts: Amounts,
    /// Held: when it expires. Expired: when a late settle no longer counts.
    #[serde(with = "millis")]
    pub until: Timestamp,
    /// The start of the period it was admitted in: it is charged there, also when it is settled later.
    #[serde(with = "millis")]
    pub period_start: Timestamp,
}

/// Everything a meter knows. Derived from its ledger: replaying the entries gives the same value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    pub(super) entitlement: Option<Entitlement>,
    /// Start of the period that `settled` belongs to.
    #[serde(with = "millis")]
    pub(super) period_start: Timestamp,
    pub(super) settled: Amounts,
    /// The sum of `held` in this period, kept beside it so that a decision costs the same with many holds.
    pub(super) reserved: Amounts,
    pub(super) held: BTreeMap<ReservationId, Hold>,
    /// Expired holds that a late settle may still correct.
    pub(super) expired: BTreeMap<ReservationId, Hold>,
    pub(super) revoked: BTreeMap<SessionId, i64>,
    /// The latest instant seen: a clock that jumps back does not move the meter back.
    #[serde(with = "millis")]
    pub(super) latest: Timestamp,
}

impl State {
    /// The plan held.
    pub const fn entitlement(&self) -> Option<&Entitlement> {
        self.entitlement.as_ref()
    }

    /// Whether this reservation is held.
    pub fn is_held(&self, id: ReservationId) -> bool {
        self.held.contains_key(&id)
    }

    /// Whether this reservation can still be settled: it is held, or has expired not long ago.
    pub fn is_open(&self, id: ReservationId) -> bool {
        self.held.contains_key(&id) || self.expired.contains_key(&id)
    }

    /// How many reservations are held.
    pub fn held_count(&self) -> usize {
        self.held.len()
    }

    /// The instant commands are judged at: the clock's, but never before one that was seen.
    pub fn now(&self, clock: Timestamp) -> Timestamp {
        clock.max(self.latest)
    }

    /// When the next hold expires: the alarm's instant.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.held.values().map(|hold| hold.until).min()
    }

    /// What is settled and held in the period around `now`.
    pub(super) fn in_use(&self, entitlement: &Entitlement, now: Timestamp) -> (Amounts, Amounts) {
        if entitlement.terms.period(now).start == self.period_start {
            (self.settled, self.reserved)
        } else {
            (Amounts::ZERO, Amounts::ZERO)
        }
    }

    /// Whether a session was ended.
    pub fn is_revoked(&self, session: SessionId) -> bool {
        self.revoked.contains_key(&session)
    }

    /// Where every meter of the plan stands; empty without a plan.
    pub fn standings(&self, clock: Timestamp) -> Vec<Standing> {
        let now = self.now(clock);
        let Some(entitlement) = &self.entitlement else {
            return Vec::new();
        };
        let (settled, reserved) = self.in_use(entitlement, now);
        let resets_at = entitlement.terms.period(now).end;
        MeterName::ALL
            .into_iter()
            .filter_map(|meter| {
                let limit = match entitlement.limits.get(meter) {
                    super::Limit::NotIncluded => return None,
                    super::Limit::Hard(limit) => Some(limit),
                    super::Limit::Unlimited => None,
                };
                Some(Standing { meter, limit, used: settled.get(meter), reserved: reserved.get(meter), resets_at })
            })
            .collect()
    }

    /// Takes in an event that has been made durable. Total: an event that does not fit changes nothing.
    pub fn apply(&mut self, at: Timestamp, event: &Event) {
        self.latest = self.latest.max(at);
        if let Event::Configured(entitlement) = event {
            self.entitlement = Some(*entitlement);
        }
        self.roll_period();
        self.forget();
        match event {
            Event::Configured(_) | Event::Refused { .. } => {}
            Event::Reserved { id, amounts, expires_at, .. } => {
                let hold = Hold { amounts: *amounts, until: *expires_at, period_start: self.period_start };
                if self.held.insert(*id, hold).is_none() {
                    self.reserved = self.reserved.plus(*amounts);
                }
            }
            Event::Settled(settle) => {
                if let Some(hold) = self.end_hold(settle.id)
                    && hold.period_start == self.period_start
                {
                    self.settled = self.settled.plus(settle.amounts);
                }
            }
            Event::SettledLate(settle) => self.correct(settle.id, settle.amounts),
            Event::Released { id } => {
                self.end_hold(*id);
            }
            Event::ReleasedLate { id } => self.correct(*id, Amounts::ZERO),
            Event::Expired { id, .. } => {
                if let Some(mut hold) = self.end_hold(*id) {
                    if hold.period_start == self.period_start {
                        self.settled = self.settled.plus(hold.amounts);
                    }
                    hold.until = at.plus_millis(LATE_SETTLE_WINDOW_MS);
                    self.expired.insert(*id, hold);
                }
            }
            Event::SessionRevoked { session, until } => {
                self.revoked.insert(*session, until.as_millis());
            }
        }
    }

    /// Replaces the estimate of a hold that had expired.
    fn correct(&mut self, id: ReservationId, amounts: Amounts) {
        if let Some(hold) = self.expired.remove(&id)
            && hold.period_start == self.period_start
        {
            self.settled = self.settled.minus(hold.amounts).plus(amounts);
        }
    }

    /// Ends a hold and takes it out of the period's sum.
    fn end_hold(&mut self, id: ReservationId) -> Option<Hold> {
        let hold = self.held.remove(&id)?;
        if hold.period_start == self.period_start {
            self.reserved = self.reserved.minus(hold.amounts);
        }
        Some(hold)
    }

    /// Starts the counters again when a new period has begun, or when a plan with another anchor was taken.
    fn roll_period(&mut self) {
        let Some(entitlement) = &self.entitlement else {
            return;
        };
        let start = entitlement.terms.period(self.latest).start;
        if start != self.period_start {
            self.period_start = start;
            self.settled = Amounts::ZERO;
            self.reserved = self
                .held
                .values()
                .filter(|hold| hold.period_start == start)
                .fold(Amounts::ZERO, |sum, hold| sum.plus(hold.amounts));
        }
    }

    /// Drops what no command can ask for any more, so that memory stays bounded.
    fn forget(&mut self) {
        let now = self.latest;
        if !self.expired.is_empty() {
            self.expired.retain(|_, hold| hold.until > now);
        }
        if !self.revoked.is_empty() {
            self.revoked.retain(|_, until| *until > now.as_millis());
        }
    }
}
