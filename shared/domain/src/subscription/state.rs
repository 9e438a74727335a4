//! A subscription as we keep it, and who has access when.

use serde::{Deserialize, Serialize};

use super::{
    card_trial::CardTrial,
    observed::{Paid, Status},
    setback::Setback,
};
use crate::{
    catalogue::{Feature, Offer, Plan, Product, limits, plan_without_payment},
    meter::{Entitlement, Terms},
    time::Timestamp,
    trial::Trial,
};

/// How long a plan is left to somebody whose payment failed, in days of 24 hours from the invoice.
pub const GRACE_DAYS: i64 = 7;

/// When they are reminded, in days from the invoice.
pub const DUNNING_DAYS: [i64; 3] = [0, 3, 6];

/// What a tenant holds of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The product.
    pub product: Product,
    /// The trial that came with the registration, where there was one.
    pub trial: Option<Trial>,
    /// When the plan without payment was chosen instead of waiting for the trial's end.
    pub free_since: Option<Timestamp>,
    /// What Stripe said last; `None` before the first checkout.
    pub paid: Option<Paid>,
    /// Payments that were given back or are disputed.
    #[serde(default)]
    pub(super) setbacks: Vec<Setback>,
    /// What others were told.
    pub(super) told: Told,
}

/// What others were told: it decides what they are told next, never who has access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    /// The last version pushed to the meters.
    pub version: u64,
    /// And what was in it.
    pub entitlement: Option<Entitlement>,
    /// The team's seats.
    pub seats: u32,
    /// Of which missing payment, and how many reminders were due by then.
    pub dunning: Option<(Timestamp, usize)>,
    /// Which pairs of subscriptions an operator knows of.
    pub duplicates: Vec<(String, String)>,
    /// For which subscriptions a trial was claimed.
    #[serde(default)]
    pub claimed: Vec<String>,
}

/// What may be used at an instant, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The trial of the registration.
    Trial(Trial),
    /// The plan that was bought; in arrears it ends at `until` unless it is paid.
    Plan {
        /// When the grace for a missing payment ends.
        until: Option<Timestamp>,
    },
    /// The plan without payment.
    Free,
    /// Nothing, since then.
    Ended {
        /// Since when.
        at: Timestamp,
    },
}

impl Subscription {
    /// What a registration begins with. `version` is that of the first push, which the registration makes.
    pub fn trial(product: Product, trial: Trial, version: u64) -> Self {
        let mut subscription = Self { trial: Some(trial), ..Self::none(product, version) };
        subscription.told.entitlement = subscription.entitlement(trial.started_at);
        subscription
    }

    /// A product that was not registered for: no trial, nothing held, nobody told.
    pub fn none(product: Product, version: u64) -> Self {
        let told =
            Told { version, entitlement: None, seats: 1, dunning: None, duplicates: Vec::new(), claimed: Vec::new() };
        Self { product, trial: None, free_since: None, paid: None, setbacks: Vec::new(), told }
    }

    /// The same, once others have pushed a version by themselves (somebody moved between teams): the next is above it.
    #[must_use]
    pub fn above(mut self, version: u64) -> Self {
        self.told.version = self.told.version.max(version);
        self
    }

    /// The next instant at which time alone changes something, see [`Self::tick`]; `None` when nothing is to come.
    pub fn due_at(&self, now: Timestamp) -> Option<Timestamp> {
        let paid = self.paid.as_ref()?;
        match paid.status {
            Status::PastDue => {
                let since = paid.past_due_since.unwrap_or(paid.period.start);
                let days = DUNNING_DAYS.into_iter().chain([GRACE_DAYS]);
                days.map(|day| since.plus_days(day)).find(|instant| *instant > now)
            }
            Status::Cancelling => paid.ends_at.filter(|end| *end > now),
            _ => None,
        }
    }

    /// What may be used at an instant. A trial that is over stays [`Access::Trial`]: the meter knows its end.
    pub fn access(&self, now: Timestamp) -> Access {
        let Some(paid) = &self.paid else { return self.unpaid_access() };
        if let Some(stopped) = paid.stopped {
            return self.ended(stopped.since);
        }
        match paid.status {
            Status::Incomplete | Status::NeverPaid => self.unpaid_access(),
            Status::Trialing | Status::Active => Access::Plan { until: None },
            Status::PastDue => {
                let until = paid.past_due_since.unwrap_or(paid.period.start).plus_days(GRACE_DAYS);
                if now < until { Access::Plan { until: Some(until) } } else { self.ended(until) }
            }
            // Stripe's own clock says so a moment later; nobody is served longer than they paid for.
            Status::Cancelling => match paid.ends_at {
                Some(end) if now >= end => self.ended(end),
                _ => Access::Plan { until: None },
            },
            Status::Paused => self.ended(paid.period.start),
            Status::Cancelled => self.ended(paid.ends_at.unwrap_or(paid.period.end)),
        }
    }

    fn unpaid_access(&self) -> Access {
        match (self.free_since, self.trial) {
            (None, Some(trial)) => Access::Trial(trial),
            (since, _) => self.ended(since.unwrap_or_default()),
        }
    }

    fn ended(&self, at: Timestamp) -> Access {
        if plan_without_payment(self.product).is_some() { Access::Free } else { Access::Ended { at } }
    }

    /// What the meters are to know at an instant, with the version they were told last. `None` for a plan that is no
    /// longer in the catalogue, not even as an old version: then they keep what they have.
    pub fn entitlement(&self, now: Timestamp) -> Option<Entitlement> {
        // In a trial that Stripe keeps the anchor is its end: until then months are counted from the beginning, or what is used
        // would count in the first paid month.
        let of_paid = |paid: &Paid| if paid.anchor > now { paid.created_at } else { paid.anchor };
        let anchor = self.paid.as_ref().map(of_paid).or(self.free_since).unwrap_or_default();
        let of = |plan: Plan, limits, terms| Entitlement {
            version: self.told.version,
            product: self.product,
            plan,
            limits,
            terms,
            pooled: plan.is_pooled(),
            rate: None,
            confirmed: true,
        };
        let of_offer = |offer: &Offer| of(offer.plan, offer.limits, Terms::Monthly { anchor });
        match self.access(now) {
            Access::Trial(trial) => {
                limits(self.product, Plan::Trial).map(|it| of(Plan::Trial, it, Terms::Trial(trial)))
            }
            // Whatever was chosen: a card alone buys no more than a trial.
            Access::Plan { .. } if let Some((paid, _)) = self.card_trial() => {
                let terms = Terms::Monthly { anchor: paid.created_at };
                limits(self.product, Plan::Trial).map(|it| of(Plan::Trial, it, terms))
            }
            Access::Plan { .. } => self.offer().map(of_offer),
            Access::Free => plan_without_payment(self.product).map(of_offer),
            Access::Ended { at } => match self.offer() {
                Some(offer) => Some(of(offer.plan, offer.limits, Terms::Ended { anchor, at })),
                // Nothing was ever held.
                None => limits(self.product, Plan::Trial).map(|it| of(Plan::Trial, it, Terms::Ended { anchor, at })),
            },
        }
    }

    /// How many may be in the team at an instant: those who are in stay, see [`crate::team::Team::set_seats`].
    pub fn seats(&self, now: Timestamp) -> u32 {
        let is_team = self.offer().is_some_and(|offer| offer.has(Feature::Team));
        match (self.access(now), &self.paid) {
            (Access::Plan { .. }, Some(paid)) if is_team && paid.card_trial.is_none() => paid.seats,
            _ => 1,
        }
    }

    /// How many reminders of a missing payment are due by an instant, of [`DUNNING_DAYS`]; and since when it is missing.
    pub(super) fn dunning(&self, now: Timestamp) -> Option<(Timestamp, usize)> {
        let since = self.paid.as_ref().filter(|paid| paid.status == Status::PastDue)?.past_due_since?;
        Some((since, DUNNING_DAYS.iter().filter(|day| since.plus_days(**day) <= now).count()))
    }

    /// The trial with a card that is held, and what it leads to; `None` once something was paid.
    pub fn card_trial(&self) -> Option<(&Paid, CardTrial)> {
        self.paid.as_ref().and_then(|paid| Some((paid, paid.card_trial?)))
    }

    /// When the trial with a card ends that is used at an instant.
    pub fn card_trial_ends_at(&self, now: Timestamp) -> Option<Timestamp> {
        match (self.access(now), self.card_trial()) {
            (Access::Plan { .. }, Some((_, CardTrial::Until(ends_at)))) => Some(ends_at),
            _ => None,
        }
    }

    /// How many days of a trial a checkout may begin with, for all that is known of this tenant: nothing of the product was
    /// ever tried or bought. Whether the person had one elsewhere is not known here.
    pub fn trial_days_left(&self) -> Option<i64> {
        let is_bought =
            |paid: &Paid| !matches!(paid.status, Status::Incomplete | Status::NeverPaid) || paid.card_trial.is_some();
        let is_new = self.trial.is_none() && !self.paid.as_ref().is_some_and(is_bought);
        is_new.then(|| self.product.trial_days())
    }

    /// The version last pushed to the meters.
    pub const fn version(&self) -> u64 {
        self.told.version
    }

    fn offer(&self) -> Option<&'static Offer> {
        self.paid.as_ref().and_then(|paid| paid.offer(self.product))
    }
}
