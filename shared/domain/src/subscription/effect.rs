//! What is to be done after a change. The shell stores the state and these together, and carries them out from there:
//! each may be carried out twice.

use serde::{Deserialize, Serialize};

use crate::{
    audit::{Action, Actor, Entry, Outcome, Source, Target},
    catalogue::Plan,
    meter::Entitlement,
    time::Timestamp,
};

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Tell the meters, and a team's pool, what may be used. An older version is ignored by them.
    Push(Entitlement),
    /// Tell the team how many may be in it.
    Seats(u32),
    /// Write to the owner.
    Mail(Notice),
    /// Write into the audit log.
    Audit(Recorded),
    /// Two subscriptions to the same product are alive: somebody paid twice. An operator cancels and refunds one.
    Duplicate {
        /// The one that counts.
        kept: String,
        /// The other.
        other: String,
    },
    /// A word to who runs the platform, in the log: money was given back, or may be lost.
    Operator {
        /// Whether money may be lost.
        is_grave: bool,
        /// What happened.
        text: String,
    },
    /// A plan was ended here before its period is over: Stripe is not to renew it. Or that was taken back.
    Renewal {
        /// `sub_...`.
        subscription: String,
        /// Whether it is to be renewed.
        is_wanted: bool,
    },
    /// Remember that there was a trial: for the person, the card, the company. A trial that one of the first two had before
    /// is ended.
    ClaimTrial {
        /// `sub_...`.
        subscription: String,
    },
}

/// A mail to the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it says.
    pub kind: NoticeKind,
    /// The same for the same occasion, whoever noticed it and how often: a mail of this key is sent once.
    pub key: String,
}

/// What a mail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A plan was bought.
    Started {
        /// Which.
        plan: Plan,
    },
    /// A payment failed.
    PaymentFailed {
        /// Which reminder: 0 at once, then the days of [`super::DUNNING_DAYS`].
        day: i64,
        /// When access ends unless it is paid.
        access_ends_at: Timestamp,
    },
    /// It was cancelled and ends later.
    Cancelling {
        /// When.
        ends_at: Timestamp,
    },
    /// It is over.
    Ended,
    /// A trial with a card has begun.
    TrialStarted {
        /// The plan that comes after it.
        plan: Plan,
        /// When that is.
        ends_at: Timestamp,
    },
    /// There was a trial for this card or person before: this one was ended, and nothing was charged.
    TrialRefused {
        /// The plan that can be bought.
        plan: Plan,
    },
}

/// A change, for the audit log. Values are `before -> after`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// `sub_...`.
    pub subscription: String,
    /// What changed: `status`, `plan`, `seats`, `subscription`, `interval`, `trial`.
    pub details: Vec<(String, String)>,
}

impl Recorded {
    /// The entry; `function` is who noticed: `stripe-webhook`, `cron`.
    pub fn entry(&self, function: &str) -> Entry {
        let actor = Actor::System { function: function.to_owned() };
        let target = Target { kind: "subscription".to_owned(), id: Some(self.subscription.clone()) };
        let entry = Entry::new(actor, Action::BillingChange, target, Source::default(), Outcome::Success);
        self.details.iter().fold(entry, |entry, (name, value)| entry.with(name, value))
    }
}
