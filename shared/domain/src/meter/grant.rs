//! Grants: amounts beside the plan's, such as a top-up that was bought or goodwill that was given.
//!
//! A plan's own amount is used first, because it is gone at the period's end anyway. What goes beyond it is drawn from
//! grants, lowest priority number first, then the one that expires first, then the older one. What was drawn too much
//! (a late settle that counts less, an upgrade in mid-period) goes back the other way round.

use serde::{Deserialize, Serialize};

use super::{Amounts, Limits, MeterName};
use crate::{
    id::GrantId,
    time::{Timestamp, millis},
};

/// Why a grant was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantReason {
    /// It was bought.
    TopUp,
    /// It was given.
    Goodwill,
}

/// Extra amounts on one meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Pushing the same grant again changes nothing.
    pub id: GrantId,
    /// For which meter.
    pub meter: MeterName,
    /// How much.
    pub amount: u64,
    /// Lower is drawn first.
    pub priority: u8,
    /// From then on what is left of it is lost. Always set: a credit without an end is a debt without an end.
    #[serde(with = "millis")]
    pub expires_at: Timestamp,
    /// Why.
    pub reason: GrantReason,
}

/// A grant and what was drawn from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldGrant {
    /// The grant.
    pub grant: Grant,
    /// Drawn in periods that are over.
    pub drawn_before: u64,
    /// Drawn in this period.
    pub drawn: u64,
}

impl HeldGrant {
    /// What can still be drawn.
    pub fn remaining(&self, now: Timestamp) -> u64 {
        if now < self.grant.expires_at {
            self.grant.amount.saturating_sub(self.drawn_before).saturating_sub(self.drawn)
        } else {
            0
        }
    }
}

/// Every grant of a meter object, in the order they are drawn.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grants(Vec<HeldGrant>);

impl Grants {
    /// All of them, in the order they are drawn.
    pub fn iter(&self) -> impl Iterator<Item = &HeldGrant> {
        self.0.iter()
    }

    /// Whether this one is held.
    pub fn contains(&self, id: GrantId) -> bool {
        self.0.iter().any(|held| held.grant.id == id)
    }

    /// Takes a grant; one that is held already changes nothing.
    pub fn add(&mut self, grant: Grant) {
        if !self.contains(grant.id) {
            self.0.push(HeldGrant { grant, drawn_before: 0, drawn: 0 });
            self.0.sort_unstable_by_key(|held| (held.grant.priority, held.grant.expires_at, held.grant.id));
        }
    }

    /// What grants add to a meter's limit in this period: what was drawn, and what still can be.
    pub fn capacity(&self, meter: MeterName, now: Timestamp) -> u64 {
        self.of(meter).fold(0, |sum, held| sum.saturating_add(held.drawn).saturating_add(held.remaining(now)))
    }

    /// What can still be drawn for a meter.
    pub fn remaining(&self, meter: MeterName, now: Timestamp) -> u64 {
        self.of(meter).fold(0, |sum, held| sum.saturating_add(held.remaining(now)))
    }

    /// Draws or gives back until what was drawn in this period covers `over`, or there is nothing left to draw.
    pub fn cover(&mut self, meter: MeterName, over: u64, now: Timestamp) {
        let drawn = self.of(meter).fold(0_u64, |sum, held| sum.saturating_add(held.drawn));
        let of_meter = |held: &&mut HeldGrant| held.grant.meter == meter;
        let mut more = over.saturating_sub(drawn);
        for held in self.0.iter_mut().filter(of_meter) {
            let taken = more.min(held.remaining(now));
            held.drawn += taken;
            more -= taken;
        }
        let mut back = drawn.saturating_sub(over);
        for held in self.0.iter_mut().rev().filter(of_meter) {
            let returned = back.min(held.drawn);
            held.drawn -= returned;
            back -= returned;
        }
    }

    /// Covers what was used beyond a plan's own amounts, on every meter.
    pub fn cover_beyond(&mut self, limits: &Limits, settled: &Amounts, now: Timestamp) {
        for meter in MeterName::ALL {
            let included = limits.get(meter).included().unwrap_or(u64::MAX);
            self.cover(meter, settled.get(meter).saturating_sub(included), now);
        }
    }

    /// A new period begins: what was drawn stays drawn, and those that are over are dropped.
    pub fn roll(&mut self, now: Timestamp) {
        for held in &mut self.0 {
            held.drawn_before = held.drawn_before.saturating_add(held.drawn);
            held.drawn = 0;
        }
        // One that is spent is kept until it expires, so that a push that comes twice is known.
        self.0.retain(|held| now < held.grant.expires_at);
    }

    fn of(&self, meter: MeterName) -> impl Iterator<Item = &HeldGrant> {
        self.0.iter().filter(move |held| held.grant.meter == meter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn grant(number: u8, amount: u64, priority: u8, expires_in_ms: i64) -> Grant {
        Grant {
            id: GrantId::new(Timestamp::from_millis(i64::from(number)), [number; 10]),
            meter: MeterName::Tokens,
            amount,
            priority,
            expires_at: NOW.plus_millis(expires_in_ms),
            reason: GrantReason::TopUp,
        }
    }

    fn drawn(grants: &Grants) -> Vec<(u64, u64)> {
        grants.iter().map(|held| (held.grant.amount, held.drawn)).collect()
    }

    #[test]
    fn they_are_drawn_by_priority_then_expiry_then_age_and_given_back_the_other_way_round() {
        let mut grants = Grants::default();
        for grant in [grant(4, 40, 1, 50), grant(3, 30, 0, 90), grant(2, 20, 0, 50), grant(1, 10, 0, 50)] {
            grants.add(grant);
        }
        grants.cover(MeterName::Tokens, 35, NOW);
        assert_eq!(drawn(&grants), [(10, 10), (20, 20), (30, 5), (40, 0)]);
        assert_eq!(grants.capacity(MeterName::Tokens, NOW), 100);
        grants.cover(MeterName::Tokens, 12, NOW);
        assert_eq!(drawn(&grants), [(10, 10), (20, 2), (30, 0), (40, 0)]);
        grants.cover(MeterName::Tokens, 500, NOW);
        assert_eq!(drawn(&grants), [(10, 10), (20, 20), (30, 30), (40, 40)]);
        assert_eq!(grants.capacity(MeterName::Requests, NOW), 0, "another meter's");
    }

    #[test]
    fn what_is_left_of_an_expired_one_is_lost_and_what_was_drawn_stays() {
        let mut grants = Grants::default();
        grants.add(grant(1, 10, 0, 50));
        grants.cover(MeterName::Tokens, 4, NOW);
        let end = NOW.plus_millis(50);
        assert_eq!(grants.capacity(MeterName::Tokens, end.plus_millis(-1)), 10);
        assert_eq!(grants.capacity(MeterName::Tokens, end), 4);
        grants.cover(MeterName::Tokens, 9, end);
        assert_eq!(drawn(&grants), [(10, 4)]);
    }

    #[test]
    fn a_grant_outlives_the_period_it_was_given_in() {
        let mut grants = Grants::default();
        grants.add(grant(1, 10, 0, 50));
        grants.cover(MeterName::Tokens, 4, NOW);
        grants.roll(NOW.plus_millis(10));
        assert_eq!(grants.capacity(MeterName::Tokens, NOW.plus_millis(10)), 6);
        grants.add(grant(1, 10, 0, 50));
        assert_eq!(grants.capacity(MeterName::Tokens, NOW.plus_millis(10)), 6, "the same grant again");
        grants.roll(NOW.plus_millis(50));
        assert_eq!(grants.iter().count(), 0);
    }
}
