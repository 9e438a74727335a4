//! A change of plan before it is made: when it takes effect, and what it costs.

use super::{
    observed::{Paid, Status},
    proration::Proration,
};
use crate::{
    catalogue::{Holding, Interval, Move, Offer, Plan, Product, current, movement},
    time::{Period, Timestamp},
};

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It takes effect at once.
    AtOnce {
        /// What it costs.
        cost: Proration,
        /// The paid period afterwards: the same, or a first one of another interval.
        period: Period,
    },
    /// It takes effect when the paid period ends, and costs nothing until then.
    AtPeriodEnd {
        /// When.
        at: Timestamp,
    },
}

/// Why there is no such change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchChange {
    /// The catalogue has no such move, or it is what is held.
    #[error("there is no such move from the plan you have")]
    NotAMove,
    /// Nothing runs that could be changed: a checkout is needed.
    #[error("there is no running subscription to change")]
    NotRunning,
    /// A payment is missing: that comes first.
    #[error("a payment is missing: pay it first")]
    PastDue,
}

/// What it means for somebody who pays to move to another plan, interval or number of seats (those of a team, at
/// least 1). More seats are an upgrade; fewer, with nothing else changed, wait for the end of the period.
///
/// # Errors
/// [`NoSuchChange`].
pub fn change(
    product: Product,
    held: &Paid,
    (plan, interval, seats): (Plan, Interval, u32),
    now: Timestamp,
) -> Result<Change, NoSuchChange> {
    match held.standing() {
        Status::Active | Status::Trialing | Status::Cancelling => {}
        Status::PastDue => return Err(NoSuchChange::PastDue),
        _ => return Err(NoSuchChange::NotRunning),
    }
    let offer = held.offer(product).ok_or(NoSuchChange::NotAMove)?;
    let sells_seats = |offer: &Offer| offer.price.is_some_and(|price| price.seat_cents(interval).is_some());
    let is_same = plan == held.plan && interval == held.interval;
    let (moves, wanted) = if is_same && sells_seats(offer) && seats.max(1) != held.seats {
        // Seats of the version that was bought: adding one does not move to the newest.
        (if seats > held.seats { Move::Upgrade } else { Move::Downgrade }, offer)
    } else {
        let holding = Holding { plan: held.plan, version: held.plan_version, interval: held.interval };
        let moves = movement(product, holding, plan, interval).ok_or(NoSuchChange::NotAMove)?;
        (moves, current(product, plan).ok_or(NoSuchChange::NotAMove)?)
    };
    if moves == Move::Downgrade {
        return Ok(Change::AtPeriodEnd { at: held.period.end });
    }
    // Nothing was paid yet for a trial of Stripe's.
    let price = offer.price.filter(|_| held.status != Status::Trialing && held.card_trial.is_none());
    let before = price.map_or_else(Vec::new, |price| price.lines(held.interval, held.seats));
    let after = wanted.price.map_or_else(Vec::new, |price| price.lines(interval, seats.max(1)));
    Ok(if interval == held.interval {
        Change::AtOnce { cost: Proration::within(held.period, now, &before, &after), period: held.period }
    } else {
        let cost = Proration::to_new_interval(held.period, now, &before, &after);
        Change::AtOnce { cost, period: interval.period(now, now) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        serde_json::from_str(&format!("\"{text}\"")).unwrap()
    }

    fn april(plan: Plan, seats: u32) -> Paid {
        let (start, end) = (at("2026-04-01T00:00:00Z"), at("2026-05-01T00:00:00Z"));
        Paid {
            id: "sub_1".into(),
            created_at: start,
            status: Status::Active,
            plan,
            plan_version: 1,
            interval: Interval::Month,
            seats,
            anchor: start,
            period: Period { start, end },
            ends_at: None,
            past_due_since: None,
            invoice: None,
            card_trial: None,
            stopped: None,
            orphan: false,
        }
    }

    fn half_way(held: &Paid, plan: Plan, interval: Interval, seats: u32) -> Result<Change, NoSuchChange> {
        change(Product::Agent, held, (plan, interval, seats), at("2026-04-16T00:00:00Z"))
    }

    fn due(change: Result<Change, NoSuchChange>) -> i64 {
        match change {
            Ok(Change::AtOnce { cost, .. }) => cost.due_cents(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn up_at_once_and_down_when_the_period_ends() {
        let pro = april(Plan::Pro, 1);
        // Half of 19.00 less half of 10.00.
        assert_eq!(due(half_way(&pro, Plan::Plus, Interval::Month, 1)), 450);
        // Half of 49.00 + 3 x 12.00 less half of 10.00.
        assert_eq!(due(half_way(&pro, Plan::Teams, Interval::Month, 3)), 2_450 + 1_800 - 500);
        let down = half_way(&april(Plan::Teams, 3), Plan::Pro, Interval::Month, 1);
        assert_eq!(down, Ok(Change::AtPeriodEnd { at: pro.period.end }));
        assert_eq!(half_way(&pro, Plan::Pro, Interval::Month, 1), Err(NoSuchChange::NotAMove));
        assert_eq!(half_way(&pro, Plan::Pro, Interval::Month, 9), Err(NoSuchChange::NotAMove), "pro has no seats");
        assert_eq!(half_way(&pro, Plan::Enterprise, Interval::Month, 1), Err(NoSuchChange::NotAMove));
    }

    #[test]
    fn seats_are_added_at_once_and_given_back_later() {
        let team = april(Plan::Teams, 3);
        assert_eq!(due(half_way(&team, Plan::Teams, Interval::Month, 5)), 1_200);
        let fewer = half_way(&team, Plan::Teams, Interval::Month, 2);
        assert_eq!(fewer, Ok(Change::AtPeriodEnd { at: team.period.end }));
        assert_eq!(half_way(&april(Plan::Teams, 1), Plan::Teams, Interval::Month, 0), Err(NoSuchChange::NotAMove));
    }

    #[test]
    fn a_year_begins_now_and_months_wait_for_its_end() {
        let pro = april(Plan::Pro, 1);
        let now = at("2026-04-16T00:00:00Z");
        let cost = Proration { credit_cents: 500, charge_cents: 10_000 };
        let period = Period { start: now, end: at("2027-04-16T00:00:00Z") };
        assert_eq!(half_way(&pro, Plan::Pro, Interval::Year, 1), Ok(Change::AtOnce { cost, period }));
        let annual = Paid { interval: Interval::Year, period, ..pro };
        let back = half_way(&annual, Plan::Pro, Interval::Month, 1);
        assert_eq!(back, Ok(Change::AtPeriodEnd { at: period.end }));
    }

    #[test]
    fn only_what_runs_and_is_paid_can_be_changed() {
        let of = |status| half_way(&Paid { status, ..april(Plan::Pro, 1) }, Plan::Plus, Interval::Month, 1);
        assert_eq!(of(Status::PastDue), Err(NoSuchChange::PastDue));
        for status in [Status::Incomplete, Status::NeverPaid, Status::Paused, Status::Cancelled] {
            assert_eq!(of(status), Err(NoSuchChange::NotRunning));
        }
        assert!(of(Status::Cancelling).is_ok());
        assert_eq!(due(of(Status::Trialing)), 950, "nothing was paid for a trial: nothing is credited");
    }
}
