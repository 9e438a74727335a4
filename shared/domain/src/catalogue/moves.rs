//! Which changes of plan there are, and when they take effect.

use super::{
    names::{Plan, Product},
    offer::{current, offer},
    price::Interval,
};

/// What somebody holds or wants. The interval of what costs nothing does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// The plan.
    pub plan: Plan,
    /// Its version; what is wanted is always the newest.
    pub version: u32,
    /// How often it is paid.
    pub interval: Interval,
}

/// When a change takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// At once, the rest of the period prorated: a higher plan, or a year instead of months.
    Upgrade,
    /// When the paid period ends: a lower plan, months instead of a year, or the newest version of the plan one has.
    Downgrade,
}

/// What a change of plan is; `None` for one that cannot be made: to what is not sold, from there, or no change at all.
pub fn movement(product: Product, from: Holding, to: Plan, interval: Interval) -> Option<Move> {
    let held = offer(product, from.plan, from.version)?;
    let wanted = current(product, to)?;
    if to == from.plan {
        return match (from.interval, interval) {
            _ if held.price.is_none() => None,
            (Interval::Month, Interval::Year) => Some(Move::Upgrade),
            (Interval::Year, Interval::Month) => Some(Move::Downgrade),
            _ => (wanted.version > held.version).then_some(Move::Downgrade),
        };
    }
    if held.upgrades.contains(&to) {
        // A higher plan by the month while a year is paid: the year is not taken apart, it ends first.
        let shorter = held.price.is_some() && from.interval == Interval::Year && interval == Interval::Month;
        return Some(if shorter { Move::Downgrade } else { Move::Upgrade });
    }
    held.downgrades.contains(&to).then_some(Move::Downgrade)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn movement_of(from: Plan, held: Interval, to: Plan, wanted: Interval) -> Option<Move> {
        movement(Product::Agent, Holding { plan: from, version: 1, interval: held }, to, wanted)
    }

    #[test]
    fn the_moves_of_the_contract() {
        use Interval::Month;
        let upgrades = |from| {
            Plan::ALL
                .into_iter()
                .filter(|to| movement_of(from, Month, *to, Month) == Some(Move::Upgrade))
                .collect::<Vec<_>>()
        };
        assert_eq!(upgrades(Plan::Trial), [Plan::Pro, Plan::Plus, Plan::Teams]);
        assert_eq!(upgrades(Plan::Pro), [Plan::Plus, Plan::Teams]);
        assert_eq!(upgrades(Plan::Plus), [Plan::Teams]);
        assert_eq!(upgrades(Plan::Teams), []);
        assert_eq!(movement_of(Plan::Teams, Month, Plan::Pro, Month), Some(Move::Downgrade));
        assert_eq!(movement_of(Plan::Pro, Month, Plan::Pro, Month), None);
        assert_eq!(movement_of(Plan::Pro, Month, Plan::Trial, Month), None);
        assert_eq!(movement_of(Plan::Pro, Month, Plan::Enterprise, Month), None, "agent does not sell it");
    }

    #[test]
    fn a_longer_interval_is_an_upgrade_and_a_shorter_one_waits() {
        use Interval::{Month, Year};
        assert_eq!(movement_of(Plan::Pro, Month, Plan::Pro, Year), Some(Move::Upgrade));
        assert_eq!(movement_of(Plan::Pro, Year, Plan::Pro, Month), Some(Move::Downgrade));
        assert_eq!(movement_of(Plan::Pro, Year, Plan::Plus, Year), Some(Move::Upgrade));
        assert_eq!(movement_of(Plan::Pro, Year, Plan::Plus, Month), Some(Move::Downgrade));
        assert_eq!(movement_of(Plan::Trial, Year, Plan::Pro, Month), Some(Move::Upgrade));
        assert_eq!(movement_of(Plan::Trial, Month, Plan::Trial, Year), None);
    }
}
