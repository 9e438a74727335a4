//! Stripe's invoice as JSON, and the receipt that it is. Tolerant as the subscription is: fields that are not listed are
//! ignored, and both shapes are read.
//! Sources: <https://docs.stripe.com/api/invoices/object>,
//! <https://docs.stripe.com/changelog/basil/2025-03-31/adds-new-parent-field-to-invoicing-objects>.

use serde::Deserialize;

use crate::time::{Period, Timestamp};

/// An invoice as fetched. Amounts are in the smallest unit of its currency, see [`crate::currency`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Invoice {
    /// `in_...`.
    pub id: String,
    /// `cus_...`: whose it is.
    pub customer: Option<String>,
    /// As printed on it.
    pub number: Option<String>,
    /// `draft`, `open`, `paid`, `uncollectible`, `void`.
    pub status: Option<String>,
    /// The whole, with tax.
    pub total: i64,
    /// What was paid of it; not in every old shape.
    pub amount_paid: Option<i64>,
    /// ISO 4217, in lower case.
    pub currency: String,
    /// When it was made, in seconds.
    pub created: Option<i64>,
    /// The same in old shapes.
    pub date: Option<i64>,
    /// Where it is seen and paid.
    pub hosted_invoice_url: Option<String>,
    /// The same as a PDF.
    pub invoice_pdf: Option<String>,
    /// What it is for: of many lines the first ten.
    pub lines: Lines,
    /// Old shape: `sub_...`, whose invoice it is.
    pub subscription: Option<Expandable>,
    /// New shape: whose invoice it is.
    pub parent: Option<InvoiceParent>,
}

/// Something that stands as its id, or whole where it was expanded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Expandable {
    /// Its id alone.
    Id(String),
    /// Expanded.
    Whole {
        /// Its id.
        id: String,
    },
}

impl Expandable {
    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Self::Id(id) | Self::Whole { id } => id,
        }
    }
}

/// What an invoice comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct InvoiceParent {
    /// A subscription.
    pub subscription_details: Option<SubscriptionDetails>,
}

/// A subscription that an invoice comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SubscriptionDetails {
    /// `sub_...`.
    pub subscription: Option<Expandable>,
}

/// A list of lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Lines {
    /// They.
    pub data: Vec<Line>,
    /// Whether there are more of them.
    pub has_more: bool,
}

/// Something that was billed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Line {
    /// `il_...`.
    pub id: String,
    /// What for, in seconds.
    pub period: Option<Span>,
    /// Old shape: a part of a period.
    pub proration: bool,
    /// New shape.
    pub parent: Option<Parent>,
}

/// From when to when, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Span {
    /// From.
    pub start: i64,
    /// To.
    pub end: i64,
}

/// Where a line comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Parent {
    /// Of a subscription.
    pub subscription_item_details: Option<Proration>,
    /// Of an item that was added by hand.
    pub invoice_item_details: Option<Proration>,
}

/// Whether a line is for a part of a period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Proration {
    /// It is.
    pub proration: bool,
}

impl Line {
    fn is_proration(&self) -> bool {
        let of = |details: &Option<Proration>| details.as_ref().is_some_and(|details| details.proration);
        let in_parent = |parent: &Parent| of(&parent.subscription_item_details) || of(&parent.invoice_item_details);
        self.proration || self.parent.as_ref().is_some_and(in_parent)
    }
}

impl Invoice {
    /// Whether it is paid.
    pub fn is_paid(&self) -> bool {
        self.status.as_deref() == Some("paid")
    }

    /// What was paid, in the smallest unit of its currency.
    pub fn paid_cents(&self) -> i64 {
        self.amount_paid.unwrap_or(if self.is_paid() { self.total } else { 0 })
    }

    /// When it was made.
    pub fn created_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.created.or(self.date).unwrap_or(0))
    }

    /// The whole period that it is for; `None` where it is for parts of one: an upgrade, a seat. What was used beyond the plan
    /// is billed with the next period and has the one before: the latest counts.
    pub fn period(&self) -> Option<Period> {
        latest(self.lines.data.iter().filter(|line| !line.is_proration()))
    }

    /// What it is for, be it a period or a part of one; of several the latest.
    pub fn span(&self) -> Option<Period> {
        latest(self.lines.data.iter())
    }

    /// `sub_...`: whose invoice it is; `None` for one that an operator wrote by hand.
    pub fn subscription_id(&self) -> Option<&str> {
        let new = || self.parent.as_ref()?.subscription_details.as_ref()?.subscription.as_ref();
        self.subscription.as_ref().or_else(new).map(Expandable::id)
    }
}

fn latest<'a>(lines: impl Iterator<Item = &'a Line>) -> Option<Period> {
    let spans = lines.filter_map(|line| line.period).filter(|span| span.end > span.start);
    // Of those that end at once the longest: a seat that was added is not what the whole is.
    let last = spans.max_by_key(|span| (span.end, core::cmp::Reverse(span.start)))?;
    Some(Period { start: Timestamp::from_seconds(last.start), end: Timestamp::from_seconds(last.end) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(invoice: &serde_json::Value) -> Invoice {
        serde_json::from_value(invoice.clone()).unwrap()
    }

    #[test]
    fn both_shapes_say_what_was_paid_for_which_period() {
        let (start, end) = (1_775_001_600, 1_777_593_600);
        let period = json!({"start": start, "end": end});
        let part = json!({"start": start + 5, "end": end});
        let old = json!({"id": "in_1", "status": "paid", "total": 1000, "currency": "usd", "date": start,
            "lines": {"data": [{"proration": true, "period": part}, {"proration": false, "period": period}]}});
        let new = json!({"id": "in_1", "status": "paid", "total": 1200, "amount_paid": 1000, "currency": "usd",
            "created": start, "lines": {"data": [
                {"period": part, "parent": {"subscription_item_details": {"proration": true}}},
                {"period": period, "parent": {"subscription_item_details": {"proration": false}}}]}});
        for shape in [old, new] {
            let invoice = read(&shape);
            assert!(invoice.is_paid());
            assert_eq!((invoice.paid_cents(), invoice.created_at().as_seconds()), (1000, start));
            let period = invoice.period().unwrap();
            assert_eq!((period.start.as_seconds(), period.end.as_seconds()), (start, end));
        }
    }

    #[test]
    fn what_is_for_parts_of_a_period_names_none() {
        let part = json!({"start": 1, "end": 9});
        for line in [
            json!({"proration": true, "period": part}),
            json!({"period": part, "parent": {"invoice_item_details": {"proration": true}}}),
            json!({"period": {"start": 5, "end": 5}}),
            json!({}),
        ] {
            assert_eq!(read(&json!({"lines": {"data": [line]}})).period(), None, "{line}");
        }
        assert_eq!(read(&json!({})).paid_cents(), 0);
        assert_eq!(read(&json!({"status": "open", "total": 900})).paid_cents(), 0);
    }

    #[test]
    fn the_latest_period_is_what_an_invoice_is_for() {
        let line = |start: i64, end: i64, proration: bool| json!({"period": {"start": start, "end": end}, "proration": proration});
        let spans = |lines: serde_json::Value| {
            let invoice = read(&json!({"lines": {"data": lines}}));
            let seconds = |period: Period| (period.start.as_seconds(), period.end.as_seconds());
            (invoice.period().map(seconds), invoice.span().map(seconds))
        };
        // The overage of the month before stands beside the month that begins, in whatever order.
        assert_eq!(spans(json!([line(10, 20, false), line(20, 30, false)])), (Some((20, 30)), Some((20, 30))));
        assert_eq!(spans(json!([line(20, 30, false), line(10, 20, false)])), (Some((20, 30)), Some((20, 30))));
        // What was added in mid-period and is billed with the next one.
        assert_eq!(spans(json!([line(15, 20, true), line(20, 30, false)])), (Some((20, 30)), Some((20, 30))));
        assert_eq!(spans(json!([line(25, 30, true), line(20, 30, false)])), (Some((20, 30)), Some((20, 30))));
        // An upgrade: a part, and nothing whole.
        assert_eq!(spans(json!([line(25, 30, true), line(24, 30, true)])), (None, Some((24, 30))));
        assert_eq!(spans(json!([])), (None, None));
    }

    #[test]
    fn whose_invoice_it_is_stands_in_either_shape() {
        for invoice in [
            json!({"subscription": "sub_1"}),
            json!({"subscription": {"id": "sub_1", "object": "subscription"}}),
            json!({"subscription": null, "parent": {"subscription_details": {"subscription": "sub_1"}}}),
            json!({"parent": {"type": "subscription_details", "subscription_details": {"subscription": {"id": "sub_1"}}}}),
        ] {
            assert_eq!(read(&invoice).subscription_id(), Some("sub_1"), "{invoice}");
        }
        for invoice in
            [json!({}), json!({"parent": {"quote_details": {"quote": "qt_1"}, "subscription_details": null}})]
        {
            assert_eq!(read(&invoice).subscription_id(), None, "{invoice}");
        }
    }

    proptest! {
        #[test]
        fn no_figure_panics(total: i64, paid: Option<i64>, created: Option<i64>, start: i64, end: i64) {
            let invoice = read(&json!({"status": "paid", "total": total, "amount_paid": paid, "created": created,
                "lines": {"data": [{"period": {"start": start, "end": end}}]}}));
            let _ = (invoice.paid_cents(), invoice.created_at(), invoice.period());
        }
    }
}
