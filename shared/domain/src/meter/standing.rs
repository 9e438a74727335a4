//! Where a meter stands.

use serde::{Deserialize, Serialize};

use super::MeterName;
use crate::time::Timestamp;

/// The shares of a limit at which people are told: once for each meter and period.
pub const MARKS_PERCENT: [u8; 3] = [80, 90, 100];

/// Where one meter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Which.
    pub meter: MeterName,
    /// What the plan includes, with grants; `None` without a limit.
    pub limit: Option<u64>,
    /// Where admission stops: the limit, or above it where overage is billed; `None` where it does not stop.
    pub ceiling: Option<u64>,
    /// Settled in this period, expired holds included.
    pub used: u64,
    /// Held at the moment.
    pub reserved: u64,
    /// When the counter starts again.
    pub resets_at: Timestamp,
}

impl Standing {
    /// What is left of the limit; `None` without one.
    pub fn remaining(&self) -> Option<u64> {
        self.limit.map(|limit| limit.saturating_sub(self.in_use()))
    }

    /// What may still be admitted; `None` where admission does not stop.
    pub fn admissible(&self) -> Option<u64> {
        self.ceiling.map(|ceiling| ceiling.saturating_sub(self.in_use()))
    }

    /// What was used beyond the limit and is billed.
    pub fn overage(&self) -> u64 {
        if self.ceiling == self.limit { 0 } else { self.limit.map_or(0, |limit| self.used.saturating_sub(limit)) }
    }

    /// The used share in whole percent, rounded down; `None` without a limit.
    pub fn percent(&self) -> Option<u64> {
        self.limit.map(|limit| {
            let share = u128::from(self.used) * 100 / u128::from(limit.max(1));
            u64::try_from(share).unwrap_or(u64::MAX)
        })
    }

    /// The highest of the marks 80, 90 and 100 that is reached.
    pub fn warning(&self) -> Option<u8> {
        let percent = self.percent()?;
        MARKS_PERCENT.into_iter().rev().find(|mark| percent >= u64::from(*mark))
    }

    /// The highest mark that is reached, where it is above the one that was told of.
    pub fn mark_beyond(&self, told: Option<u8>) -> Option<u8> {
        self.warning().filter(|mark| *mark > told.unwrap_or(0))
    }

    fn in_use(&self) -> u64 {
        self.used.saturating_add(self.reserved)
    }
}
