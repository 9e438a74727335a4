//! Payments that were given back or are disputed, and what that takes away.
//!
//! | what happened to a payment | of the current period | of another one |
//! |---|---|---|
//! | all that was paid for the period was refunded | the plan ends | recorded |
//! | a part was refunded, or a part of a period (an upgrade, a seat) | recorded | recorded |
//! | it is disputed | suspended until it is won | recorded |
//! | the dispute was won, or prevented | what was suspended is back | recorded |
//! | the dispute was lost | the plan ends | recorded |
//! | an inquiry: no dispute yet | recorded | recorded |
//! | a refund failed or was cancelled | it was none: what it ended is back | recorded |
//!
//! What is recorded is in the audit log, and the operator reads it in the log of `stripe-webhook`. As everywhere, nothing is
//! taken from an event: the charge, its refunds and its disputes are fetched again, and the verdict is a function of them.
//! Sources: <https://docs.stripe.com/refunds>, <https://docs.stripe.com/api/disputes/object#dispute_object-status>,
//! <https://docs.stripe.com/disputes/how-disputes-work#inquiries>.

use serde::{Deserialize, Serialize};

use super::{
    effect::{Effect, Recorded},
    observed::Paid,
};
use crate::{
    currency,
    time::{Period, Timestamp},
};

/// The name in the metadata of a subscription that is not renewed because it was ended here, see [`Effect::Renewal`].
pub const ENDED_HERE: &str = "tollgate_ended";

/// How many are kept of a state, the latest first noticed: what is older than this says nothing of the current period.
pub(super) const KEPT: usize = 50;

/// A payment of a subscription's invoice that was refunded, in part or as a whole, or disputed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setback {
    /// `ch_...` or `py_...`: the payment.
    pub charge: String,
    /// `in_...`: what it paid.
    pub invoice: String,
    /// `sub_...`: whose invoice that is.
    pub subscription: String,
    /// The whole period that the invoice is for; `None` where it is for parts of one.
    pub whole: Option<Period>,
    /// What the invoice is for, parts of a period too.
    pub span: Option<Period>,
    /// What was paid for the invoice, by this payment and others.
    pub invoice_paid: i64,
    /// What was refunded of this payment, without refunds that failed.
    pub refunded: i64,
    /// ISO 4217.
    pub currency: String,
    /// Its disputes.
    pub disputes: Vec<Dispute>,
}

/// A dispute of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// `du_...` or `dp_...`.
    pub id: String,
    /// In Stripe's words.
    pub status: String,
}

/// Why a plan that runs at Stripe may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// All that was paid for the period was given back.
    Refunded,
    /// The payment is disputed, and nobody has decided yet.
    Disputed,
    /// The dispute was lost.
    Lost,
}

/// That it may not be used, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Why.
    pub why: Why,
    /// When that was noticed.
    pub since: Timestamp,
}

impl Dispute {
    /// Money was taken back, and nobody has decided.
    fn is_open(&self) -> bool {
        matches!(self.status.as_str(), "needs_response" | "under_review")
    }

    fn is_lost(&self) -> bool {
        self.status == "lost"
    }
}

impl Setback {
    /// Whether nothing is missing of the payment (any more).
    pub fn is_nothing(&self) -> bool {
        self.refunded == 0 && self.disputes.is_empty()
    }

    fn is_about(&self, period: Option<Period>, paid: &Paid) -> bool {
        let meets = |one: Period| one.start < paid.period.end && one.end > paid.period.start;
        self.subscription == paid.id && period.is_some_and(meets)
    }

    /// What is told of a change of it. `before` is what was known of the same payment.
    pub(super) fn told(&self, before: Option<&Self>) -> Vec<Effect> {
        let mut details = Vec::new();
        let known = before.map_or(0, |before| before.refunded);
        if known != self.refunded {
            let written = |amount| currency::written(amount, &self.currency);
            let of = written(self.invoice_paid);
            let value = format!("{} -> {} of {of}", written(known), written(self.refunded));
            details.push(("refunded".to_owned(), value));
        }
        for dispute in &self.disputes {
            let known = before.and_then(|before| before.disputes.iter().find(|one| one.id == dispute.id));
            if known.is_none_or(|known| known.status != dispute.status) {
                let old = known.map_or("none", |known| known.status.as_str());
                details.push((format!("dispute {}", dispute.id), format!("{old} -> {}", dispute.status)));
            }
        }
        if details.is_empty() {
            return Vec::new();
        }
        let text = details.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(", ");
        let text = format!("the payment {} of invoice {} ({}): {text}", self.charge, self.invoice, self.subscription);
        // Money that may be lost, against money that the operator gave back and an inquiry.
        let is_grave = self.disputes.iter().any(|dispute| dispute.is_open() || dispute.is_lost());
        details.insert(0, ("charge".to_owned(), self.charge.clone()));
        details.insert(1, ("invoice".to_owned(), self.invoice.clone()));
        let recorded = Recorded { subscription: self.subscription.clone(), details };
        vec![Effect::Audit(recorded), Effect::Operator { is_grave, text }]
    }
}

/// Whether what is paid for now may be used, by all that is known of its payments.
pub(super) fn stopped(setbacks: &[Setback], paid: &Paid) -> Option<Why> {
    let disputed = || setbacks.iter().filter(|one| one.is_about(one.span, paid)).flat_map(|one| &one.disputes);
    let is_refunded = |one: &Setback| {
        // Several payments may have paid one invoice.
        let of_invoice = setbacks.iter().filter(|other| other.invoice == one.invoice);
        let refunded = of_invoice.fold(0_i64, |sum, other| sum.saturating_add(other.refunded));
        one.is_about(one.whole, paid) && one.invoice_paid > 0 && refunded >= one.invoice_paid
    };
    if disputed().any(Dispute::is_lost) {
        Some(Why::Lost)
    } else if setbacks.iter().any(is_refunded) {
        Some(Why::Refunded)
    } else {
        disputed().any(Dispute::is_open).then_some(Why::Disputed)
    }
}
