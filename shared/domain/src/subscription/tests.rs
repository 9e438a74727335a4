//! The properties that `mod.rs` lists, over sequences as Stripe sends them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    audit::{Action, Outcome},
    catalogue::{Interval, Part, Plan, Product, limits},
    meter::{Entitlement, MeterName, Terms},
    time::Timestamp,
    trial::Trial,
};

/// 1 April 2026, in seconds: the paid period begins.
pub(super) const APRIL: i64 = 1_775_001_600;
pub(super) const MAY: i64 = APRIL + 30 * 86_400;
pub(super) const DAY: i64 = 86_400;

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

pub(super) fn parse(value: &Value) -> StripeSubscription {
    serde_json::from_value(value.clone()).unwrap()
}

/// A subscription in the shape of API version 2025-03-31 and later, with the fields around ours that Stripe sends.
pub(super) fn stripe(status: &str, plan: &str) -> Value {
    json!({
        "id": "sub_1", "object": "subscription", "livemode": false, "customer": "cus_1", "currency": "usd",
        "created": APRIL, "start_date": APRIL, "billing_cycle_anchor": APRIL, "status": status,
        "cancel_at": null, "cancel_at_period_end": false, "canceled_at": null, "ended_at": null,
        "collection_method": "charge_automatically", "metadata": {}, "pause_collection": null, "trial_end": null,
        "latest_invoice": {"id": "in_1", "object": "invoice", "created": APRIL, "status": "paid"},
        "items": {"object": "list", "has_more": false, "data": [{
            "id": "si_1", "object": "subscription_item", "quantity": 1,
            "current_period_start": APRIL, "current_period_end": MAY,
            "price": {"id": "price_1", "object": "price", "lookup_key": format!("tollgate_agent_{plan}_v1_base_month"),
                      "metadata": {}, "recurring": {"interval": "month"}, "unit_amount": 1000},
        }]},
    })
}

pub(super) fn with(mut object: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

fn team(status: &str, seats: u32) -> Value {
    let mut object = stripe(status, "teams");
    let seat = json!({
        "id": "si_2", "quantity": seats, "current_period_start": APRIL, "current_period_end": MAY,
        "price": {"id": "price_2", "lookup_key": "tollgate_agent_teams_v1_seat_month"},
    });
    object["items"]["data"].as_array_mut().unwrap().insert(0, seat);
    object
}

pub(super) fn past_due(plan: &str, since: i64) -> Value {
    with(stripe("past_due", plan), &json!({"latest_invoice": {"id": "in_2", "created": since}}))
}

/// The life of one subscription, as fetched after each of its events.
fn life() -> Vec<StripeSubscription> {
    [
        stripe("incomplete", "pro"),
        stripe("active", "pro"),
        stripe("active", "plus"),
        team("active", 1),
        team("active", 4),
        with(team("past_due", 4), &json!({"latest_invoice": {"id": "in_2", "created": APRIL + DAY}})),
        team("active", 4),
        with(team("active", 4), &json!({"pause_collection": {"behavior": "void", "resumes_at": null}})),
        team("active", 4),
        with(
            stripe("active", "plus"),
            &json!({"cancel_at_period_end": true, "cancel_at": MAY, "canceled_at": APRIL + 9}),
        ),
        with(stripe("canceled", "plus"), &json!({"ended_at": MAY, "canceled_at": APRIL + 9})),
    ]
    .iter()
    .map(parse)
    .collect()
}

pub(super) fn ours() -> Subscription {
    Subscription::trial(Product::Agent, Trial::starting(at(APRIL - 2 * DAY), 7), 1)
}

pub(super) fn converge(ours: &Subscription, object: &Value, now: i64) -> (Subscription, Vec<Effect>) {
    ours.converge(&parse(object), at(now)).unwrap()
}

pub(super) fn held(object: &Value) -> Subscription {
    converge(&ours(), object, APRIL).0
}

pub(super) fn mails(effects: &[Effect]) -> Vec<NoticeKind> {
    let mail = |effect: &Effect| match effect {
        Effect::Mail(notice) => Some(notice.kind),
        _ => None,
    };
    effects.iter().filter_map(mail).collect()
}

pub(super) fn pushed(effects: &[Effect]) -> Option<Entitlement> {
    effects.iter().find_map(|effect| match effect {
        Effect::Push(entitlement) => Some(*entitlement),
        _ => None,
    })
}

/// What must not depend on what came before: all but what others were told.
fn facts(subscription: &Subscription) -> (Option<Paid>, Option<Trial>) {
    (subscription.paid.clone(), subscription.trial)
}

#[test]
fn from_the_trial_to_a_plan() {
    let ours = ours();
    let (waiting, effects) = converge(&ours, &stripe("incomplete", "pro"), APRIL);
    assert_eq!(waiting.access(at(APRIL)), ours.access(at(APRIL)), "the trial goes on");
    assert_eq!(pushed(&effects), None);

    let (active, effects) = converge(&waiting, &stripe("active", "pro"), APRIL);
    let push = pushed(&effects).unwrap();
    assert_eq!((push.version, push.plan, push.pooled), (2, Plan::Pro, false));
    assert_eq!(Some(push.limits), limits(Product::Agent, Plan::Pro));
    assert_eq!(push.terms, Terms::Monthly { anchor: at(APRIL) });
    assert_eq!(mails(&effects), [NoticeKind::Started { plan: Plan::Pro }]);
    let paid = active.paid.unwrap();
    assert_eq!((paid.interval, paid.seats, paid.period.end), (Interval::Month, 1, at(MAY)));
    let Some(Effect::Audit(recorded)) = effects.first() else { panic!("{effects:?}") };
    let entry = recorded.entry("stripe-webhook");
    assert_eq!((entry.action, entry.outcome), (Action::BillingChange, Outcome::Success));
    assert_eq!(entry.details()["status"], "incomplete -> active");
}

#[test]
fn a_checkout_that_is_never_paid_leaves_the_trial() {
    let (subscription, effects) = converge(&ours(), &stripe("incomplete_expired", "pro"), APRIL + DAY);
    assert_eq!(subscription.access(at(APRIL)), ours().access(at(APRIL)));
    assert!(pushed(&effects).is_none() && mails(&effects).is_empty());
}

#[test]
fn a_team_has_its_seats_as_long_as_it_has_access() {
    let (subscription, effects) = converge(&ours(), &team("active", 4), APRIL);
    assert!(effects.contains(&Effect::Seats(4)));
    assert!(pushed(&effects).unwrap().pooled);
    let (subscription, effects) = converge(&subscription, &team("active", 6), APRIL);
    assert_eq!(effects.iter().filter(|effect| matches!(effect, Effect::Push(_))).count(), 0, "the pool is the same");
    assert!(effects.contains(&Effect::Seats(6)));
    let (_, effects) = converge(&subscription, &with(team("canceled", 6), &json!({"ended_at": MAY})), MAY);
    assert!(effects.contains(&Effect::Seats(1)));
}

#[test]
fn metered_items_say_nothing_about_plan_and_seats() {
    let mut object = stripe("active", "pro");
    let metered = |id: &str, key: &str| {
        json!({"id": id, "current_period_start": 1, "current_period_end": 2,
            "price": {"id": format!("price_{id}"), "lookup_key": key, "recurring": {"interval": "month", "usage_type": "metered"}}})
    };
    let items = object["items"]["data"].as_array_mut().unwrap();
    items.insert(0, metered("si_8", "tollgate_agent_plus_v1_overage-tokens_month"));
    items.insert(0, metered("si_9", "our_contract"));
    let plain = held(&stripe("active", "pro")).paid;
    assert_eq!(held(&object).paid, plain);
    let parsed = parse(&object);
    let items: Vec<_> = Paid::items_of(&parsed).into_iter().map(|(key, id)| (key.part, id)).collect();
    let tokens = Part::Overage(MeterName::Tokens);
    assert_eq!(items, [(tokens, "si_8".to_owned()), (Part::Base, "si_1".to_owned())]);
    assert_eq!(Paid::others_of(&parsed), [("price_si_9".to_owned(), None)]);
    assert_eq!(Paid::product_of(&parsed), Ok(Product::Agent));
}

#[test]
fn a_failed_payment_leaves_seven_days_and_three_reminders() {
    let object = past_due("pro", MAY);
    let until = at(MAY + 7 * DAY);
    let failed = |day| vec![NoticeKind::PaymentFailed { day, access_ends_at: until }];
    let (mut subscription, effects) = converge(&held(&stripe("active", "pro")), &object, MAY);
    assert_eq!(mails(&effects), failed(0));
    assert_eq!(pushed(&effects), None, "nothing is taken away");
    for (when, expected) in [
        (MAY + 3 * DAY - 1, vec![]),
        (MAY + 3 * DAY, failed(3)),
        (MAY + 6 * DAY - 1, vec![]),
        (MAY + 6 * DAY, failed(6)),
        (MAY + 7 * DAY - 1, vec![]),
    ] {
        let (next, effects) = subscription.tick(at(when));
        assert_eq!(mails(&effects), expected, "{} days", (when - MAY) / DAY);
        assert_eq!(next.access(at(when)), Access::Plan { until: Some(until) });
        subscription = next;
    }
    let (lapsed, effects) = subscription.tick(until);
    assert_eq!(lapsed.access(until), Access::Ended { at: until });
    let push = pushed(&effects).unwrap();
    assert_eq!((push.plan, push.terms), (Plan::Pro, Terms::Ended { anchor: at(APRIL), at: until }));
    assert!(push.terms.over(until, push.plan).is_some(), "402 from this instant");
    assert_eq!(push.terms.over(until.plus_millis(-1), push.plan), None);
    // It is paid after all.
    let (back, effects) = converge(&lapsed, &stripe("active", "pro"), MAY + 9 * DAY);
    assert_eq!(back.access(until), Access::Plan { until: None });
    assert_eq!(pushed(&effects).unwrap().plan, Plan::Pro);
    assert!(mails(&effects).is_empty(), "nothing new was bought");
    // The next failure is another occasion.
    let (_, effects) = converge(&back, &past_due("pro", MAY + 30 * DAY), MAY + 30 * DAY);
    assert_eq!(mails(&effects).len(), 1);
}

#[test]
fn the_clock_is_looked_at_when_something_is_due() {
    let (late, _) = converge(&held(&stripe("active", "pro")), &past_due("pro", MAY), MAY);
    let days = [0, 1, 3, 5, 6, 7].map(|day| late.due_at(at(MAY + day * DAY)));
    assert_eq!(
        days,
        [Some(3), Some(3), Some(6), Some(6), Some(7), None].map(|day| day.map(|day: i64| at(MAY + day * DAY)))
    );
    let ending = held(&with(stripe("active", "pro"), &json!({"cancel_at_period_end": true})));
    assert_eq!((ending.due_at(at(APRIL)), ending.due_at(at(MAY))), (Some(at(MAY)), None));
    assert_eq!(held(&stripe("active", "pro")).due_at(at(APRIL)), None);
    assert_eq!(ours().due_at(at(APRIL)), None, "the meter knows the end of a trial");
}

#[test]
fn others_may_have_pushed_in_between() {
    let (active, effects) = converge(&ours().above(7), &stripe("active", "pro"), APRIL);
    assert_eq!(pushed(&effects).unwrap().version, 8);
    assert_eq!(active.clone().above(3).version(), 8);
    let (bought, effects) =
        Subscription::none(Product::Agent, 0).converge(&parse(&stripe("active", "pro")), at(APRIL)).unwrap();
    assert_eq!((pushed(&effects).unwrap().version, bought.version()), (1, 1));
}

#[test]
fn reminders_that_were_missed_are_not_made_up_for_in_a_heap() {
    let (_, effects) = converge(&held(&stripe("active", "pro")), &past_due("pro", MAY), MAY + 6 * DAY);
    assert_eq!(mails(&effects).len(), 1);
    let (_, effects) = converge(&held(&stripe("active", "pro")), &past_due("pro", MAY), MAY + 8 * DAY);
    assert_eq!(mails(&effects), [], "access has ended: there is nothing to remind of");
}

#[test]
fn an_invoice_that_is_not_expanded_counts_from_when_it_was_first_seen() {
    let object = with(stripe("past_due", "pro"), &json!({"latest_invoice": "in_2"}));
    let (first, _) = converge(&held(&stripe("active", "pro")), &object, MAY + DAY);
    let (second, effects) = converge(&first, &object, MAY + 2 * DAY);
    assert_eq!(second.paid.unwrap().past_due_since, Some(at(MAY + DAY)));
    assert!(effects.is_empty());
    let other = with(object, &json!({"latest_invoice": "in_3"}));
    let since = converge(&first, &other, MAY + 2 * DAY).0.paid.unwrap().past_due_since;
    assert_eq!(since, Some(at(MAY + DAY)), "the next invoice does not begin it again");
}

#[test]
fn stripe_giving_up_early_does_not_shorten_the_grace() {
    let unpaid = with(past_due("pro", MAY), &json!({"status": "unpaid"}));
    let (subscription, _) = converge(&held(&stripe("active", "pro")), &unpaid, MAY + DAY);
    assert_eq!(subscription.access(at(MAY + DAY)), Access::Plan { until: Some(at(MAY + 7 * DAY)) });
}

#[test]
fn cancelled_at_period_end_and_taken_back() {
    let ending = with(stripe("active", "pro"), &json!({"cancel_at_period_end": true}));
    let (subscription, effects) = converge(&held(&stripe("active", "pro")), &ending, APRIL + DAY);
    assert_eq!(mails(&effects), [NoticeKind::Cancelling { ends_at: at(MAY) }]);
    assert_eq!(subscription.access(at(MAY - 1)), Access::Plan { until: None });
    assert_eq!(subscription.access(at(MAY)), Access::Ended { at: at(MAY) }, "also before Stripe says so");
    let (back, effects) = converge(&subscription, &stripe("active", "pro"), APRIL + 2 * DAY);
    assert_eq!(back.access(at(MAY)), Access::Plan { until: None });
    assert!(mails(&effects).is_empty());
    // Flexible billing sets only the instant.
    let ending = with(stripe("active", "pro"), &json!({"cancel_at": MAY - DAY}));
    assert_eq!(held(&ending).paid.unwrap().ends_at, Some(at(MAY - DAY)));
}

#[test]
fn what_is_over_stays_over_and_another_one_replaces_it() {
    let over = with(stripe("canceled", "pro"), &json!({"ended_at": MAY}));
    let (subscription, effects) = converge(&held(&stripe("active", "pro")), &over, MAY);
    assert_eq!(mails(&effects), [NoticeKind::Ended]);
    let (same, effects) = converge(&subscription, &stripe("active", "pro"), MAY);
    assert_eq!((&same, effects), (&subscription, vec![]), "a fetch that was overtaken");
    let again = with(stripe("active", "plus"), &json!({"id": "sub_2", "created": MAY + DAY}));
    let (second, effects) = converge(&subscription, &again, MAY + DAY);
    assert_eq!(pushed(&effects).unwrap().plan, Plan::Plus);
    let (still, effects) = converge(&second, &over, MAY + DAY);
    assert_eq!((&still, effects), (&second, vec![]), "a late event of the old one");
}

#[test]
fn what_is_alive_counts_before_what_is_over_whichever_was_made_later() {
    let over = with(stripe("canceled", "plus"), &json!({"id": "sub_2", "created": APRIL + 5, "ended_at": APRIL + 9}));
    let alive = held(&stripe("active", "pro"));
    assert_eq!(converge(&alive, &over, APRIL + DAY), (alive.clone(), vec![]));
    assert_eq!(converge(&held(&over), &stripe("active", "pro"), APRIL).0.paid, alive.paid);
    let both = [parse(&stripe("active", "pro")), parse(&over)];
    assert_eq!(ours().reconcile(&both, at(APRIL)).unwrap().0.paid, alive.paid);
}

#[test]
fn somebody_who_paid_twice_is_noticed_once() {
    let other = with(stripe("active", "plus"), &json!({"id": "sub_2", "created": APRIL + 5}));
    let (subscription, effects) = converge(&held(&stripe("active", "pro")), &other, APRIL + DAY);
    let duplicate = Effect::Duplicate { kept: "sub_2".into(), other: "sub_1".into() };
    assert!(effects.contains(&duplicate));
    let (_, effects) = converge(&subscription, &stripe("active", "pro"), APRIL + DAY);
    assert_eq!(effects, []);
    let both = [parse(&stripe("active", "pro")), parse(&other)];
    assert_eq!(subscription.reconcile(&both, at(APRIL + DAY)).unwrap(), (subscription.clone(), vec![]));
    assert!(ours().reconcile(&both, at(APRIL + DAY)).unwrap().1.contains(&duplicate));
}

#[test]
fn pauses() {
    let pause = |behavior: &str| with(stripe("active", "pro"), &json!({"pause_collection": {"behavior": behavior}}));
    assert_eq!(held(&pause("void")).access(at(APRIL)), Access::Ended { at: at(APRIL) });
    assert_eq!(held(&pause("keep_as_draft")).access(at(APRIL)), Access::Plan { until: None });
    assert_eq!(held(&stripe("paused", "pro")).access(at(APRIL)), Access::Ended { at: at(APRIL) });
}

#[test]
fn a_product_with_a_free_plan_falls_back_on_it() {
    let gmail = Subscription::trial(Product::Gmail, Trial::starting(at(APRIL), 14), 1);
    let (free, effects) = gmail.take_free(at(APRIL + DAY)).unwrap();
    assert_eq!(pushed(&effects).unwrap().plan, Plan::Free);
    assert_eq!(pushed(&effects).unwrap().terms, Terms::Monthly { anchor: at(APRIL + DAY) });
    assert!(free.take_free(at(APRIL + DAY)).is_none());
    assert!(ours().take_free(at(APRIL)).is_none(), "agent has none");
    let mut object = with(stripe("canceled", "pro"), &json!({"ended_at": MAY}));
    object["items"]["data"][0]["price"]["lookup_key"] = json!("tollgate_gmail_pro_v1_base_month");
    let (after, effects) = converge(&gmail, &object, MAY);
    assert_eq!((after.access(at(MAY)), pushed(&effects).unwrap().plan), (Access::Free, Plan::Free));
    assert!(after.entitlement(at(MAY)).is_some());
}

#[test]
fn both_shapes_say_the_same() {
    let new = stripe("active", "pro");
    let key = "tollgate_agent_pro_v1_base_month";
    let mut old = with(new.clone(), &json!({"current_period_start": APRIL, "current_period_end": MAY}));
    old["items"]["data"] = json!([{"id": "si_1", "quantity": 1, "price": null, "plan": {"id": key, "amount": 1000}}]);
    assert_eq!(held(&old).paid, held(&new).paid);
    // Older still: no items, one plan.
    let mut oldest = with(old, &json!({"plan": {"id": key, "metadata": null}, "quantity": 1}));
    oldest.as_object_mut().unwrap().remove("items");
    assert_eq!(held(&oldest).paid, held(&new).paid);
    // A lookup key that was moved to a newer price: what we wrote on the price counts.
    let mut moved = new.clone();
    moved["items"]["data"][0]["price"] =
        json!({"id": "price_1", "lookup_key": null, "metadata": {"tollgate_price": key}});
    assert_eq!(held(&moved).paid, held(&new).paid);
}

#[test]
fn what_cannot_be_read_changes_nothing_and_says_why() {
    let why = |object: Value| ours().converge(&parse(&object), at(APRIL)).unwrap_err();
    assert_eq!(why(stripe("hibernating", "pro")), Unreadable::UnknownStatus);
    assert_eq!(why(stripe("active", "gold")), Unreadable::UnknownPrice);
    assert_eq!(why(stripe("active", "trial")), Unreadable::UnknownPrice, "it has no price");
    assert_eq!(why(json!({"id": "sub_1", "status": "active"})), Unreadable::UnknownPrice);
    let mut other = stripe("active", "pro");
    other["items"]["data"][0]["price"]["lookup_key"] = json!("tollgate_gmail_pro_v1_base_month");
    assert_eq!(why(other.clone()), Unreadable::OtherProduct);
    assert_eq!(ours().reconcile(&[parse(&other)], at(APRIL)).unwrap(), (ours(), vec![]));
    let mut object = stripe("active", "pro");
    object["items"]["data"][0]["current_period_end"] = Value::Null;
    assert_eq!(why(object), Unreadable::NoPeriod);
    assert!(serde_json::from_value::<StripeSubscription>(json!({"status": "active"})).is_err());
}

#[test]
fn the_state_is_stored_as_json() {
    for object in life() {
        let (subscription, _) = ours().converge(&object, at(APRIL + DAY)).unwrap();
        let text = serde_json::to_string(&subscription).unwrap();
        assert_eq!(serde_json::from_str::<Subscription>(&text).unwrap(), subscription);
    }
}

/// The end of the trial of [`tried`].
const WEEK: i64 = APRIL + 7 * DAY;

/// A subscription that a checkout began with a trial, as it is in it.
fn tried(plan: &str) -> Value {
    let mut object = with(
        stripe("trialing", plan),
        &json!({"trial_end": WEEK, "trial_start": APRIL, "billing_cycle_anchor": WEEK, "metadata": {TRIAL_MARK: TRIAL_CARD}}),
    );
    object["items"]["data"][0]["current_period_end"] = json!(WEEK);
    object
}

/// The same after the trial: the first period, with an invoice that stands so.
fn tried_then(status: &str, invoice: &str) -> Value {
    let mut object = with(
        tried("pro"),
        &json!({"status": status, "latest_invoice": {"id": "in_2", "created": WEEK, "status": invoice}}),
    );
    object["items"]["data"][0]["current_period_start"] = json!(WEEK);
    object["items"]["data"][0]["current_period_end"] = json!(WEEK + 30 * DAY);
    object
}

fn refused(mut object: Value) -> Value {
    object["metadata"] = json!({TRIAL_MARK: TRIAL_REFUSED});
    object
}

fn new_here() -> Subscription {
    Subscription::none(Product::Agent, 0)
}

fn claims(effects: &[Effect]) -> Vec<&str> {
    let claim = |effect: &Effect| match effect {
        Effect::ClaimTrial { subscription } => Some(subscription.clone()),
        _ => None,
    };
    let all: Vec<_> = effects.iter().filter_map(claim).collect();
    assert!(all.iter().all(|id| id == "sub_1"), "{all:?}");
    vec!["sub_1"; all.len()]
}

#[test]
fn a_card_alone_buys_no_more_than_a_trial() {
    let (trial, plan) = (limits(Product::Agent, Plan::Trial), limits(Product::Agent, Plan::Pro));
    let (tried_now, effects) = converge(&new_here(), &tried("pro"), APRIL);
    let push = pushed(&effects).unwrap();
    assert_eq!((push.plan, Some(push.limits), push.pooled), (Plan::Trial, trial, false));
    // One span, which our own clock does not end: Stripe says when, and a payer is not locked out in between.
    assert_eq!(push.terms, Terms::Monthly { anchor: at(APRIL) });
    assert_eq!(push.terms.over(at(WEEK), push.plan), None);
    assert_eq!(mails(&effects), [NoticeKind::TrialStarted { plan: Plan::Pro, ends_at: at(WEEK) }]);
    assert_eq!(claims(&effects), ["sub_1"]);

    // Until the first payment nothing else comes, whatever Stripe calls it and whatever plan is chosen.
    for object in [
        tried("plus"),
        with(tried("pro"), &json!({"cancel_at_period_end": true})),
        tried_then("active", "draft"),
        tried_then("active", "open"),
        tried_then("past_due", "open"),
        tried_then("unpaid", "open"),
        refused(tried("pro")),
    ] {
        let (next, effects) = converge(&tried_now, &object, APRIL + DAY);
        let now = at(APRIL + DAY);
        assert_eq!(next.entitlement(now).map(|it| (it.plan, Some(it.limits))), Some((Plan::Trial, trial)), "{object}");
        assert!(pushed(&effects).is_none() && claims(&effects).is_empty(), "{object}");
    }
    let mut many = tried("teams");
    many["items"]["data"].as_array_mut().unwrap().push(json!({
        "id": "si_2", "quantity": 50, "current_period_start": APRIL, "current_period_end": WEEK,
        "price": {"id": "price_2", "lookup_key": "tollgate_agent_teams_v1_seat_month"},
    }));
    let (team, effects) = converge(&new_here(), &many, APRIL);
    assert_eq!((team.paid.as_ref().unwrap().seats, team.seats(at(APRIL))), (50, 1));
    assert!(!pushed(&effects).unwrap().pooled);

    // Paid: the plan, told once.
    let waiting = converge(&tried_now, &tried_then("active", "draft"), WEEK).0;
    for before in [&tried_now, &waiting] {
        let (paid, effects) = converge(before, &tried_then("active", "paid"), WEEK);
        assert_eq!(pushed(&effects).map(|it| (it.plan, Some(it.limits))), Some((Plan::Pro, plan)));
        assert_eq!(pushed(&effects).unwrap().terms, Terms::Monthly { anchor: at(WEEK) });
        assert_eq!(mails(&effects), [NoticeKind::Started { plan: Plan::Pro }]);
        assert!(claims(&effects).is_empty());
        // A later payment that fails leaves the plan, as everybody's.
        let mut late = tried_then("past_due", "open");
        late["items"]["data"][0]["current_period_start"] = json!(WEEK + 30 * DAY);
        let (late, _) = converge(&paid, &late, WEEK + 30 * DAY);
        assert_eq!(late.entitlement(at(WEEK + 30 * DAY)).unwrap().plan, Plan::Pro);
    }
    // An invoice that is not expanded is taken for a paid one: nobody is kept from what they paid for by a short answer.
    let short = with(tried_then("active", "paid"), &json!({"latest_invoice": "in_2"}));
    assert_eq!(converge(&tried_now, &short, WEEK).0.entitlement(at(WEEK)).unwrap().plan, Plan::Pro);
}

#[test]
fn a_trial_that_an_operator_gives_at_stripe_has_the_limits_of_its_plan() {
    for mark in [json!({}), json!({TRIAL_MARK: "partner"}), json!(null)] {
        let (held, effects) = converge(&new_here(), &with(tried("pro"), &json!({"metadata": mark})), APRIL);
        assert_eq!(held.card_trial(), None);
        let push = pushed(&effects).unwrap();
        assert_eq!((push.plan, push.terms), (Plan::Pro, Terms::Monthly { anchor: at(APRIL) }));
        // The first paid month begins with nothing used.
        let paid = with(tried_then("active", "paid"), &json!({"metadata": mark}));
        let (_, then) = converge(&held, &paid, WEEK);
        assert_eq!(pushed(&then).unwrap().terms, Terms::Monthly { anchor: at(WEEK) });
        assert_eq!(mails(&effects), [NoticeKind::Started { plan: Plan::Pro }]);
    }
}

#[test]
fn a_refused_trial_says_so_once_and_takes_nothing_else_away() {
    let tried_now = converge(&new_here(), &tried("pro"), APRIL).0;
    let over = refused(with(tried("pro"), &json!({"status": "canceled", "ended_at": APRIL + 9})));
    let waiting = converge(&tried_now, &refused(tried("pro")), APRIL + 5).0;
    for before in [&new_here(), &tried_now, &waiting] {
        let (after, effects) = converge(before, &over, APRIL + 9);
        assert_eq!(mails(&effects), [NoticeKind::TrialRefused { plan: Plan::Pro }]);
        assert_eq!(after.access(at(APRIL + 9)), Access::Ended { at: at(APRIL + 9) });
        let said = effects.iter().find_map(|effect| match effect {
            Effect::Audit(recorded) => recorded.details.iter().find(|(name, _)| name == "trial").cloned(),
            _ => None,
        });
        assert_eq!(said.is_some_and(|(_, text)| text.ends_with("-> refused")), before != &waiting);
        assert_eq!(converge(&after, &over, APRIL + 10).1, []);
        assert_eq!(after.trial_days_left(), None, "the next is paid for");
    }
    // One that somebody cancelled has simply ended.
    let mine = with(tried("pro"), &json!({"status": "canceled", "ended_at": WEEK}));
    assert_eq!(mails(&converge(&tried_now, &mine, WEEK).1), [NoticeKind::Ended]);
}

#[test]
fn a_checkout_begins_with_a_trial_for_whoever_never_had_anything_of_the_product() {
    assert_eq!(new_here().trial_days_left(), Some(7));
    assert_eq!(Subscription::none(Product::Gmail, 3).trial_days_left(), Some(14));
    assert_eq!(ours().trial_days_left(), None, "their own trial, running or over");
    for (status, expected) in [
        ("incomplete", Some(7)),
        ("incomplete_expired", Some(7)),
        ("trialing", None),
        ("active", None),
        ("past_due", None),
        ("canceled", None),
    ] {
        assert_eq!(converge(&new_here(), &stripe(status, "pro"), APRIL).0.trial_days_left(), expected, "{status}");
        assert_eq!(converge(&ours(), &stripe(status, "pro"), APRIL).0.trial_days_left(), None);
    }
    // The plan without payment is no trial.
    let free = Subscription::none(Product::Gmail, 0).take_free(at(APRIL)).unwrap().0;
    assert_eq!(free.trial_days_left(), Some(14));
}

#[test]
fn a_claim_is_asked_for_when_there_is_first_something_to_use() {
    for (status, expected) in
        [("incomplete", 0), ("incomplete_expired", 0), ("canceled", 0), ("trialing", 1), ("active", 1), ("past_due", 1)]
    {
        assert_eq!(claims(&converge(&ours(), &stripe(status, "pro"), APRIL).1).len(), expected, "{status}");
    }
    // Whoever cancels in the same moment has had it, too.
    let ending = with(tried("pro"), &json!({"cancel_at_period_end": true}));
    assert_eq!(claims(&converge(&new_here(), &ending, APRIL).1), ["sub_1"]);
    // What was stored before there were claims is claimed with the next look.
    let mut stored = serde_json::to_value(held(&stripe("active", "pro"))).unwrap();
    stored["told"].as_object_mut().unwrap().remove("claimed");
    stored["paid"].as_object_mut().unwrap().remove("card_trial");
    let old: Subscription = serde_json::from_value(stored).unwrap();
    assert_eq!(
        old.converge(&parse(&stripe("active", "pro")), at(APRIL)).unwrap().1,
        [Effect::ClaimTrial { subscription: "sub_1".into() }]
    );
}

/// The life of a subscription that began with a trial, as fetched after each of its events.
fn tried_life() -> Vec<StripeSubscription> {
    [
        tried("pro"),
        tried("plus"),
        with(tried("pro"), &json!({"cancel_at_period_end": true})),
        refused(tried("pro")),
        refused(with(tried("pro"), &json!({"status": "canceled", "ended_at": APRIL + 9}))),
        tried_then("active", "draft"),
        tried_then("active", "paid"),
        tried_then("past_due", "open"),
        with(tried_then("canceled", "void"), &json!({"ended_at": WEEK + DAY})),
    ]
    .iter()
    .map(parse)
    .collect()
}

/// Applies snapshots in an order, and checks what holds at every step.
fn walk(objects: &[StripeSubscription], order: &[usize], times: &[i64]) -> Result<Subscription, TestCaseError> {
    let mut subscription = ours();
    let mut last_push = subscription.entitlement(at(APRIL)).unwrap();
    for (step, index) in order.iter().enumerate() {
        let now = at(APRIL + times.get(step).copied().unwrap_or(0));
        let (next, effects) = subscription.converge(&objects[*index % objects.len()], now).unwrap();
        if let Some(push) = pushed(&effects) {
            prop_assert!(push.version > last_push.version, "{} after {}", push.version, last_push.version);
            last_push = push;
        }
        prop_assert_eq!(next.entitlement(now), Some(last_push), "the last push is what holds");
        prop_assert_eq!(next.version(), last_push.version);
        let (again, effects) = next.converge(&objects[*index % objects.len()], now).unwrap();
        prop_assert_eq!(&again, &next);
        prop_assert_eq!(effects, vec![], "the second time there is nothing to do");
        let (ticked, effects) = next.tick(now);
        prop_assert_eq!((&ticked, effects), (&next, vec![]));
        subscription = next;
    }
    Ok(subscription)
}

/// All orders of the first `count` numbers (Heap's algorithm).
fn permutations(count: usize, mut visit: impl FnMut(&[usize])) {
    let mut order: Vec<usize> = (0..count).collect();
    let mut counters = vec![0; count];
    visit(&order);
    let mut index = 0;
    while index < count {
        if counters[index] < index {
            order.swap(if index % 2 == 0 { 0 } else { counters[index] }, index);
            visit(&order);
            counters[index] += 1;
            index = 0;
        } else {
            counters[index] = 0;
            index += 1;
        }
    }
}

/// Every order of seven of the life's snapshots, ended by a reconciliation: 5 040 of them, for each of four truths.
#[test]
fn every_permutation_ends_in_the_same_state() {
    let life = life();
    let now = at(APRIL + 2 * DAY);
    for truth in [3, 5, 9, 10] {
        let expected = ours().reconcile(&life[truth..=truth], now).unwrap().0;
        let some: Vec<_> = [0, 1, 3, 5, 7, 9, 10].map(|index| life[index].clone()).to_vec();
        let mut count = 0;
        permutations(some.len(), |order| {
            let mut subscription = ours();
            for index in order {
                subscription = subscription.converge(&some[*index], now).unwrap().0;
            }
            let (settled, _) = subscription.reconcile(&life[truth..=truth], now).unwrap();
            assert_eq!(facts(&settled), facts(&expected), "{order:?}");
            assert_eq!(settled.seats(now), expected.seats(now));
            assert_eq!(settled.reconcile(&life[truth..=truth], now).unwrap(), (settled.clone(), vec![]));
            count += 1;
        });
        assert_eq!(count, 5_040);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Any order, with duplicates and drops, at any times, then one reconciliation.
    #[test]
    fn any_order_with_duplicates_and_drops_converges(
        order in proptest::collection::vec(0..11_usize, 0..24),
        times in proptest::collection::vec(0..40 * DAY, 24),
        truth in 0..11_usize,
        late in 0..60 * DAY,
    ) {
        let life = life();
        let subscription = walk(&life, &order, &times)?;
        let now = at(APRIL + late);
        let (settled, effects) = subscription.reconcile(&life[truth..=truth], now).unwrap();
        let (expected, _) = ours().reconcile(&life[truth..=truth], now).unwrap();
        prop_assert_eq!(facts(&settled), facts(&expected));
        prop_assert_eq!(settled.access(now), expected.access(now));
        let plain = |subscription: &Subscription| {
            subscription.entitlement(now).map(|entitlement| Entitlement { version: 0, ..entitlement })
        };
        prop_assert_eq!(plain(&settled), plain(&expected));
        if let Some(push) = pushed(&effects) {
            prop_assert_eq!(Some(push), settled.entitlement(now));
        }
        prop_assert_eq!(settled.reconcile(&life[truth..=truth], now).unwrap(), (settled.clone(), vec![]));
    }

    /// A trial with a card, in any order with duplicates and drops: claimed once, nothing but the trial's limits before
    /// something was paid, and after one reconciliation what Stripe says.
    #[test]
    fn a_trial_with_a_card_converges_too(
        order in proptest::collection::vec(0..9_usize, 0..24),
        truth in 0..9_usize,
        late in 0..20 * DAY,
    ) {
        let life = tried_life();
        let now = at(APRIL + late);
        let (mut subscription, mut claimed) = (new_here(), 0);
        for index in order {
            let (next, effects) = subscription.converge(&life[index], now).unwrap();
            claimed += claims(&effects).len();
            let is_paid = matches!(life[index].status.as_str(), "active")
                && life[index].latest_invoice.as_ref().is_some_and(|invoice| !invoice.is_awaited());
            if let Some(push) = pushed(&effects) && matches!(push.terms, Terms::Monthly { .. }) {
                let is_of_the_trial = Some(push.limits) == limits(Product::Agent, Plan::Trial);
                prop_assert!(is_of_the_trial || is_paid, "{push:?}");
            }
            prop_assert_eq!(next.converge(&life[index], now).unwrap(), (next.clone(), vec![]));
            subscription = next;
        }
        prop_assert!(claimed <= 1);
        let (settled, effects) = subscription.reconcile(&life[truth..=truth], now).unwrap();
        prop_assert!(claimed + claims(&effects).len() <= 1);
        let (expected, _) = new_here().reconcile(&life[truth..=truth], now).unwrap();
        prop_assert_eq!(facts(&settled), facts(&expected));
        let plain = |subscription: &Subscription| {
            subscription.entitlement(now).map(|entitlement| Entitlement { version: 0, ..entitlement })
        };
        prop_assert_eq!(plain(&settled), plain(&expected));
        prop_assert_eq!(settled.seats(now), expected.seats(now));
    }

    /// Two subscriptions of one customer, their snapshots mixed; the list may come in any order.
    #[test]
    fn two_subscriptions_converge_too(
        order in proptest::collection::vec((any::<bool>(), 0..11_usize), 0..16),
        truth in (0..11_usize, 0..11_usize), later: bool, now in 0..40 * DAY,
    ) {
        let now = at(APRIL + now);
        let first = life();
        let second: Vec<_> = life().into_iter().map(|mut object| {
            object.id = "sub_2".into();
            object.created += if later { 9 } else { -9 };
            object
        }).collect();
        let mut subscription = ours();
        for (other, index) in order {
            let object = if other { &second[index] } else { &first[index] };
            let (next, _) = subscription.converge(object, now).unwrap();
            prop_assert_eq!(next.converge(object, now).unwrap(), (next.clone(), vec![]));
            subscription = next;
        }
        let (a, b) = (first[truth.0].clone(), second[truth.1].clone());
        let (settled, _) = subscription.reconcile(&[a.clone(), b.clone()], now).unwrap();
        let (turned, _) = subscription.reconcile(&[b.clone(), a.clone()], now).unwrap();
        let (expected, _) = ours().reconcile(&[a, b], now).unwrap();
        prop_assert_eq!(facts(&settled), facts(&expected));
        prop_assert_eq!(facts(&turned), facts(&expected));
    }

    /// However often the clock is looked at, each reminder is asked for at most once, in order.
    #[test]
    fn each_reminder_once(mut looks in proptest::collection::vec(0..9 * DAY, 0..40)) {
        looks.sort_unstable();
        let mut subscription = held(&stripe("active", "pro"));
        let object = parse(&past_due("pro", MAY));
        let mut days = Vec::new();
        for look in looks {
            let (next, effects) = subscription.converge(&object, at(MAY + look)).unwrap();
            for kind in mails(&effects) {
                if let NoticeKind::PaymentFailed { day, .. } = kind {
                    prop_assert!(day * DAY <= look);
                    days.push(day);
                }
            }
            subscription = next;
        }
        prop_assert!(days.is_sorted_by(|a, b| a < b), "{days:?}");
    }

    /// Bodies that are not Stripe's are refused, never a panic.
    #[test]
    fn no_body_panics(text: String, status: String, key: String, number: i64) {
        let _ = serde_json::from_str::<StripeSubscription>(&text);
        let mut object = stripe(&status, "pro");
        object["items"]["data"][0]["current_period_end"] = json!(number);
        object["billing_cycle_anchor"] = json!(number);
        let _ = ours().converge(&parse(&object), at(number / 1000));
        let mut object = with(stripe("past_due", "pro"), &json!({"latest_invoice": {"id": key, "created": number}}));
        object["created"] = json!(number);
        let (subscription, _) = ours().converge(&parse(&object), Timestamp::from_millis(number)).unwrap();
        let _ = subscription.tick(Timestamp::from_millis(i64::MAX));
    }
}
