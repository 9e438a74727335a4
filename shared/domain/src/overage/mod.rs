//! Overage: what goes beyond the included amount of a soft limit, told to Stripe, which bills it.
//!
//! One [`MeteredPeriod`] for each soft limit and billing month. Usage is looked at again and again; what is new beyond the
//! included amount is sent to Stripe as a meter event, and Stripe adds events up. An event is a difference, so one that is
//! sent twice would be billed twice: it is claimed in the database before it is sent, with an identifier that Stripe takes
//! once, and the same claim is sent until its fate is known.
//!
//! ```text
//!            news: claim                     taken
//!   at rest ─────────────▶ claimed ─────────────────────▶ at rest, reported
//!      ▲                    │  │ ▲ no answer, or cut off: the same again
//!      │  refused at once   │  │ └──────┐
//!      └────────────────────┘  ├────────┘
//!                              └─▶ fate unknown for 23 hours: counts as reported, and nobody is charged for it
//! ```
//!
//! What always holds, each a property of `tests.rs`:
//! 1. What Stripe adds up is never more than the overage that was seen, whatever is lost, doubled or late.
//! 2. When usage only grows and nothing was given up, it is the overage, exactly.
//! 3. `reported` never falls, and nothing below one is ever sent.
//!
//! Stripe knows an identifier "within a rolling period of at least 24 hours" and refuses it the second time
//! (<https://docs.stripe.com/api/billing/meter-event/create>).

mod follow;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use follow::{Current, follow};

use crate::{
    catalogue::Product,
    meter::MeterName,
    time::{DAY_MS, Period, Timestamp, millis},
};

/// How long a claim is sent again, from when it was made: while Stripe is sure to know its identifier, with an hour to
/// spare. In milliseconds.
pub const KEPT_MS: i64 = 23 * 3_600_000;
/// How long whoever sends a claim has it to themselves, in milliseconds: longer than Stripe's client tries.
pub const HELD_MS: i64 = 120_000;
/// How long after a period's end rows may come late, in milliseconds.
pub const LATE_MS: i64 = DAY_MS;
/// How long after its end a period can be reported at all, in days: Stripe takes events of the past 35.
pub const REPORTABLE_DAYS: i64 = 34;

/// What an unlimited meter includes: the largest number that databases with doubles keep.
pub const WITHOUT_END: u64 = (1 << 53) - 1;

/// What Stripe's meter of a product's meter listens to.
pub fn event_name(product: Product, meter: MeterName) -> String {
    format!("tollgate_{product}_{meter}")
}

/// An event that is on its way, or was: its fate is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Stripe takes it once. It follows from what was reported before, so that no two claims on the same units differ in it.
    pub identifier: String,
    /// How many units, at least one.
    pub amount: u64,
    /// When it was made.
    #[serde(with = "millis")]
    pub since: Timestamp,
    /// How often it was sent, this time included.
    pub tries: u32,
    /// Until when whoever sends it has it to themselves.
    #[serde(with = "millis")]
    pub held_until: Timestamp,
}

/// What goes beyond a soft limit in a billing month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeteredPeriod {
    /// The meter.
    pub meter: MeterName,
    /// The month; shorter where another subscription began within it.
    pub period: Period,
    /// How much the plan's price includes; within a period it never falls.
    pub included: u64,
    /// Whether all members of the tenant use it up together.
    pub pooled: bool,
    /// How many units Stripe has taken, or is taken to have.
    pub reported: u64,
    /// What is on its way.
    pub claim: Option<Claim>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing for now.
    Rest,
    /// Somebody else is sending the claim.
    Busy,
    /// This is stored first, if nobody has changed it since; then its claim is sent.
    Send(MeteredPeriod),
    /// What became of a claim cannot be found out any more: it counts as reported. This is stored, and an operator is told.
    GiveUp {
        /// The period afterwards.
        next: MeteredPeriod,
        /// What may not be billed.
        amount: u64,
    },
    /// The period is over for good.
    Close {
        /// What Stripe never took; an operator is told unless it is 0.
        lost: u64,
    },
}

/// What Stripe says to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It has it, from now or from before.
    Taken,
    /// It does not take it.
    Refused,
    /// Nothing that one could go by.
    Unknown,
}

impl MeteredPeriod {
    /// A period of which nothing was reported yet.
    pub const fn begin(meter: MeterName, period: Period, included: u64, pooled: bool) -> Self {
        Self { meter, period, included, pooled, reported: 0, claim: None }
    }

    /// How much goes beyond what is included.
    pub const fn overage(&self, used: u64) -> u64 {
        used.saturating_sub(self.included)
    }

    /// What was told to Stripe, or is on its way.
    pub fn told(&self) -> u64 {
        self.reported.saturating_add(self.claim.as_ref().map_or(0, |claim| claim.amount))
    }

    /// What is to be done, now that so much was used in the period. `owner` names tenant and product for good.
    pub fn step(&self, used: u64, owner: &str, now: Timestamp) -> Step {
        let held_until = now.plus_millis(HELD_MS);
        if let Some(claim) = &self.claim {
            if now < claim.held_until {
                return Step::Busy;
            }
            if now > claim.since.plus_millis(KEPT_MS) {
                let next = Self { reported: self.told(), claim: None, ..self.clone() };
                return Step::GiveUp { next, amount: claim.amount };
            }
            let again = Claim { tries: claim.tries.saturating_add(1), held_until, ..claim.clone() };
            return Step::Send(Self { claim: Some(again), ..self.clone() });
        }
        let amount = self.overage(used).saturating_sub(self.reported);
        if now >= self.period.end.plus_days(REPORTABLE_DAYS) {
            return Step::Close { lost: amount };
        }
        if amount > 0 {
            let start = self.period.start.as_seconds();
            let identifier = format!("{owner}-{}-{start}-{}", self.meter, self.reported);
            let claim = Claim { identifier, amount, since: now, tries: 1, held_until };
            return Step::Send(Self { claim: Some(claim), ..self.clone() });
        }
        if now >= self.period.end.plus_millis(LATE_MS) { Step::Close { lost: 0 } } else { Step::Rest }
    }

    /// What follows from an answer to the claim that was sent, at `now`.
    ///
    /// A refusal of the first try is the end of the claim: what it was about is claimed anew when Stripe may take it. After an
    /// earlier try without an answer it says nothing about that one, and the claim stays.
    #[must_use]
    pub fn answered(&self, answer: Answer, now: Timestamp) -> Self {
        let Some(claim) = &self.claim else { return self.clone() };
        match answer {
            Answer::Taken => Self { reported: self.told(), claim: None, ..self.clone() },
            Answer::Refused if claim.tries <= 1 => Self { claim: None, ..self.clone() },
            // Nobody sends it any more.
            Answer::Refused | Answer::Unknown => {
                Self { claim: Some(Claim { held_until: now, ..claim.clone() }), ..self.clone() }
            }
        }
    }

    /// The instant that a claim's event bears, in seconds since 1970: when it was made, within the period.
    pub fn event_at(&self, claim: &Claim) -> i64 {
        let last = self.period.end.as_seconds().saturating_sub(1);
        claim.since.as_seconds().min(last).max(self.period.start.as_seconds())
    }
}
