//! A payment as JSON, its refunds and its disputes. Tolerant as the other objects are.
//! Sources: <https://docs.stripe.com/api/charges/object>, <https://docs.stripe.com/api/refunds/object>,
//! <https://docs.stripe.com/api/disputes/object>, <https://docs.stripe.com/api/invoice-payment/object>.

use serde::Deserialize;

use super::invoice::Expandable;
use crate::subscription::Dispute;

/// A payment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Charge {
    /// `ch_...` or `py_...`.
    pub id: String,
    /// `cus_...`: who paid.
    pub customer: Option<Expandable>,
    /// Until 2025-03-31: what it paid. Since then an invoice payment says so.
    pub invoice: Option<Expandable>,
    /// `pi_...`: what it belongs to.
    pub payment_intent: Option<Expandable>,
    /// ISO 4217, in lower case.
    pub currency: String,
    /// What was refunded of it.
    pub amount_refunded: i64,
    /// Whether it is or was disputed.
    pub disputed: bool,
}

impl Charge {
    /// Whether something was given back of it or is disputed. An inquiry, and a refund that failed, may not show here.
    pub const fn is_set_back(&self) -> bool {
        self.amount_refunded > 0 || self.disputed
    }
}

/// What a payment belongs to where a refund or dispute does not name the payment itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PaymentIntent {
    /// `ch_...`.
    pub latest_charge: Option<Expandable>,
}

/// Which invoice a payment paid.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct InvoicePayment {
    /// `in_...`.
    pub invoice: Option<Expandable>,
}

/// Money that was given back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Refund {
    /// In the smallest unit of its currency.
    pub amount: i64,
    /// `pending`, `requires_action`, `succeeded`, `failed` or `canceled`.
    pub status: Option<String>,
}

/// What is given back by refunds. One that is on its way counts; one that failed or was taken back was none: the money is
/// with the operator again (<https://docs.stripe.com/refunds#failed-refunds>).
pub fn refunded(refunds: &[Refund]) -> i64 {
    let stands = |refund: &&Refund| !matches!(refund.status.as_deref(), Some("failed" | "canceled"));
    refunds.iter().filter(stands).fold(0, |sum, refund| sum.saturating_add(refund.amount.max(0)))
}

/// A dispute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct StripeDispute {
    /// `du_...` or `dp_...`.
    pub id: String,
    /// In Stripe's words.
    pub status: String,
}

impl From<StripeDispute> for Dispute {
    fn from(StripeDispute { id, status }: StripeDispute) -> Self {
        Self { id, status }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_did_not_go_through_was_not_given_back() {
        let refunds: Vec<Refund> = serde_json::from_value(json!([
            {"amount": 100, "status": "succeeded"},
            {"amount": 20, "status": "pending"},
            {"amount": 3, "status": "requires_action"},
            {"amount": 5_000, "status": "failed"},
            {"amount": 70_000, "status": "canceled"},
            {"amount": 4},
        ]))
        .unwrap();
        assert_eq!(refunded(&refunds), 127);
        assert_eq!(refunded(&[]), 0);
    }

    #[test]
    fn a_charge_is_read_in_both_shapes() {
        let old =
            json!({"id": "ch_1", "customer": "cus_1", "invoice": "in_1", "amount_refunded": 5, "disputed": false});
        let new = json!({"id": "ch_1", "customer": {"id": "cus_1"}, "payment_intent": "pi_1", "disputed": true});
        let [old, new] = [old, new].map(|shape| serde_json::from_value::<Charge>(shape).unwrap());
        assert_eq!((old.invoice.as_ref().map(Expandable::id), old.is_set_back()), (Some("in_1"), true));
        assert_eq!((new.customer.as_ref().map(Expandable::id), new.is_set_back()), (Some("cus_1"), true));
        assert!(!Charge::default().is_set_back());
    }

    proptest! {
        #[test]
        fn no_sum_panics(amounts in proptest::collection::vec(any::<i64>(), 0..9)) {
            let refunds: Vec<_> = amounts.into_iter().map(|amount| Refund { amount, status: None }).collect();
            prop_assert!(refunded(&refunds) >= 0);
        }
    }
}
