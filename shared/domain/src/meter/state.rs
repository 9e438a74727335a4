//! A meter's memory, and how an event changes it.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use serde::{Deserialize, Serialize};

use super::{
    Amounts, Bucket, Credential, Entitlement, Event, Grants, Keys, LATE_SETTLE_WINDOW_MS, Lease, Limit, MeterName,
    Refusal, Standing, Terms,
};
use crate::{
    clock_leap::{Behind, Leaping as _},
    id::{ReservationId, SessionId},
    time::{Timestamp, millis},
};

/// Amounts held by one reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What it holds.
    pub amounts: Amounts,
    /// Held: when it expires. Expired: when a late settle no longer counts.
    #[serde(with = "millis")]
    pub until: Timestamp,
    /// The start of the period it was admitted in: it is charged there, also when it is settled later.
    #[serde(with = "millis")]
    pub period_start: Timestamp,
    /// The request that it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_id: String,
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
    /// The same holds by when they expire, so that the next one is found without looking at all.
    pub(super) due: BTreeSet<(i64, ReservationId)>,
    /// Expired holds that a late settle may still correct.
    pub(super) expired: BTreeMap<ReservationId, Hold>,
    pub(super) revoked: BTreeMap<SessionId, i64>,
    /// The user's API keys.
    #[serde(default, skip_serializing_if = "Keys::is_empty")]
    pub(super) keys: Keys,
    #[serde(default)]
    pub(super) grants: Grants,
    /// The part of a team's quota that is held here.
    #[serde(default)]
    pub(super) lease: Option<Lease>,
    /// The highest mark of each meter that was told of in this period.
    #[serde(default)]
    pub(super) marks: BTreeMap<MeterName, u8>,
    /// When each rate limit's bucket is full again, in microseconds.
    #[serde(default, with = "pairs")]
    pub(super) rates: BTreeMap<Bucket, i64>,
    /// The latest instant seen: a clock that goes back a little does not move the meter back.
    #[serde(with = "millis")]
    pub(super) latest: Timestamp,
    /// What would be had the clock not leapt, where it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) behind: Option<Behind<Self>>,
}

impl State {
    /// The plan held.
    pub const fn entitlement(&self) -> Option<&Entitlement> {
        self.entitlement.as_ref()
    }

    /// When the trial ends, where one is held.
    pub fn trial_ends_at(&self) -> Option<Timestamp> {
        match self.entitlement.as_ref()?.terms {
            Terms::Trial(trial) => Some(trial.ends_at),
            Terms::Monthly { .. } | Terms::Ended { .. } => None,
        }
    }

    /// Whether a key is good for what it asks, before anything is reserved with it.
    ///
    /// # Errors
    /// [`Refusal`], as a reserve with it would get.
    pub fn prove(&self, credential: &Credential, clock: Timestamp) -> Result<(), Refusal> {
        self.keys.verify(credential, self.now(clock)).map(drop)
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

    /// When the next hold expires: the alarm's instant.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| Timestamp::from_millis(*at))
    }

    /// The grants, in the order they are drawn.
    pub const fn grants(&self) -> &Grants {
        &self.grants
    }

    /// The part of a team's quota that is held here, for the period around `now`.
    pub fn lease(&self, clock: Timestamp) -> Option<&Lease> {
        let entitlement = self.entitlement.as_ref()?;
        let start = entitlement.terms.period(self.now(clock)).start;
        self.lease.as_ref().filter(|lease| lease.period.start == start)
    }

    /// What is settled and held in the period around an instant.
    pub fn in_use(&self, clock: Timestamp) -> (Amounts, Amounts) {
        if self.is_current(self.now(clock)) { (self.settled, self.reserved) } else { (Amounts::ZERO, Amounts::ZERO) }
    }

    /// Whether the counters belong to the period around `now`.
    fn is_current(&self, now: Timestamp) -> bool {
        self.entitlement.as_ref().is_some_and(|entitlement| entitlement.terms.period(now).start == self.period_start)
    }

    /// What grants add to a meter's limit in the period around `now`.
    fn granted(&self, meter: MeterName, now: Timestamp) -> u64 {
        if self.is_current(now) { self.grants.capacity(meter, now) } else { self.grants.remaining(meter, now) }
    }

    /// How much of a meter may be in use at `now`: the plan's ceiling and grants, or the lease; `None` without an end.
    pub(super) fn capacity(&self, entitlement: &Entitlement, meter: MeterName, now: Timestamp) -> Option<u64> {
        let ceiling = entitlement.limits.get(meter).ceiling()?;
        Some(if entitlement.pooled {
            self.lease(now).map_or(0, |lease| lease.capacity().get(meter))
        } else {
            ceiling.saturating_add(self.granted(meter, now))
        })
    }

    /// What of a lease is neither used nor held.
    pub fn idle_lease(&self, clock: Timestamp) -> Amounts {
        let (settled, reserved) = self.in_use(clock);
        self.lease(clock).map_or(Amounts::ZERO, |lease| lease.capacity().minus(settled.plus(reserved)))
    }

    /// Whether a session was ended.
    pub fn is_revoked(&self, session: SessionId) -> bool {
        self.revoked.contains_key(&session)
    }

    /// Where every meter of the plan stands; empty without a plan. Under a team's pool this is what the member can
    /// know: its own use, and a limit that takes in what the pool had left when it was last heard of.
    pub fn standings(&self, clock: Timestamp) -> Vec<Standing> {
        let now = self.now(clock);
        let Some(entitlement) = &self.entitlement else {
            return Vec::new();
        };
        let (settled, reserved) = self.in_use(now);
        let resets_at = entitlement.terms.period(now).end;
        MeterName::ALL
            .into_iter()
            .filter_map(|meter| {
                let limit = entitlement.limits.get(meter);
                if limit == Limit::NotIncluded {
                    return None;
                }
                let beside = if entitlement.pooled { 0 } else { self.granted(meter, now) };
                let of_pool = limit
                    .ceiling()
                    .filter(|_| entitlement.pooled)
                    .map(|_| self.lease(now).map_or(0, |lease| lease.capacity().plus(lease.free).get(meter)));
                Some(Standing {
                    meter,
                    limit: of_pool.or_else(|| limit.included().map(|limit| limit.saturating_add(beside))),
                    ceiling: of_pool.or_else(|| limit.ceiling().map(|limit| limit.saturating_add(beside))),
                    used: settled.get(meter),
                    reserved: reserved.get(meter),
                    resets_at,
                })
            })
            .collect()
    }

    /// Takes in an event that has been made durable. Total: an event that does not fit changes nothing.
    pub fn apply(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::ClockLeapt { .. } => return self.leap(at),
            Event::ClockReturned { .. } => return self.come_back(at),
            _ => {}
        }
        self.latest = self.latest.max(at);
        if let Event::Configured(entitlement) = event {
            self.entitlement = Some(*entitlement);
        }
        self.roll_period();
        self.forget();
        match event {
            Event::Configured(_) | Event::Refused { .. } | Event::ClockLeapt { .. } | Event::ClockReturned { .. } => {}
            Event::Granted(grant) => self.grants.add(*grant),
            Event::Reserved { id, amounts, expires_at, rates, request_id, .. } => {
                // An id that came twice would leave `due` and `reserved` with holds that nobody can end.
                if let Entry::Vacant(free) = self.held.entry(*id) {
                    free.insert(Hold {
                        amounts: *amounts,
                        until: *expires_at,
                        period_start: self.period_start,
                        request_id: request_id.clone(),
                    });
                    self.due.insert((expires_at.as_millis(), *id));
                    self.reserved = self.reserved.plus(*amounts);
                    self.rates.extend(rates.iter().copied());
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
            Event::MarkReached { meter, percent, .. } => {
                self.marks.insert(*meter, *percent);
            }
            Event::Leased(grant) => {
                // What is held is of this period: a new one begins without a lease.
                if grant.period.start == self.period_start {
                    self.lease.get_or_insert_with(|| Lease::from(grant)).extend(grant);
                }
            }
            Event::Returned { returned } => {
                if let Some(lease) = &mut self.lease {
                    lease.returned = lease.returned.max(*returned);
                }
            }
            Event::KeyKnown(key) => self.keys.remember(key),
            Event::KeyRevoked { key, until } => self.keys.revoke(*key, *until),
            Event::SessionRevoked { session, until } => {
                self.revoked.insert(*session, until.as_millis());
            }
        }
        self.draw();
        self.follow(at, event);
    }

    /// Draws from grants what was used beyond the plan's own amounts.
    pub(super) fn draw(&mut self) {
        let Some(entitlement) = &self.entitlement else {
            return;
        };
        // Under a pool the grants are the pool's to draw.
        if !entitlement.pooled {
            self.grants.cover_beyond(&entitlement.limits, &self.settled, self.latest);
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
        self.due.remove(&(hold.until.as_millis(), id));
        if hold.period_start == self.period_start {
            self.reserved = self.reserved.minus(hold.amounts);
        }
        Some(hold)
    }

    /// Starts the counters again when a new period has begun, or when a plan with another anchor was taken.
    pub(super) fn roll_period(&mut self) {
        let Some(entitlement) = &self.entitlement else {
            return;
        };
        let start = entitlement.terms.period(self.latest).start;
        if start != self.period_start {
            self.period_start = start;
            self.settled = Amounts::ZERO;
            self.marks.clear();
            self.grants.roll(self.latest);
            self.lease = None;
            self.sum_reserved();
        }
    }

    /// Drops what no command can ask for any more, so that memory stays bounded.
    fn forget(&mut self) {
        let now = self.latest;
        self.expired.retain(|_, hold| hold.until > now);
        self.keys.forget(now);
        self.revoked.retain(|_, until| *until > now.as_millis());
        self.rates.retain(|_, full_at_us| *full_at_us > now.as_millis().saturating_mul(1_000));
    }
}

/// Pairs instead of a map: a bucket is no string, and JSON has no other keys.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::meter::Bucket;

    pub fn serialize<S: Serializer>(rates: &BTreeMap<Bucket, i64>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(rates)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Bucket, i64>, D::Error> {
        Vec::<(Bucket, i64)>::deserialize(deserializer).map(BTreeMap::from_iter)
    }
}
