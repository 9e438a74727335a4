//! Single rules, and a job that runs against a Stripe that loses answers, for as long as proptest likes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    meter::{Limit, Limits},
    time::monthly_period,
};

const APRIL: Timestamp = Timestamp::from_millis(1_775_001_600_000);
const HOUR_MS: i64 = 3_600_000;
const OWNER: &str = "ten_1-chat";

fn april() -> MeteredPeriod {
    MeteredPeriod::begin(MeterName::Tokens, monthly_period(APRIL, APRIL), 100, false)
}

fn sent(step: Step) -> (MeteredPeriod, Claim) {
    match step {
        Step::Send(next) => {
            let claim = next.claim.clone().unwrap();
            (next, claim)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_goes_beyond_is_sent_once_and_then_what_came_since() {
    let period = april();
    assert_eq!(period.step(100, OWNER, APRIL), Step::Rest);
    let (claimed, claim) = sent(period.step(130, OWNER, APRIL));
    assert_eq!((claim.amount, claim.tries, claim.since), (30, 1, APRIL));
    assert_eq!(claim.identifier, "ten_1-chat-tokens-1775001600-0");
    assert_eq!((claimed.reported, claimed.told()), (0, 30));
    let taken = claimed.answered(Answer::Taken, APRIL);
    assert_eq!((taken.reported, taken.claim.clone()), (30, None));
    assert_eq!(taken.step(130, OWNER, APRIL), Step::Rest);
    assert_eq!(taken.step(90, OWNER, APRIL), Step::Rest, "a late settle counts less: nothing is taken back");
    let (_, claim) = sent(taken.step(131, OWNER, APRIL));
    assert_eq!((claim.amount, claim.identifier.as_str()), (1, "ten_1-chat-tokens-1775001600-30"));
}

#[test]
fn a_claim_is_sent_by_one_at_a_time_and_the_same_until_its_fate_is_known() {
    let (claimed, claim) = sent(april().step(130, OWNER, APRIL));
    assert_eq!(claimed.step(999, OWNER, APRIL.plus_millis(HELD_MS - 1)), Step::Busy);
    let (again, second) = sent(claimed.step(999, OWNER, APRIL.plus_millis(HELD_MS)));
    assert_eq!(second, Claim { tries: 2, held_until: APRIL.plus_millis(2 * HELD_MS), ..claim.clone() });
    // No answer came: the next run need not wait.
    let unknown = claimed.answered(Answer::Unknown, APRIL.plus_millis(5));
    assert_eq!(sent(unknown.step(999, OWNER, APRIL.plus_millis(5))).1.amount, 30);
    assert_eq!(again.answered(Answer::Taken, APRIL).reported, 30);
}

#[test]
fn a_refusal_ends_a_claim_only_when_no_earlier_try_can_have_come_through() {
    let (claimed, _) = sent(april().step(130, OWNER, APRIL));
    assert_eq!(claimed.answered(Answer::Refused, APRIL), april());
    let unknown = claimed.answered(Answer::Unknown, APRIL);
    let (again, _) = sent(unknown.step(130, OWNER, APRIL));
    let refused = again.answered(Answer::Refused, APRIL);
    assert_eq!(refused.told(), 30);
    assert_eq!(sent(refused.step(130, OWNER, APRIL)).1.tries, 3);
}

#[test]
fn what_cannot_be_found_out_any_more_is_not_charged() {
    let (claimed, _) = sent(april().step(130, OWNER, APRIL));
    let last = APRIL.plus_millis(KEPT_MS);
    assert!(matches!(claimed.step(200, OWNER, last), Step::Send(_)));
    let Step::GiveUp { next, amount } = claimed.step(200, OWNER, last.plus_millis(1)) else { panic!() };
    assert_eq!((next.reported, next.claim.clone(), amount), (30, None, 30));
    let (_, claim) = sent(next.step(200, OWNER, last));
    assert_eq!((claim.amount, claim.identifier.as_str()), (70, "ten_1-chat-tokens-1775001600-30"));
}

#[test]
fn a_period_is_looked_at_until_a_day_after_its_end() {
    let period = april();
    let end = period.period.end;
    let late = end.plus_millis(LATE_MS);
    assert_eq!(period.step(100, OWNER, late.plus_millis(-1)), Step::Rest);
    assert_eq!(period.step(100, OWNER, late), Step::Close { lost: 0 });
    let (claimed, claim) = sent(period.step(101, OWNER, late));
    assert_eq!(claimed.event_at(&claim), end.as_seconds() - 1, "an instant of the period");
    assert_eq!(claimed.answered(Answer::Taken, late).step(101, OWNER, late), Step::Close { lost: 0 });
    // Stripe refuses for weeks: it is tried as long as Stripe may take it.
    let refused = claimed.answered(Answer::Refused, late);
    let last = end.plus_days(REPORTABLE_DAYS);
    assert!(matches!(refused.step(101, OWNER, last.plus_millis(-1)), Step::Send(_)));
    assert_eq!(refused.step(101, OWNER, last), Step::Close { lost: 1 });
}

#[test]
fn an_event_bears_an_instant_of_its_period() {
    let (claimed, claim) = sent(april().step(101, OWNER, APRIL.plus_millis(1_999)));
    assert_eq!(claimed.event_at(&claim), APRIL.as_seconds() + 1);
    let (early, claim) = sent(april().step(101, OWNER, APRIL.plus_millis(-5)));
    assert_eq!(early.event_at(&claim), APRIL.as_seconds());
}

fn current(anchor: Timestamp, now: Timestamp, tokens: Limit) -> Current {
    Current {
        period: monthly_period(anchor, now),
        limits: Limits { requests: Limit::Hard(10), tokens, emails: Limit::NotIncluded },
        pooled: false,
    }
}

fn soft(included: u64) -> Limit {
    Limit::Soft { included, ceiling: None }
}

#[test]
fn each_soft_limit_has_its_period_and_no_other_has() {
    let now = current(APRIL, APRIL, soft(100));
    assert_eq!(follow(Vec::new(), Some(&now)), [april()]);
    assert_eq!(follow(vec![april()], Some(&now)), [april()]);
    assert_eq!(follow(Vec::new(), Some(&current(APRIL, APRIL, Limit::Hard(100)))), []);
    assert_eq!(follow(Vec::new(), None), []);
    assert_eq!(follow(vec![april()], None), [april()], "the subscription is over, its last month is not");
    let may = current(APRIL, april().period.end, soft(200));
    let both = follow(vec![april()], Some(&may));
    assert_eq!(both[0], april(), "the month before keeps what it included");
    assert_eq!((both[1].period, both[1].included), (may.period, 200));
    assert_eq!(follow(both.clone(), Some(&may)), both);
}

#[test]
fn what_is_included_rises_within_a_period_and_never_falls() {
    let of = |tokens| follow(vec![april()], Some(&current(APRIL, APRIL, tokens)))[0].included;
    assert_eq!(of(soft(150)), 150);
    assert_eq!(of(soft(50)), 100);
    assert_eq!(of(Limit::Hard(50)), 100);
    assert_eq!(of(Limit::Hard(500)), 500);
    assert_eq!(of(Limit::Unlimited), WITHOUT_END);
    assert_eq!(of(Limit::NotIncluded), 100);
}

#[test]
fn a_subscription_that_begins_anew_cuts_the_month_before_off() {
    let again = APRIL.plus_days(11);
    let now = current(again, again, soft(100));
    let both = follow(vec![april()], Some(&now));
    assert_eq!(both[0].period, Period { start: APRIL, end: again });
    assert_eq!(both[1].period, now.period);
    // Were the old one told again by a slow replica: nothing is counted twice.
    let older = follow(both.clone(), Some(&current(APRIL, APRIL.plus_days(12), soft(100))));
    assert_eq!(older, both);
}

/// Stripe's side: each identifier once while it is known.
#[derive(Default)]
struct Stripe {
    events: BTreeMap<String, (u64, Timestamp)>,
    /// Everything it ever added up.
    sum: u64,
}

impl Stripe {
    fn take(&mut self, claim: &Claim, now: Timestamp) -> Answer {
        let known = self.events.get(&claim.identifier).is_some_and(|(_, at)| now <= at.plus_days(1));
        if !known {
            self.events.insert(claim.identifier.clone(), (claim.amount, now));
            self.sum += claim.amount;
        }
        Answer::Taken
    }
}

/// What happens to a request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    /// It came through, the answer did not.
    AnswerLost,
    /// It did not come through, and nobody can tell.
    RequestLost,
    Refused,
    /// The job died after it was sent.
    DiedAfter,
    /// The job died before it was sent.
    DiedBefore,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Used(u64),
    /// A late settle counts less.
    Less(u64),
    Included(u64),
    Time(i64),
    Run(Fate),
}

fn event() -> impl Strategy<Value = Event> {
    let fate = prop_oneof![
        4 => Just(Fate::Answered),
        1 => Just(Fate::AnswerLost),
        1 => Just(Fate::RequestLost),
        1 => Just(Fate::Refused),
        1 => Just(Fate::DiedAfter),
        1 => Just(Fate::DiedBefore),
    ];
    prop_oneof![
        4 => (0..50_u64).prop_map(Event::Used),
        1 => (0..20_u64).prop_map(Event::Less),
        1 => (90..200_u64).prop_map(Event::Included),
        3 => prop_oneof![1..HELD_MS, HELD_MS..3 * HOUR_MS, KEPT_MS - 10..KEPT_MS + 2 * HOUR_MS].prop_map(Event::Time),
        6 => fate.prop_map(Event::Run),
    ]
}

struct World {
    stored: MeteredPeriod,
    used: u64,
    now: Timestamp,
    stripe: Stripe,
    /// The most that was ever beyond what is included, at a run.
    most: u64,
    given_up: u64,
}

impl World {
    fn run(&mut self, fate: Fate) {
        self.most = self.most.max(self.stored.overage(self.used));
        let before = self.stored.clone();
        match self.stored.step(self.used, OWNER, self.now) {
            Step::Rest | Step::Busy => {}
            Step::Close { .. } => panic!("the period is not over"),
            Step::GiveUp { next, amount } => {
                self.given_up += amount;
                self.stored = next;
            }
            Step::Send(next) => {
                let claim = next.claim.clone().unwrap();
                assert!(claim.amount > 0);
                self.stored = next;
                let answer = match fate {
                    Fate::Answered => Some(self.stripe.take(&claim, self.now)),
                    Fate::AnswerLost => {
                        self.stripe.take(&claim, self.now);
                        Some(Answer::Unknown)
                    }
                    Fate::RequestLost => Some(Answer::Unknown),
                    Fate::Refused => Some(Answer::Refused),
                    Fate::DiedAfter => {
                        self.stripe.take(&claim, self.now);
                        None
                    }
                    Fate::DiedBefore => None,
                };
                if let Some(answer) = answer {
                    self.stored = self.stored.answered(answer, self.now);
                }
            }
        }
        assert!(self.stored.reported >= before.reported, "reported never falls");
        assert!(self.stripe.sum <= self.most, "{} of {} at most", self.stripe.sum, self.most);
    }
}

fn walk(events: Vec<Event>, only_more: bool) -> World {
    let mut world = World { stored: april(), used: 0, now: APRIL, stripe: Stripe::default(), most: 0, given_up: 0 };
    // The period is as long as the walk.
    world.stored.period.end = APRIL.plus_days(10_000);
    for event in events {
        match event {
            Event::Used(more) => world.used += more,
            Event::Less(less) if !only_more => world.used = world.used.saturating_sub(less),
            Event::Included(included) if !only_more => world.stored.included = world.stored.included.max(included),
            Event::Less(_) | Event::Included(_) => {}
            Event::Time(millis) => world.now = world.now.plus_millis(millis),
            Event::Run(fate) => world.run(fate),
        }
    }
    // In the end the network is well for a while.
    for _ in 0..3 {
        world.now = world.now.plus_millis(HELD_MS);
        world.run(Fate::Answered);
    }
    world
}

proptest! {
    #[test]
    fn never_more_than_the_overage_that_was_seen(events in proptest::collection::vec(event(), 0..60)) {
        let world = walk(events, false);
        let overage = world.stored.overage(world.used);
        prop_assert!(world.stripe.sum <= world.most);
        prop_assert!(world.stripe.sum + world.given_up >= overage, "{} and {} of {}", world.stripe.sum, world.given_up, overage);
        prop_assert_eq!(&world.stored.claim, &None);
    }

    #[test]
    fn exactly_the_overage_when_usage_grows_and_nothing_is_given_up(events in proptest::collection::vec(event(), 0..60)) {
        let world = walk(events, true);
        let overage = world.stored.overage(world.used);
        prop_assert_eq!(world.stored.reported, overage);
        if world.given_up == 0 {
            prop_assert_eq!(world.stripe.sum, overage);
        }
        prop_assert!(world.stripe.sum <= overage && overage <= world.stripe.sum + world.given_up);
    }

    /// Two jobs at once: the second finds the claim held, or stored by the first; only one of them stores.
    #[test]
    fn of_two_at_once_one_sends(used in 101..10_000_u64, after in 0..HELD_MS) {
        let (claimed, _) = sent(april().step(used, OWNER, APRIL));
        prop_assert_eq!(claimed.step(used, OWNER, APRIL.plus_millis(after)), Step::Busy);
    }
}
