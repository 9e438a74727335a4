//! The trial that a checkout begins with: a card is asked for, and nothing is charged before it ends.
//!
//! Stripe keeps it. That it is one of ours stands in the subscription's metadata: a trial that an operator gives at Stripe
//! has no such mark, and has the limits of its plan. One of ours has those of the product's trial until something was paid:
//! not only while Stripe says `trialing`, but also in the hour in which its first invoice is a draft, and while the first
//! payment fails (<https://docs.stripe.com/billing/subscriptions/trials>).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::stripe::{LatestInvoice, StripeSubscription};
use crate::time::{Period, Timestamp};

/// The name in the metadata of a subscription that began with a trial of ours.
pub const TRIAL_MARK: &str = "tollgate_trial";
/// Its value from the checkout on.
pub const TRIAL_CARD: &str = "card";
/// Its value once it is known that the card or the person had a trial before: it is being ended.
pub const TRIAL_REFUSED: &str = "refused";

/// A trial with a card, as long as nothing was paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardTrial {
    /// The plan begins then, with its first payment.
    Until(Timestamp),
    /// There was one before.
    Refused,
}

/// What the object says of a trial of ours. `period` is the current one.
pub(super) fn card_trial(object: &StripeSubscription, period: Period) -> Option<CardTrial> {
    let is_refused = match object.metadata.get(TRIAL_MARK)?.as_str() {
        TRIAL_CARD => false,
        TRIAL_REFUSED => true,
        _ => return None,
    };
    let ends_at = object.trial_end.map_or(period.end, Timestamp::from_seconds);
    // The period after the trial begins with its end; the ones after that begin later, and follow a payment.
    let is_first = period.start <= ends_at;
    let is_unpaid = match object.status.as_str() {
        "trialing" => true,
        "active" | "paused" => is_first && object.latest_invoice.as_ref().is_some_and(LatestInvoice::is_awaited),
        "past_due" | "unpaid" => is_first,
        "canceled" => return is_refused.then_some(CardTrial::Refused),
        _ => false,
    };
    is_unpaid.then_some(if is_refused { CardTrial::Refused } else { CardTrial::Until(ends_at) })
}

/// A subscription as it is fetched to see whose trial it is, with `expand[]=default_payment_method` and
/// `expand[]=customer.invoice_settings.default_payment_method`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Payer(Value);

impl Payer {
    /// The fingerprint of the card that will be charged: the subscription's own, else the customer's. `None` for what is no
    /// card.
    pub fn fingerprint(&self) -> Option<&str> {
        let own = self.0.get("default_payment_method").filter(|method| !method.is_null());
        let method = own.or_else(|| self.0.pointer("/customer/invoice_settings/default_payment_method"));
        method?.pointer("/card/fingerprint")?.as_str().filter(|print| !print.is_empty())
    }

    /// Whether it is a trial of ours in which nothing was paid, and may be ended without taking anything from anybody.
    pub fn is_trial(&self) -> bool {
        let status = self.0.get("status").and_then(Value::as_str);
        status == Some("trialing") && matches!(self.mark(), Some(TRIAL_CARD | TRIAL_REFUSED))
    }

    /// Whether it was decided that there was one before.
    pub fn is_refused(&self) -> bool {
        self.mark() == Some(TRIAL_REFUSED)
    }

    fn mark(&self) -> Option<&str> {
        self.0.get("metadata")?.get(TRIAL_MARK)?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn payer(value: Value) -> Payer {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_card_is_the_subscriptions_else_the_customers() {
        let card = |print: &str| json!({"id": "pm_1", "type": "card", "card": {"fingerprint": print, "last4": "4242"}});
        let customer = |method: Value| json!({"id": "cus_1", "invoice_settings": {"default_payment_method": method, "footer": null}});
        for (own, of_customer, expected) in [
            (card("one"), customer(card("two")), Some("one")),
            (json!(null), customer(card("two")), Some("two")),
            (json!(null), customer(json!(null)), None),
            (json!(null), customer(json!("pm_2")), None),
            (json!(null), json!("cus_1"), None),
            (json!({"id": "pm_1", "type": "link", "link": {}}), customer(card("two")), None),
            (json!({"id": "pm_1", "type": "sepa_debit", "sepa_debit": {"fingerprint": "x"}}), json!(null), None),
            (card(""), json!("cus_1"), None),
        ] {
            let object = json!({"status": "trialing", "default_payment_method": own, "customer": of_customer});
            assert_eq!(payer(object.clone()).fingerprint(), expected, "{object}");
        }
    }

    #[test]
    fn only_a_trial_of_ours_that_still_runs_may_be_ended() {
        let of = |status: &str, mark: Value| payer(json!({"status": status, "metadata": mark}));
        assert!(of("trialing", json!({TRIAL_MARK: TRIAL_CARD})).is_trial());
        let refused = of("trialing", json!({TRIAL_MARK: TRIAL_REFUSED}));
        assert!(refused.is_trial() && refused.is_refused());
        for (status, mark) in [
            ("active", json!({TRIAL_MARK: TRIAL_CARD})),
            ("past_due", json!({TRIAL_MARK: TRIAL_CARD})),
            ("canceled", json!({TRIAL_MARK: TRIAL_REFUSED})),
            ("trialing", json!({TRIAL_MARK: "operator"})),
            ("trialing", json!({})),
            ("trialing", json!(null)),
        ] {
            assert!(!of(status, mark.clone()).is_trial(), "{status} {mark}");
        }
    }
}
