//! Amounts on meters, and limits for them. Integers only.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A named quantity that is counted and limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeterName {
    /// Calls of a model.
    Requests,
    /// Tokens, prompt and answer together.
    Tokens,
    /// E-mails looked at.
    Emails,
}

impl MeterName {
    /// Every meter, in the order they are reported in.
    pub const ALL: [Self; 3] = [Self::Requests, Self::Tokens, Self::Emails];

    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Emails => "emails",
        }
    }
}

impl fmt::Display for MeterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")
)]
const fn is_zero(amount: &u64) -> bool {
    *amount == 0
}

/// How much on each meter. Sums saturate: a counter that has reached 2^64 - 1 stays there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Amounts {
    /// Calls of a model.
    #[serde(skip_serializing_if = "is_zero")]
    pub requests: u64,
    /// Tokens.
    #[serde(skip_serializing_if = "is_zero")]
    pub tokens: u64,
    /// E-mails.
    #[serde(skip_serializing_if = "is_zero")]
    pub emails: u64,
}

/// The most that one piece of work can count on a meter. No answer has a billion tokens; whoever says so, a provider or
/// what stands in its place, is wrong, and would lock its user out for good: sums stay far below 2^53, up to which
/// JavaScript's numbers and D1 are exact.
pub const MOST_AMOUNT: u64 = 1_000_000_000;

impl Amounts {
    /// Meter by meter, at most [`MOST_AMOUNT`].
    #[must_use]
    pub fn bounded(self) -> Self {
        Self::of(|meter| self.get(meter).min(MOST_AMOUNT))
    }

    /// Nothing on any meter.
    pub const ZERO: Self = Self { requests: 0, tokens: 0, emails: 0 };

    /// The most that one piece of work can take of a meter; what is more is no amount but a fault of whoever counted.
    pub const MOST_AT_ONCE: u64 = MOST_AMOUNT;

    /// The most that a period's total can be: far beyond any use, and the totals of ten thousand members still add up without
    /// saturating, since a sum that has saturated cannot be taken apart again.
    pub const MOST_IN_A_PERIOD: u64 = 1 << 50;

    /// Meter by meter, the amount, or where it is more than one piece of work can take, `instead`'s.
    #[must_use]
    pub fn believable_or(self, instead: Self) -> Self {
        Self::of(|meter| {
            let amount = self.get(meter);
            if amount > Self::MOST_AT_ONCE { instead.get(meter).min(Self::MOST_AT_ONCE) } else { amount }
        })
    }

    /// Meter by meter, the total of a period, bounded.
    #[must_use]
    pub fn bounded_total(self) -> Self {
        Self::of(|meter| self.get(meter).min(Self::MOST_IN_A_PERIOD))
    }

    /// The amount on one meter.
    pub const fn get(&self, meter: MeterName) -> u64 {
        match meter {
            MeterName::Requests => self.requests,
            MeterName::Tokens => self.tokens,
            MeterName::Emails => self.emails,
        }
    }

    /// Meter by meter, the sum.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            tokens: self.tokens.saturating_add(other.tokens),
            emails: self.emails.saturating_add(other.emails),
        }
    }

    /// Meter by meter, the larger of both.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self::of(|meter| self.get(meter).max(other.get(meter)))
    }

    /// An amount for each meter.
    pub fn of(mut amount: impl FnMut(MeterName) -> u64) -> Self {
        Self {
            requests: amount(MeterName::Requests),
            tokens: amount(MeterName::Tokens),
            emails: amount(MeterName::Emails),
        }
    }

    /// Whether there is nothing on any meter.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// Meter by meter, the difference, never below nothing.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(other.requests),
            tokens: self.tokens.saturating_sub(other.tokens),
            emails: self.emails.saturating_sub(other.emails),
        }
    }
}

/// How much of a meter a plan includes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The plan does not have this meter at all: a call that needs it is refused for the plan, not the quota.
    #[default]
    NotIncluded,
    /// Admission stops exactly here.
    Hard(u64),
    /// Included up to here; what is above is overage, which is billed.
    Soft {
        /// What the plan's price includes.
        included: u64,
        /// Where admission stops all the same: a spending cap; `None` without one.
        ceiling: Option<u64>,
    },
    /// Counted, never stopped.
    Unlimited,
}

impl Limit {
    /// What the plan includes; `None` without a limit.
    pub const fn included(self) -> Option<u64> {
        match self {
            Self::NotIncluded => Some(0),
            Self::Hard(limit) | Self::Soft { included: limit, .. } => Some(limit),
            Self::Unlimited => None,
        }
    }

    /// Where admission stops; `None` where it does not.
    pub const fn ceiling(self) -> Option<u64> {
        match self {
            Self::NotIncluded => Some(0),
            Self::Hard(limit) => Some(limit),
            Self::Soft { ceiling, .. } => ceiling,
            Self::Unlimited => None,
        }
    }
}

/// A limit for every meter. One that was stored before a meter existed does not include it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Calls of a model.
    pub requests: Limit,
    /// Tokens.
    pub tokens: Limit,
    /// E-mails.
    pub emails: Limit,
}

impl Limits {
    /// The limit of one meter.
    pub const fn get(&self, meter: MeterName) -> Limit {
        match meter {
            MeterName::Requests => self.requests,
            MeterName::Tokens => self.tokens,
            MeterName::Emails => self.emails,
        }
    }
}
