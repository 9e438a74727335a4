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
        NoticeKind::TrialStarted { plan, ends_at } => (
            "plan_trial_started",
            render(
                &format!("Your trial of {product} has begun"),
                &[
                    &format!("You can try {product} until {ends_at}. Nothing is charged before."),
                    &format!(
                        "Then the plan {plan} begins, and the card on file is charged, unless you cancel until then."
                    ),
                ],
                see,
                &["Cancelling is one click in the customer portal."],
            ),
        ),
        NoticeKind::TrialRefused { plan } => (
            "plan_trial_refused",
            render(
                &format!("There is no second trial of {product}"),
                &[
                    &format!(
                        "There was a trial of {product} with this card, or for you, before. The new one was ended."
                    ),
                    &format!("Nothing was charged. The plan {plan} can be bought without a trial."),
                ],
                see,
                &["If you have never tried it: whoever runs this platform can help."],
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
            NoticeKind::TrialStarted { plan: Plan::Pro, ends_at: at },
            NoticeKind::TrialRefused { plan: Plan::Pro },
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
        let (_, started) = billing(Product::Agent, kinds[4], "https://x/");
        assert!(started.text.contains("2026-04-01T00:00:00Z") && started.text.contains("Nothing is charged before"));
        let (_, refused) = billing(Product::Agent, kinds[5], "https://x/");
        assert!(refused.text.contains("Nothing was charged"));
    }
}
