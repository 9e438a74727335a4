//! Mails about what is bought.

use super::render::{Rendered, render};
use crate::{catalogue::Product, subscription::NoticeKind};

/// The kind and the text of a mail about a subscription. `link` leads to where it is managed.
pub fn billing(product: Product, notice: NoticeKind, link: &str) -> (&'static str, Rendered) {
    let see = Some(("See your subscription", link));
    match notice {
        NoticeKind::Started { plan } => (
            "plan_started",
            render(
                &format!("Your plan {plan} has begun"),
                &[&format!("Thank you: the plan {plan} for {product} is active from now on.")],
                see,
                &["Invoices and the card on file are in the customer portal."],
            ),
        ),
        NoticeKind::PaymentFailed { access_ends_at, .. } => (
            "payment_failed",
            render(
                "A payment did not go through",
                &[
                    &format!("The last payment for {product} did not go through."),
                    &format!(
                        "Everything goes on working until {access_ends_at}. Please look at the card on file before."
                    ),
                ],
                see,
                &["The payment is tried again by itself; nothing is deleted."],
            ),
        ),
        NoticeKind::Cancelling { ends_at } => (
            "plan_cancelling",
            render(
                "Your plan was cancelled",
                &[&format!("Your plan for {product} was cancelled and ends at {ends_at}. Until then nothing changes.")],
                see,
                &["If it was not you, or you have changed your mind, it can be taken back until then."],
            ),
        ),
        NoticeKind::Ended => (
            "plan_ended",
            render(
                "Your plan has ended",
                &[&format!("Your plan for {product} has ended. Nothing was deleted.")],
                see,
                &["You can choose a plan again at any time."],
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalogue::Plan, time::Timestamp};

    #[test]
    fn each_says_what_happened_and_where_to_look() {
        let at = Timestamp::from_millis(1_775_001_600_000);
        let kinds = [
            NoticeKind::Started { plan: Plan::Pro },
            NoticeKind::PaymentFailed { day: 0, access_ends_at: at },
            NoticeKind::Cancelling { ends_at: at },
            NoticeKind::Ended,
        ];
        let names: std::collections::BTreeSet<_> = kinds
            .into_iter()
            .map(|kind| {
                let (name, mail) = billing(Product::Agent, kind, "https://x/subscription");
                assert!(mail.text.contains("agent") && mail.links == ["https://x/subscription"], "{mail:?}");
                name
            })
            .collect();
        assert_eq!(names.len(), kinds.len());
        let (_, failed) = billing(Product::Agent, kinds[1], "https://x/");
        assert!(failed.text.contains("2026-04-01T00:00:00Z"));
    }
}
