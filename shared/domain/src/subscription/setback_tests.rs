//! Grace counts from the oldest invoice that is owed; what was paid and taken back takes back what it paid for.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{APRIL, DAY, MAY, at, converge, held, mails, ours, parse, past_due, pushed, stripe, with};
use super::*;
use crate::{catalogue::Plan, meter::Terms, time::Period};

fn bill(status: &str, created: i64) -> Bill {
    serde_json::from_value(json!({"id": format!("in_{created}"), "created": created, "status": status})).unwrap()
}

/// As fetched with the unpaid invoices beside it.
fn owing(object: &Value, bills: &[Bill]) -> StripeSubscription {
    let unpaid = bills.iter().filter(|bill| bill.is_owed()).cloned().collect();
    StripeSubscription { unpaid: Some(unpaid), ..parse(object) }
}

#[test]
fn the_next_invoice_opens_no_access_that_was_closed() {
    let (lapsed, _) = converge(&held(&stripe("active", "pro")), &past_due("pro", MAY), MAY).0.tick(at(MAY + 10 * DAY));
    assert_eq!(lapsed.access(at(MAY + 10 * DAY)), Access::Ended { at: at(MAY + 7 * DAY) });
    let june = MAY + 30 * DAY;
    for (status, invoice) in [
        ("past_due", json!({"id": "in_3", "created": june, "status": "open"})),
        ("past_due", json!({"id": "in_3", "created": june, "status": "draft"})),
        ("unpaid", json!({"id": "in_3", "created": june, "status": "draft"})),
        ("past_due", json!({"id": "in_3", "created": june, "status": "uncollectible"})),
        ("past_due", json!({"id": "in_3", "created": june, "status": "void"})),
        ("past_due", json!("in_3")),
    ] {
        let object = with(stripe(status, "pro"), &json!({"latest_invoice": invoice}));
        let (next, effects) = converge(&lapsed, &object, june);
        assert_eq!(next.access(at(june)), Access::Ended { at: at(MAY + 7 * DAY) }, "{status} {invoice}");
        assert!(pushed(&effects).is_none() && mails(&effects).is_empty(), "{effects:?}");
    }
}

#[test]
fn whoever_is_seen_for_the_first_time_is_asked_for_the_oldest_invoice() {
    let object = with(past_due("pro", MAY + 30 * DAY), &json!({}));
    let bills = [bill("open", MAY + 30 * DAY), bill("uncollectible", MAY), bill("void", APRIL), bill("paid", APRIL)];
    let now = at(MAY + 31 * DAY);
    let (late, _) = ours().converge(&owing(&object, &bills), now).unwrap();
    assert_eq!(late.access(now), Access::Ended { at: at(MAY + 7 * DAY) });
    // The oldest is paid, out of order or not: it is the next that counts.
    let (late, _) = late.converge(&owing(&object, &bills[..1]), now).unwrap();
    assert_eq!(late.access(now), Access::Plan { until: Some(at(MAY + 37 * DAY)) });
}

proptest! {
    /// Invoices come every month, are paid, given up, forgiven or left, in any order; whoever looks, at any time: there is
    /// access while Stripe says that all is well, and for seven days from the oldest that is owed, and no day longer.
    #[test]
    fn seven_days_from_the_oldest_that_is_owed(
        changes in proptest::collection::vec((0..6_usize, 0..5_usize, 1..20 * DAY), 1..40),
    ) {
        let mut bills: Vec<Bill> = vec![bill("paid", APRIL)];
        let (mut subscription, mut now) = (held(&stripe("active", "pro")), APRIL);
        for (which, kind, pause) in changes {
            now += pause;
            let status = ["open", "uncollectible", "draft", "paid", "void"][kind];
            match bills.get_mut(which) {
                Some(bill) => bill.status = Some(status.to_owned()),
                None => bills.push(bill(status, now)),
            }
            let latest = bills.iter().max_by_key(|bill| bill.created).unwrap();
            let owed = bills.iter().filter(|bill| bill.is_owed()).map(|bill| bill.created).min();
            // Stripe's word follows the latest invoice; one that it says is missing is listed.
            let status = if latest.is_owed() { "past_due" } else { "active" };
            let invoice = json!({"id": latest.id, "created": latest.created, "status": latest.status});
            let object = with(stripe(status, "pro"), &json!({"latest_invoice": invoice}));
            subscription = subscription.converge(&owing(&object, &bills), at(now)).unwrap().0;
            let expected = match owed.filter(|_| status == "past_due") {
                None => Access::Plan { until: None },
                Some(since) if now < since + 7 * DAY => Access::Plan { until: Some(at(since + 7 * DAY)) },
                Some(since) => Access::Ended { at: at(since + 7 * DAY) },
            };
            prop_assert_eq!(subscription.access(at(now)), expected);
            let (ticked, _) = subscription.tick(at(now));
            prop_assert_eq!(ticked.access(at(now)), expected);
        }
    }

    /// One that is never paid: however many more invoices follow, listed or not, access is seven days in all.
    #[test]
    fn what_is_never_paid_has_seven_days_in_all(
        looks in proptest::collection::vec((0..5_usize, any::<bool>(), 0..200 * DAY), 1..30),
    ) {
        let mut looks = looks;
        looks.sort_by_key(|(.., at)| *at);
        let mut subscription = converge(&held(&stripe("active", "pro")), &past_due("pro", MAY), MAY).0;
        for (kind, is_listed, after) in looks {
            let now = MAY + after;
            let status = ["open", "draft", "uncollectible", "open", "draft"][kind];
            let invoice = json!({"id": "in_9", "created": now, "status": status});
            let object = with(stripe(if kind == 4 { "unpaid" } else { "past_due" }, "pro"), &json!({"latest_invoice": invoice}));
            let object = if is_listed { owing(&object, &[bill("open", MAY), bill(status, now)]) } else { parse(&object) };
            subscription = subscription.converge(&object, at(now)).unwrap().0;
            let has = matches!(subscription.access(at(now)), Access::Plan { .. });
            prop_assert_eq!(has, after < 7 * DAY, "{} days", after / DAY);
        }
    }
}

#[test]
fn what_never_was_paid_or_rests_has_no_grace() {
    for (status, access) in [
        ("incomplete", ours().access(at(APRIL))),
        ("incomplete_expired", ours().access(at(APRIL))),
        ("paused", Access::Ended { at: at(APRIL) }),
    ] {
        let object = owing(&stripe(status, "pro"), &[bill("open", APRIL)]);
        assert_eq!(ours().converge(&object, at(APRIL)).unwrap().0.access(at(APRIL)), access, "{status}");
    }
}

// -- refunds and disputes

fn april() -> Period {
    Period { start: at(APRIL), end: at(MAY) }
}

fn payment(refunded: i64, disputes: &[(&str, &str)]) -> Setback {
    Setback {
        charge: "ch_1".to_owned(),
        invoice: "in_1".to_owned(),
        subscription: "sub_1".to_owned(),
        whole: Some(april()),
        span: Some(april()),
        invoice_paid: 1_000,
        refunded,
        currency: "usd".to_owned(),
        disputes: disputes
            .iter()
            .map(|(id, status)| Dispute { id: (*id).to_owned(), status: (*status).to_owned() })
            .collect(),
    }
}

const NOW: i64 = APRIL + 5 * DAY;

fn active() -> Subscription {
    held(&stripe("active", "pro"))
}

fn told(effects: &[Effect]) -> (usize, usize, usize) {
    let count = |is: fn(&Effect) -> bool| effects.iter().filter(|effect| is(effect)).count();
    (
        count(|effect| matches!(effect, Effect::Audit(_))),
        count(|effect| matches!(effect, Effect::Operator { is_grave: false, .. })),
        count(|effect| matches!(effect, Effect::Operator { is_grave: true, .. })),
    )
}

fn renewals(effects: &[Effect]) -> Vec<bool> {
    let of = |effect: &Effect| match effect {
        Effect::Renewal { is_wanted, .. } => Some(*is_wanted),
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}

#[test]
fn a_full_refund_ends_the_plan_and_one_that_failed_brings_it_back() {
    let (over, effects) = active().set_back(payment(1_000, &[]), at(NOW));
    assert_eq!(over.access(at(NOW)), Access::Ended { at: at(NOW) });
    let push = pushed(&effects).unwrap();
    assert_eq!((push.plan, push.terms), (Plan::Pro, Terms::Ended { anchor: at(APRIL), at: at(NOW) }));
    assert_eq!(mails(&effects), [NoticeKind::Ended]);
    // The payment itself, and the change of the subscription.
    assert_eq!((told(&effects), renewals(&effects)), ((2, 1, 0), vec![false]));
    // The same again says nothing, and neither does Stripe's subscription, which runs on.
    assert_eq!(over.set_back(payment(1_000, &[]), at(NOW + 1)), (over.clone(), vec![]));
    let (same, effects) = converge(&over, &stripe("active", "pro"), NOW + 9);
    assert_eq!((&same, effects), (&over, vec![]));
    assert_eq!(over.purchase((Plan::Pro, crate::catalogue::Interval::Month, 1), at(NOW)), Ok(Purchase::Checkout));

    let (back, effects) = over.set_back(payment(0, &[]), at(NOW + DAY));
    assert_eq!(back.access(at(NOW + DAY)), Access::Plan { until: None });
    assert_eq!(pushed(&effects).unwrap().terms, Terms::Monthly { anchor: at(APRIL) });
    assert_eq!((mails(&effects), renewals(&effects)), (vec![], vec![true]));
}

#[test]
fn a_part_or_another_periods_payment_takes_nothing_away() {
    let earlier = Period { start: at(APRIL - 30 * DAY), end: at(APRIL) };
    let later = Period { start: at(MAY), end: at(MAY + 31 * DAY) };
    for (what, setback) in [
        ("a part", payment(999, &[])),
        (
            "another period's",
            Setback { whole: Some(earlier), span: Some(earlier), ..payment(1_000, &[("du_1", "lost")]) },
        ),
        ("a later period's", Setback { whole: Some(later), span: Some(later), ..payment(1_000, &[("du_1", "lost")]) }),
        ("an upgrade's", Setback { whole: None, ..payment(1_000, &[]) }),
        ("another subscription's", Setback { subscription: "sub_2".to_owned(), ..payment(1_000, &[("du_1", "lost")]) }),
        ("an inquiry", payment(0, &[("du_1", "warning_needs_response")])),
        ("an inquiry that is over", payment(0, &[("du_1", "warning_closed")])),
        ("a dispute that was prevented", payment(0, &[("du_1", "prevented")])),
        ("a dispute that was won", payment(0, &[("du_1", "won")])),
    ] {
        let (same, effects) = active().set_back(setback.clone(), at(NOW));
        assert_eq!(same.access(at(NOW)), Access::Plan { until: None }, "{what}");
        assert!(pushed(&effects).is_none() && mails(&effects).is_empty() && renewals(&effects).is_empty(), "{what}");
        let (audit, notices, grave) = told(&effects);
        assert_eq!((audit, notices + grave), (1, 1), "{what} is told once");
        assert_eq!(same.set_back(setback, at(NOW)).1, [], "{what} twice");
    }
    let nothing = active().set_back(payment(0, &[]), at(NOW));
    assert_eq!(nothing, (active(), vec![]));
}

#[test]
fn two_payments_of_one_invoice_are_refunded_together() {
    let (half, _) = active().set_back(payment(400, &[]), at(NOW));
    assert_eq!(half.access(at(NOW)), Access::Plan { until: None });
    let (whole, _) = half.set_back(Setback { charge: "ch_2".to_owned(), ..payment(600, &[]) }, at(NOW));
    assert!(matches!(whole.access(at(NOW)), Access::Ended { .. }));
}

#[test]
fn a_dispute_suspends_until_it_is_won() {
    let (resting, effects) = active().set_back(payment(0, &[("du_1", "needs_response")]), at(NOW));
    assert_eq!(resting.access(at(NOW)), Access::Ended { at: at(NOW) });
    assert_eq!((told(&effects), mails(&effects), renewals(&effects)), ((2, 0, 1), vec![], vec![]));
    let wanted = (Plan::Plus, crate::catalogue::Interval::Month, 1);
    assert_eq!(resting.purchase(wanted, at(NOW)), Err(NoWay::Disputed));
    let (review, _) = resting.set_back(payment(0, &[("du_1", "under_review")]), at(NOW + DAY));
    assert_eq!(review.access(at(NOW + DAY)), Access::Ended { at: at(NOW) }, "since it began");

    let (won, effects) = review.set_back(payment(0, &[("du_1", "won")]), at(NOW + 2 * DAY));
    assert_eq!(won.access(at(NOW + 2 * DAY)), Access::Plan { until: None });
    assert_eq!((mails(&effects), renewals(&effects)), (vec![], vec![]));
    assert!(pushed(&effects).is_some());

    let (lost, effects) = review.set_back(payment(0, &[("du_1", "lost")]), at(NOW + 2 * DAY));
    assert!(matches!(lost.access(at(NOW + 2 * DAY)), Access::Ended { .. }));
    assert_eq!((mails(&effects), renewals(&effects)), (vec![NoticeKind::Ended], vec![false]));
    assert_eq!(lost.purchase(wanted, at(NOW + 2 * DAY)), Ok(Purchase::Checkout));
}

#[test]
fn the_next_period_was_paid_by_another_payment() {
    let (resting, _) = active().set_back(payment(0, &[("du_1", "needs_response")]), at(NOW));
    let mut renewed = stripe("active", "pro");
    renewed["items"]["data"][0]["current_period_start"] = json!(MAY);
    renewed["items"]["data"][0]["current_period_end"] = json!(MAY + 31 * DAY);
    let (back, _) = converge(&resting, &renewed, MAY);
    assert_eq!(back.access(at(MAY)), Access::Plan { until: None });
}

#[test]
fn who_was_refunded_and_buys_again_is_not_taken_for_one_who_pays_twice() {
    let (over, _) = active().set_back(payment(1_000, &[]), at(NOW));
    let again = with(stripe("active", "plus"), &json!({"id": "sub_2", "created": NOW}));
    let (bought, effects) = converge(&over, &again, NOW);
    assert_eq!(bought.access(at(NOW)), Access::Plan { until: None });
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Duplicate { .. })), "{effects:?}");
    // Late news of the first one changes nothing, in whatever way it is heard of.
    let both = [parse(&stripe("active", "pro")), parse(&again)];
    let (same, effects) = bought.reconcile(&both, at(NOW)).unwrap();
    assert_eq!((&same, effects), (&bought, vec![]));
}

#[test]
fn what_stripe_does_not_know_is_kept_and_can_be_bought_anew() {
    let (orphan, effects) = active().orphaned(at(NOW));
    assert_eq!(orphan.access(at(NOW)), Access::Plan { until: None }, "nobody loses a plan by a wrong key");
    assert!(pushed(&effects).is_none() && mails(&effects).is_empty());
    let wanted = (Plan::Plus, crate::catalogue::Interval::Month, 1);
    assert_eq!(orphan.purchase(wanted, at(NOW)), Ok(Purchase::Checkout));
    let again = with(stripe("active", "plus"), &json!({"id": "sub_2", "created": NOW}));
    let (bought, effects) = converge(&orphan, &again, NOW);
    assert_eq!(bought.paid.as_ref().map(|paid| paid.plan), Some(Plan::Plus));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Duplicate { .. })), "{effects:?}");
    // The key is put right: all is as before.
    let (back, _) = converge(&orphan, &stripe("active", "pro"), NOW);
    assert_eq!(back, active());
}

#[test]
fn a_state_of_the_release_before_is_read() {
    let mut stored = serde_json::to_value(active()).unwrap();
    stored.as_object_mut().unwrap().remove("setbacks");
    for name in ["stopped", "orphan"] {
        stored["paid"].as_object_mut().unwrap().remove(name);
    }
    assert_eq!(serde_json::from_value::<Subscription>(stored).unwrap(), active());
}

proptest! {
    /// What was fetched last decides, whatever was fetched before, in whatever order and how often.
    #[test]
    fn the_last_look_decides(
        looks in proptest::collection::vec((0..3_i64, 0..9_usize), 1..12),
    ) {
        let all = ["", "needs_response", "under_review", "won", "lost", "warning_needs_response", "warning_closed", "prevented", "new"];
        let mut subscription = active();
        let mut last = (0, "");
        for (index, (half, kind)) in looks.into_iter().enumerate() {
            let refunded = half * 500;
            let disputes = [("du_1", all[kind])];
            let disputes = if kind == 0 { &[][..] } else { &disputes[..] };
            let now = at(NOW + i64::try_from(index).unwrap());
            subscription = subscription.set_back(payment(refunded, disputes), now).0;
            last = (refunded, all[kind]);
            let is_over = last.0 == 1_000 || ["needs_response", "under_review", "lost"].contains(&last.1);
            prop_assert_eq!(matches!(subscription.access(now), Access::Ended { .. }), is_over);
            let (again, effects) = converge(&subscription, &stripe("active", "pro"), NOW + 99);
            prop_assert_eq!(&again, &subscription);
            prop_assert!(effects.is_empty());
        }
        let fresh = active().set_back(payment(last.0, if last.1.is_empty() { vec![] } else { vec![("du_1", last.1)] }.as_slice()), at(NOW)).0;
        prop_assert_eq!(fresh.paid.unwrap().stopped.map(|it| it.why), subscription.paid.unwrap().stopped.map(|it| it.why));
    }
}
