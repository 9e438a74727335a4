//! Which periods there are: those that are open, and those that begin.

use super::{MeteredPeriod, WITHOUT_END};
use crate::{
    meter::{Limit, Limits, MeterName},
    time::Period,
};

/// What is held now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Current {
    /// The billing month, as the meter counts it.
    pub period: Period,
    /// What is included in it: of the plan, or of a contract.
    pub limits: Limits,
    /// Whether all members of the tenant use it up together.
    pub pooled: bool,
}

/// The periods to look at: those that were open, as they are now, and one for each soft limit that has none.
///
/// What is included never falls within a period, so that nothing that was included is charged later; an upgrade raises it. No
/// instant belongs to two periods of a meter: where a subscription begins anew, its period cuts off the one before.
pub fn follow(open: Vec<MeteredPeriod>, current: Option<&Current>) -> Vec<MeteredPeriod> {
    let Some(now) = current else { return open };
    let mut all: Vec<_> = open.into_iter().map(|period| as_it_is_now(period, now)).collect();
    for meter in MeterName::ALL {
        let Limit::Soft { included, .. } = now.limits.get(meter) else { continue };
        // One that began later reaches into this month: it goes on until its own end.
        let is_there = all.iter().any(|one| one.meter == meter && one.period.start >= now.period.start);
        if !is_there {
            all.push(MeteredPeriod::begin(meter, now.period, included, now.pooled));
        }
    }
    all
}

fn as_it_is_now(one: MeteredPeriod, now: &Current) -> MeteredPeriod {
    let Period { start, end } = one.period;
    if start < now.period.start {
        return MeteredPeriod { period: Period { start, end: end.min(now.period.start) }, ..one };
    }
    let included = now.limits.get(one.meter).included().unwrap_or(WITHOUT_END);
    MeteredPeriod { included: one.included.max(included), pooled: now.pooled, ..one }
}
