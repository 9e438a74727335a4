//! A pool's memory, and how an event changes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{PoolEvent, Report};
use crate::{
    clock_leap::{Behind, Leaping as _},
    id::UserId,
    meter::{Amounts, Entitlement, Grants, Limit, MeterName, Standing},
    time::{Timestamp, millis},
};

/// What the pool knows of a member in this period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Member {
    /// The version of its last report.
    pub version: u64,
    /// All that was ever granted.
    pub granted: Amounts,
    /// All that was ever given back.
    pub returned: Amounts,
    /// All that was settled.
    pub settled: Amounts,
}

impl Member {
    /// What it was granted and has neither settled nor given back.
    pub const fn leased(&self) -> Amounts {
        self.granted.minus(self.returned).minus(self.settled)
    }
}

/// Everything a pool knows. Derived from its ledger: replaying the entries gives the same value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PoolState {
    pub(super) entitlement: Option<Entitlement>,
    /// Start of the period that all totals belong to.
    #[serde(with = "millis")]
    pub(super) period_start: Timestamp,
    pub(super) members: BTreeMap<UserId, Member>,
    /// The sum over the members, kept so that a decision costs the same in a large team.
    pub(super) settled: Amounts,
    /// The sum over the members.
    pub(super) leased: Amounts,
    pub(super) grants: Grants,
    pub(super) marks: BTreeMap<MeterName, u8>,
    /// The latest instant seen: a clock that goes back a little does not move the pool back.
    #[serde(with = "millis")]
    pub(super) latest: Timestamp,
    /// What would be had the clock not leapt, where it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) behind: Option<Behind<Self>>,
}

impl PoolState {
    /// The plan held.
    pub const fn entitlement(&self) -> Option<&Entitlement> {
        self.entitlement.as_ref()
    }

    /// The members that asked or reported in this period.
    pub fn members(&self) -> impl Iterator<Item = (&UserId, &Member)> {
        self.members.iter()
    }

    /// What the pool knows of a member in the period around `now`.
    pub(super) fn member(&self, member: UserId, now: Timestamp) -> Member {
        if self.is_current(now) { self.members.get(&member).copied().unwrap_or_default() } else { Member::default() }
    }

    /// Settled and leased, in the period around `now`.
    pub(super) fn in_use(&self, now: Timestamp) -> (Amounts, Amounts) {
        if self.is_current(now) { (self.settled, self.leased) } else { (Amounts::ZERO, Amounts::ZERO) }
    }

    pub(super) fn is_current(&self, now: Timestamp) -> bool {
        self.entitlement.as_ref().is_some_and(|entitlement| entitlement.terms.period(now).start == self.period_start)
    }

    pub(super) fn granted(&self, meter: MeterName, now: Timestamp) -> u64 {
        if self.is_current(now) { self.grants.capacity(meter, now) } else { self.grants.remaining(meter, now) }
    }

    /// What can be leased; `None` for a meter whose admission does not stop.
    pub(super) fn free(&self, entitlement: &Entitlement, meter: MeterName, now: Timestamp) -> Option<u64> {
        let (settled, leased) = self.in_use(now);
        let ceiling = entitlement.limits.get(meter).ceiling()?;
        Some(ceiling.saturating_add(self.granted(meter, now)).saturating_sub(settled.plus(leased).get(meter)))
    }

    /// Where every meter of the team stands: what is leased counts as held.
    pub fn standings(&self, clock: Timestamp) -> Vec<Standing> {
        let now = self.now(clock);
        let Some(entitlement) = &self.entitlement else {
            return Vec::new();
        };
        let (settled, leased) = self.in_use(now);
        let resets_at = entitlement.terms.period(now).end;
        MeterName::ALL
            .into_iter()
            .filter_map(|meter| {
                let limit = entitlement.limits.get(meter);
                if limit == Limit::NotIncluded {
                    return None;
                }
                let beside = self.granted(meter, now);
                Some(Standing {
                    meter,
                    limit: limit.included().map(|limit| limit.saturating_add(beside)),
                    ceiling: limit.ceiling().map(|limit| limit.saturating_add(beside)),
                    used: settled.get(meter),
                    reserved: leased.get(meter),
                    resets_at,
                })
            })
            .collect()
    }

    /// Takes in an event that has been made durable. Total: an event that does not fit changes nothing.
    pub fn apply(&mut self, at: Timestamp, event: &PoolEvent) {
        match event {
            PoolEvent::ClockLeapt { .. } => return self.leap(at),
            PoolEvent::ClockReturned { .. } => return self.come_back(at),
            _ => {}
        }
        self.latest = self.latest.max(at);
        if let PoolEvent::Configured(entitlement) = event {
            self.entitlement = Some(*entitlement);
        }
        self.roll_period();
        match event {
            PoolEvent::Configured(_) | PoolEvent::ClockLeapt { .. } | PoolEvent::ClockReturned { .. } => {}
            PoolEvent::Granted(grant) => self.grants.add(*grant),
            PoolEvent::Reported { member, report } => self.take_report(*member, report),
            PoolEvent::Leased { member, granted } => {
                self.change(*member, |known| known.granted = known.granted.max(*granted));
            }
            PoolEvent::MarkReached { meter, percent, .. } => {
                self.marks.insert(*meter, *percent);
            }
        }
        self.draw();
        self.follow(at, event);
    }

    fn take_report(&mut self, member: UserId, report: &Report) {
        if report.period_start == self.period_start {
            self.change(member, |known| {
                if report.version > known.version {
                    known.version = report.version;
                    known.settled = report.settled;
                    known.returned = known.returned.max(report.returned);
                }
            });
        }
    }

    /// Changes a member, and the sums with it.
    fn change(&mut self, id: UserId, change: impl FnOnce(&mut Member)) {
        let member = self.members.entry(id).or_default();
        self.settled = self.settled.minus(member.settled);
        self.leased = self.leased.minus(member.leased());
        change(member);
        self.settled = self.settled.plus(member.settled);
        self.leased = self.leased.plus(member.leased());
    }

    /// Draws from grants what was used beyond the plan's own amounts.
    pub(super) fn draw(&mut self) {
        let Some(entitlement) = &self.entitlement else {
            return;
        };
        self.grants.cover_beyond(&entitlement.limits, &self.settled, self.latest);
    }

    /// Starts again when a new period has begun: a lease ends with its period.
    pub(super) fn roll_period(&mut self) {
        let Some(entitlement) = &self.entitlement else {
            return;
        };
        let start = entitlement.terms.period(self.latest).start;
        if start != self.period_start {
            self.period_start = start;
            self.members.clear();
            self.settled = Amounts::ZERO;
            self.leased = Amounts::ZERO;
            self.marks.clear();
            self.grants.roll(self.latest);
        }
    }
}
