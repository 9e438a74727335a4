//! Since when a payment is missing: since the oldest invoice that is owed.
//!
//! Stripe says whether something is missing, by the latest invoice; it does not say since when. Counting from the latest
//! invoice would open access again with each renewal of a subscription that nobody pays: seven free days every month.
//! Counted are the subscription's finalized invoices that were not paid:
//!
//! | status | owed | why |
//! |---|---|---|
//! | `open` | yes | it can be paid, and was not |
//! | `uncollectible` | yes | Stripe marks it so by itself when its retries are used up; it can still be paid |
//! | `draft` | no | nobody was asked to pay it yet; and it pays nothing that is older |
//! | `paid` | no | |
//! | `void` | no | this is how an operator forgives one |
//!
//! Source: <https://docs.stripe.com/invoicing/overview#invoice-statuses>,
//! <https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses>.

use serde::Deserialize;

use crate::time::Timestamp;

/// An invoice of a subscription's, as far as it says whether and since when something is owed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Bill {
    /// `in_...`.
    pub id: String,
    /// When it was made, in seconds.
    #[serde(default)]
    pub created: i64,
    /// `draft`, `open`, `paid`, `uncollectible` or `void`.
    #[serde(default)]
    pub status: Option<String>,
    /// What is still to be paid of it.
    #[serde(default)]
    pub amount_remaining: Option<i64>,
}

impl Bill {
    /// Whether it should have been paid and was not.
    pub fn is_owed(&self) -> bool {
        is_owed(self.status.as_deref()) && self.amount_remaining.is_none_or(|cents| cents > 0)
    }
}

/// Whether an invoice of this status is owed.
pub(super) fn is_owed(status: Option<&str>) -> bool {
    matches!(status, Some("open" | "uncollectible"))
}

/// When the oldest invoice was made that is owed; `None` where none is.
pub fn owed_since(bills: &[Bill]) -> Option<Timestamp> {
    bills.iter().filter(|bill| bill.is_owed()).map(|bill| Timestamp::from_seconds(bill.created)).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bill(status: &str, created: i64) -> Bill {
        Bill { id: format!("in_{created}"), created, status: Some(status.to_owned()), amount_remaining: None }
    }

    #[test]
    fn only_what_was_asked_for_and_not_paid_is_owed() {
        for (status, owed) in [
            ("open", true),
            ("uncollectible", true),
            ("draft", false),
            ("paid", false),
            ("void", false),
            ("new", false),
        ] {
            assert_eq!(bill(status, 1).is_owed(), owed, "{status}");
        }
        assert!(!Bill { status: None, ..bill("open", 1) }.is_owed());
        assert!(!Bill { amount_remaining: Some(0), ..bill("open", 1) }.is_owed(), "a credit paid it");
        assert!(Bill { amount_remaining: Some(1), ..bill("open", 1) }.is_owed());
    }

    proptest! {
        /// Whatever the order in which they are listed, and whatever else is among them.
        #[test]
        fn it_is_the_oldest_of_those_that_are_owed(
            mut bills in proptest::collection::vec((0..5_usize, 0..10_000_i64), 0..20),
            turn in 0..20_usize,
        ) {
            let name = |kind: usize| ["open", "uncollectible", "draft", "paid", "void"][kind];
            let expected = bills.iter().filter(|(kind, _)| *kind < 2).map(|(_, at)| *at).min();
            let count = bills.len().max(1);
            bills.rotate_left(turn % count);
            let listed: Vec<_> = bills.into_iter().map(|(kind, at)| bill(name(kind), at)).collect();
            prop_assert_eq!(owed_since(&listed), expected.map(Timestamp::from_seconds));
        }
    }
}
