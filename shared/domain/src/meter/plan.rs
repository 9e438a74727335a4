//! What a user may use, and when the counters start again.

use serde::{Deserialize, Serialize};

use super::{Limits, RateLimit, Refusal};
use crate::{
    catalogue::{Plan, Product},
    time::{Period, Timestamp, millis, monthly_period},
    trial::Trial,
};

/// When a plan's counters start again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Terms {
    /// One span, and after it nothing is admitted until a plan is bought.
    Trial(Trial),
    /// Monthly periods from the anchor, see [`monthly_period`].
    Monthly {
        /// When the subscription began.
        #[serde(with = "millis")]
        anchor: Timestamp,
    },
    /// A plan that was held and is not paid any more: nothing is admitted until one is bought. What was used stays to be
    /// seen in its months.
    Ended {
        /// When the subscription began.
        #[serde(with = "millis")]
        anchor: Timestamp,
        /// Since when nothing is admitted.
        #[serde(with = "millis")]
        at: Timestamp,
    },
}

impl Terms {
    /// Why nothing is admitted at an instant, whatever is left; `None` when something is.
    pub fn over(&self, now: Timestamp, plan: Plan) -> Option<Refusal> {
        match *self {
            Self::Trial(trial) if trial.is_over(now) => Some(Refusal::TrialExpired { ended_at: trial.ends_at }),
            Self::Ended { at, .. } if now >= at => Some(Refusal::PaymentRequired { plan, ended_at: at }),
            _ => None,
        }
    }

    /// The period around an instant. A trial's is always its whole span.
    pub fn period(&self, now: Timestamp) -> Period {
        match *self {
            Self::Trial(trial) => Period { start: trial.started_at, end: trial.ends_at },
            Self::Monthly { anchor } | Self::Ended { anchor, .. } => monthly_period(anchor, now),
        }
    }
}

/// What a user may use: pushed to the meter by billing, with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    /// Rises with every change; a push with a lower or equal one is ignored.
    pub version: u64,
    /// The product it is for.
    pub product: Product,
    /// The plan held.
    pub plan: Plan,
    /// What the plan includes: for this user, or for the whole team where it is pooled.
    pub limits: Limits,
    /// When counters start again, and when a trial ends.
    pub terms: Terms,
    /// Whether the limits are a team's: what this meter may admit then comes in leases from the team's pool.
    #[serde(default)]
    pub pooled: bool,
    /// How fast requests may come, where the plan says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateLimit>,
    /// Whether the user's address was confirmed. Until then a plan that nobody pays for has no models that cost money. What was
    /// told by releases that did not know of it counts as confirmed: nobody loses what they had.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub confirmed: bool,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
const fn is_yes(yes: &bool) -> bool {
    *yes
}

impl Entitlement {
    /// Whether it may use what costs money although nobody has confirmed the address: whoever pays may.
    pub const fn may_cost(&self) -> bool {
        self.confirmed || !matches!(self.plan, Plan::Trial | Plan::Free)
    }
}
