//! What an event says. Its content is never applied (see [`crate::subscription`]): all that is read is whose subscription
//! is to be fetched again, which invoice was paid, and which payment was given back or is disputed.

use serde::Deserialize;
use serde_json::Value;

/// The longest id that is taken, in characters: Stripe's are up to 255.
const MAX_ID_CHARS: usize = 255;

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `evt_...`.
    pub id: String,
    /// `customer.subscription.updated` and so on.
    pub kind: String,
    /// What it is about; `None` for what is kept and ignored.
    pub subject: Option<Subject>,
}

/// The subscription that changed, or the payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// `sub_...`; `None` where the event is about a payment: what that paid for is found out when it is fetched.
    pub subscription: Option<String>,
    /// `cus_...`, where the event says so.
    pub customer: Option<String>,
    /// `in_...`: the invoice that was paid, where the event is about that.
    pub invoice: Option<String>,
    /// `ch_...`, `py_...` or `pi_...`: the payment that was refunded or disputed, where the event is about that.
    pub payment: Option<String>,
}

#[derive(Deserialize)]
struct Wire {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

impl Event {
    /// Reads a body; `None` when it is no event of Stripe's.
    pub fn read(body: &[u8]) -> Option<Self> {
        let wire: Wire = serde_json::from_slice(body).ok()?;
        let is_id = |text: &str| {
            text.starts_with("evt_")
                && text.len() <= MAX_ID_CHARS
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if !is_id(&wire.id) || wire.kind.len() > MAX_ID_CHARS {
            return None;
        }
        let subject = subject(&wire.kind, &wire.data.object);
        Some(Self { id: wire.id, kind: wire.kind, subject })
    }
}

/// An id stands alone, or in an object that was expanded.
fn id_of(value: &Value) -> Option<String> {
    let id = value.as_str().or_else(|| value.get("id")?.as_str())?;
    (!id.is_empty() && id.len() <= MAX_ID_CHARS).then(|| id.to_owned())
}

fn subject(kind: &str, object: &Value) -> Option<Subject> {
    let customer = object.get("customer").and_then(id_of);
    if let Some(payment) = payment(kind, object) {
        return Some(Subject { subscription: None, customer, invoice: None, payment: Some(payment) });
    }
    let subscription = match kind.split('.').next()? {
        "customer" if kind.starts_with("customer.subscription.") => id_of(object.get("id")?),
        // Since 2025-03-31 it stands under `parent`:
        // <https://docs.stripe.com/changelog/basil/2025-03-31/adds-new-parent-field-to-invoicing-objects>.
        "invoice" => object
            .get("subscription")
            .and_then(id_of)
            .or_else(|| id_of(object.pointer("/parent/subscription_details/subscription")?)),
        "checkout" => id_of(object.get("subscription")?),
        "subscription_schedule" => {
            object.get("subscription").and_then(id_of).or_else(|| id_of(object.get("released_subscription")?))
        }
        _ => None,
    }?;
    // Both tell the same; which of them is sent depends on what the endpoint listens to.
    let is_payment = matches!(kind, "invoice.paid" | "invoice.payment_succeeded");
    let invoice = object.get("id").filter(|_| is_payment).and_then(id_of);
    Some(Subject { subscription: Some(subscription), customer, invoice, payment: None })
}

/// The payment that was refunded or disputed. Some payment methods have refunds and disputes that name the intent alone.
/// Sources: <https://docs.stripe.com/api/events/types>, <https://docs.stripe.com/api/refunds/object>,
/// <https://docs.stripe.com/api/disputes/object>.
fn payment(kind: &str, object: &Value) -> Option<String> {
    let named = || {
        let of = |name: &str| object.get(name).and_then(id_of);
        of("charge").or_else(|| of("payment_intent"))
    };
    match kind {
        "charge.refunded" => id_of(object.get("id")?),
        // Once the name of `refund.updated`.
        "charge.refund.updated" => named(),
        _ if kind.starts_with("refund.") || kind.starts_with("charge.dispute.") => named(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(kind: &str, object: &Value) -> Option<Event> {
        Event::read(
            json!({"id": "evt_1", "object": "event", "type": kind, "data": {"object": object}}).to_string().as_bytes(),
        )
    }

    fn subscription_of(kind: &str, object: &Value) -> Option<String> {
        read(kind, object).unwrap().subject.and_then(|subject| subject.subscription)
    }

    #[test]
    fn the_subscription_is_found_in_every_shape() {
        let sub = Some("sub_1".to_owned());
        assert_eq!(subscription_of("customer.subscription.updated", &json!({"id": "sub_1", "customer": "cus_1"})), sub);
        assert_eq!(subscription_of("invoice.paid", &json!({"id": "in_1", "subscription": "sub_1"})), sub);
        assert_eq!(subscription_of("invoice.paid", &json!({"subscription": {"id": "sub_1"}})), sub);
        let new = json!({"parent": {"subscription_details": {"subscription": "sub_1"}}, "customer": "cus_1"});
        assert_eq!(subscription_of("invoice.payment_failed", &new), sub);
        assert_eq!(subscription_of("checkout.session.completed", &json!({"subscription": "sub_1"})), sub);
        assert_eq!(
            subscription_of(
                "subscription_schedule.released",
                &json!({"subscription": null, "released_subscription": "sub_1"})
            ),
            sub
        );
        let subject = read("invoice.paid", &new).unwrap().subject.unwrap();
        assert_eq!(subject.customer.as_deref(), Some("cus_1"));
    }

    #[test]
    fn an_invoice_is_named_when_it_was_paid() {
        let object = json!({"id": "in_1", "subscription": "sub_1"});
        let invoice = |kind| read(kind, &object).unwrap().subject.and_then(|subject| subject.invoice);
        for kind in ["invoice.paid", "invoice.payment_succeeded"] {
            assert_eq!(invoice(kind).as_deref(), Some("in_1"), "{kind}");
        }
        for kind in ["invoice.payment_failed", "invoice.created", "customer.subscription.updated"] {
            assert_eq!(invoice(kind), None, "{kind}");
        }
    }

    #[test]
    fn a_payment_is_named_when_it_was_given_back_or_is_disputed() {
        let payment = |kind: &str, object: &Value| {
            let subject = read(kind, object).unwrap().subject;
            subject.and_then(|subject| {
                assert_eq!((subject.subscription, subject.invoice), (None, None));
                subject.payment
            })
        };
        let refund = json!({"id": "re_1", "charge": "ch_1", "payment_intent": "pi_1"});
        for (kind, object) in [
            ("charge.refunded", json!({"id": "ch_1", "customer": "cus_1", "invoice": "in_1"})),
            ("charge.refund.updated", refund.clone()),
            ("refund.created", refund.clone()),
            ("refund.updated", refund.clone()),
            ("refund.failed", json!({"id": "re_1", "charge": {"id": "ch_1"}})),
            ("charge.dispute.created", json!({"id": "du_1", "charge": "ch_1"})),
            ("charge.dispute.closed", json!({"id": "du_1", "charge": "ch_1"})),
            ("charge.dispute.funds_reinstated", json!({"id": "du_1", "charge": "ch_1"})),
        ] {
            assert_eq!(payment(kind, &object).as_deref(), Some("ch_1"), "{kind}");
        }
        let alone = json!({"id": "re_1", "charge": null, "payment_intent": "pi_1"});
        assert_eq!(payment("refund.created", &alone).as_deref(), Some("pi_1"));
        // A payment that went well says what its invoice says.
        for kind in ["charge.succeeded", "charge.updated", "charge.failed", "payment_intent.succeeded"] {
            assert_eq!(payment(kind, &json!({"id": "ch_1", "charge": "ch_1"})), None, "{kind}");
        }
    }

    #[test]
    fn what_is_about_nothing_of_ours_has_no_subject() {
        for (kind, object) in [
            ("payout.paid", json!({"id": "po_1"})),
            ("customer.created", json!({"id": "cus_1"})),
            ("invoice.paid", json!({"id": "in_1", "subscription": null})),
            ("invoice.paid", json!({"id": "in_1", "parent": {"type": "quote_details"}})),
            ("checkout.session.completed", json!({"mode": "payment", "subscription": null})),
            ("something.new", json!({"subscription": "sub_1"})),
            ("refund.created", json!({"id": "re_1", "charge": null})),
            ("charge.refunded", json!({"id": null})),
            ("", json!(null)),
        ] {
            assert_eq!(subscription_of(kind, &object), None, "{kind}");
        }
    }

    #[test]
    fn what_is_no_event_is_not_read() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"id":"evt_1","type":"x"}"#,
            r#"{"id":"cus_1","type":"x","data":{"object":{}}}"#,
            r#"{"id":"evt_'; --","type":"x","data":{"object":{}}}"#,
            r#"{"id":7,"type":"x","data":{"object":{}}}"#,
        ] {
            assert_eq!(Event::read(body.as_bytes()), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(body: Vec<u8>, kind: String, text: String) {
            let _ = Event::read(&body);
            let _ = read(&kind, &json!({"subscription": text}));
            let _ = read("invoice.paid", &json!({"subscription": text, "customer": [text]}));
            let _ = read("charge.dispute.created", &json!({"charge": text, "payment_intent": [text]}));
        }
    }
}
