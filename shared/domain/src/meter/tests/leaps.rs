//! A clock that leaps ahead and comes back.

use proptest::prelude::*;

use super::*;
use crate::{
    clock_leap::{BELIEVED_AFTER_MS, LEAP_MS, Leaping as _},
    time::DAY_MS,
};

const MINUTE_MS: i64 = 60_000;
const YEAR_MS: i64 = 370 * DAY_MS;

fn kinds(meter: &Meter) -> Vec<&'static str> {
    meter.entries.iter().map(|(_, event)| event.kind()).collect()
}

fn used(meter: &Meter, clock: Timestamp) -> (u64, u64) {
    let tokens = meter.state.standings(clock).into_iter().find(|standing| standing.meter == MeterName::Tokens).unwrap();
    (tokens.used, tokens.reserved)
}

/// 500 tokens used; then a call of 40 on a clock that is a year ahead.
fn leapt() -> Meter {
    let mut meter = Meter::on(pro(1, START));
    meter.run(&Command::Reserve(chat(1, 500)), START);
    meter.run(&settle(1, 500), START);
    let ahead = START.plus_millis(YEAR_MS);
    meter.run(&Command::Reserve(chat(2, 40)), ahead);
    meter.run(&settle(2, 40), ahead);
    assert_eq!(used(&meter, ahead), (40, 0), "by that clock it is another month");
    meter
}

/// A day of calls, each less than an hour after the one before.
fn lasting(meter: &mut Meter) -> Timestamp {
    let mut at = meter.state.latest;
    for number in 0..25 {
        at = at.plus_millis(LEAP_MS - 1);
        meter.run(&Command::Reserve(chat(100 + number, 1)), at);
    }
    at
}

#[test]
fn who_called_meanwhile_is_where_they_were_when_the_clock_comes_back() {
    let mut meter = leapt();
    let back = START.plus_millis(10 * MINUTE_MS);
    meter.run(&Command::SeeClock, back);
    assert_eq!(used(&meter, back), (540, 0), "what was used meanwhile counts in the month that it is");
    assert_eq!(meter.state.now(back), back);
    assert_eq!(kinds(&meter)[3..5], ["clock_leapt", "reserved"]);
    assert_eq!(*kinds(&meter).last().unwrap(), "clock_returned");
    assert_eq!(meter.replay(), meter.state);
}

#[test]
fn a_trial_goes_on_after_a_leap_over_its_end() {
    let mut meter = Meter::on(trial(1));
    meter.run(&Command::Reserve(chat(1, 500)), START);
    meter.run(&settle(1, 500), START);
    let ahead = START.plus_days(30);
    let refused = meter.run(&Command::Reserve(Reserve { key: Some("a".into()), ..chat(2, 40) }), ahead);
    assert!(matches!(refused, Decision::Refused(Refusal::TrialExpired { .. })), "{refused:?}");
    let back = START.plus_millis(10 * MINUTE_MS);
    assert!(matches!(meter.run(&Command::Reserve(chat(3, 40)), back), Decision::Admitted(_)));
    assert_eq!(used(&meter, back), (500, 40));
}

#[test]
fn what_was_stopped_stays_stopped() {
    let mut meter = Meter::on(pro(1, START));
    meter.run(&Command::RevokeSession { session: session(1), until: START.plus_millis(15 * MINUTE_MS) }, START);
    meter.run(&Command::KnowKey(meter_key(1)), START);
    meter.run(&Command::RevokeKey { key: api_key(1), until: START.plus_millis(REVOKED_KEY_MS) }, START);
    // By that clock nobody can be on the way with either any more.
    let ahead = START.plus_millis(YEAR_MS);
    meter.run(&Command::Reserve(chat(1, 40)), ahead);
    assert!(!meter.state.is_revoked(session(1)));
    let back = START.plus_millis(MINUTE_MS);
    let by_session = meter.run(&Command::Reserve(Reserve { session: Some(session(1)), ..chat(2, 40) }), back);
    assert_eq!(by_session, Decision::Refused(Refusal::SessionRevoked));
    let by_key = meter.run(&Command::Reserve(Reserve { credential: Some(credential(1, 1)), ..chat(3, 40) }), back);
    assert_eq!(by_key, Decision::Refused(Refusal::KeyRefused));
}

#[test]
fn a_hold_of_meanwhile_ends_and_a_rate_limit_does_not_last_a_year() {
    let plan = Entitlement { rate: Some(RateLimit { per_minute: 60, burst: 2 }), ..pro(1, START) };
    let mut meter = Meter::on(plan);
    let ahead = START.plus_millis(YEAR_MS);
    for number in 1..=2 {
        assert!(matches!(meter.run(&Command::Reserve(chat(number, 40)), ahead), Decision::Admitted(_)));
    }
    let back = START.plus_millis(MINUTE_MS);
    assert!(
        matches!(meter.run(&Command::Reserve(chat(3, 40)), back), Decision::Admitted(_)),
        "the bucket is full again"
    );
    assert_eq!(used(&meter, back), (0, 120));
    let later = back.plus_millis(2 * MINUTE_MS);
    meter.run(&Command::Expire, later);
    assert_eq!(used(&meter, later), (120, 0), "nobody settled them: they count, and hold nothing");
}

#[test]
fn a_leap_that_lasts_is_believed() {
    let mut meter = leapt();
    let ahead = lasting(&mut meter);
    assert_eq!(meter.state.earliest(ahead), ahead);
    let back = START.plus_millis(BELIEVED_AFTER_MS + 2 * LEAP_MS);
    meter.run(&Command::SeeClock, back);
    assert_eq!(used(&meter, back), (40, 25), "still in the month a year later");
    // An operator knows better.
    meter.run(&Command::ReturnToClock, back);
    assert_eq!(used(&meter, back), (540, 25));
    assert_eq!(meter.state.now(back), back);
    assert_eq!(meter.replay(), meter.state);
    let rows = meter.entries.len();
    meter.run(&Command::ReturnToClock, back);
    assert_eq!(meter.entries.len(), rows, "there is nothing left to do");
}

#[test]
fn an_operator_brings_back_also_what_is_not_kept_any_more() {
    let mut meter = leapt();
    // It lasts, and another night is a leap from an instant that is ahead itself.
    for day in 1..=2 {
        meter.run(&Command::Reserve(chat(2 + day, 1)), START.plus_millis(YEAR_MS).plus_days(day.cast_signed()));
    }
    let back = START.plus_days(5);
    meter.run(&Command::ReturnToClock, back);
    assert_eq!(meter.state.now(back), back);
    assert_eq!(used(&meter, back), (40, 2), "what is known to have been used counts, and what is held is held");
    assert!(meter.state.next_expiry().unwrap() <= back.plus_millis(2 * MINUTE_MS));
    assert!(matches!(meter.run(&Command::Reserve(chat(9, 40)), back), Decision::Admitted(_)));
    assert_eq!(meter.replay(), meter.state);
}

#[test]
fn the_month_that_began_meanwhile_keeps_what_was_counted_in_it() {
    // The last call was on the 29th day, the next is on the 32nd: a leap over the beginning of a month that has begun.
    let mut meter = Meter::on(pro(1, START));
    meter.run(&Command::Reserve(chat(1, 500)), START.plus_days(29));
    meter.run(&settle(1, 500), START.plus_days(29));
    let monday = START.plus_days(32);
    meter.run(&Command::Reserve(chat(2, 40)), monday);
    meter.run(&settle(2, 40), monday);
    meter.run(&Command::Reserve(chat(3, 7)), monday);
    // The clock goes two hours back.
    let back = monday.plus_millis(-2 * LEAP_MS);
    meter.run(&Command::SeeClock, back);
    assert_eq!(used(&meter, back), (40, 7));
}

#[test]
fn another_leap_does_not_make_the_first_one_believed() {
    let mut meter = leapt();
    // Thirty hours without a call count as twelve.
    meter.run(&Command::Reserve(chat(3, 1)), START.plus_millis(YEAR_MS + 30 * LEAP_MS));
    let back = START.plus_millis(30 * LEAP_MS + MINUTE_MS);
    meter.run(&Command::SeeClock, back);
    assert_eq!(used(&meter, back), (540, 1));
}

#[test]
fn a_leap_is_believed_after_a_day_to_the_millisecond() {
    let mut meter = leapt();
    let ahead = START.plus_millis(YEAR_MS);
    for half_hours in 1..=48 {
        let at = ahead.plus_millis(half_hours * LEAP_MS / 2);
        assert!(meter.state.earliest(at) < ahead, "{half_hours}");
        meter.run(&Command::Reserve(chat(100 + half_hours.unsigned_abs(), 1)), at);
    }
    let believed = ahead.plus_millis(BELIEVED_AFTER_MS);
    assert_eq!(meter.state.earliest(believed), believed);
}

#[test]
fn what_was_held_when_the_clock_leapt_is_held_when_it_comes_back() {
    let mut meter = Meter::on(pro(1, START));
    meter.run(&Command::Reserve(chat(1, 500)), START);
    let ahead = START.plus_millis(YEAR_MS);
    meter.run(&Command::Expire, ahead);
    assert!(kinds(&meter).contains(&"expired"));
    let back = START.plus_millis(30_000);
    meter.run(&Command::SeeClock, back);
    assert_eq!(used(&meter, back), (0, 500));
    // What falls due by its own clock expires there, too.
    let mut meter = Meter::on(pro(1, START));
    meter.run(&Command::Reserve(chat(1, 40)), ahead);
    meter.run(&Command::Expire, ahead.plus_millis(2 * MINUTE_MS));
    let back = START.plus_millis(3 * MINUTE_MS);
    meter.run(&Command::SeeClock, back);
    assert_eq!(used(&meter, back), (40, 0));
}

#[test]
fn a_mark_is_told_of_once_in_the_month_that_it_is() {
    let plan = Entitlement { limits: Limits { tokens: Limit::Hard(1_000), ..pro(1, START).limits }, ..pro(1, START) };
    let use_up = |meter: &mut Meter, number: u64, tokens: u64, at: Timestamp| {
        meter.run(&Command::Reserve(chat(number, tokens)), at);
        meter.run(&settle(number, tokens), at);
    };
    // In another month: it counts for this one once the clock is back.
    let mut meter = Meter::on(plan);
    use_up(&mut meter, 1, 850, START.plus_millis(YEAR_MS));
    assert_eq!(meter.marks(), [(MeterName::Tokens, 80)]);
    use_up(&mut meter, 2, 1, START.plus_millis(MINUTE_MS));
    assert_eq!(meter.marks(), [(MeterName::Tokens, 80), (MeterName::Tokens, 80)]);
    // In the same month: it was told of.
    let mut meter = Meter::on(plan);
    use_up(&mut meter, 1, 850, START.plus_days(3));
    use_up(&mut meter, 2, 1, START.plus_millis(MINUTE_MS));
    assert_eq!(meter.marks(), [(MeterName::Tokens, 80)]);
}

#[test]
fn what_is_held_again_does_not_count_twice_in_a_month_that_began_meanwhile() {
    let mut meter = Meter::on(pro(1, START));
    meter.run(&Command::Reserve(chat(1, 500)), START.plus_days(29));
    meter.run(&settle(1, 500), START.plus_days(29));
    let monday = START.plus_days(32);
    meter.run(&Command::Reserve(chat(2, 40)), monday);
    meter.run(&settle(2, 40), monday);
    meter.run(&Command::Reserve(chat(3, 7)), monday);
    // Two hours more are a leap, too: for what would be without it no time has passed.
    let later = monday.plus_millis(2 * LEAP_MS);
    meter.run(&Command::Expire, later);
    assert_eq!(used(&meter, later), (47, 0));
    let back = monday.plus_millis(MINUTE_MS / 2);
    meter.run(&Command::SeeClock, back);
    assert_eq!(used(&meter, back), (40, 7));
}

#[test]
fn what_is_kept_may_be_ahead_itself() {
    let mut meter = leapt();
    let first = lasting(&mut meter);
    // A night, and another day: what is kept is of a clock that was wrong already.
    let next = first.plus_millis(3 * LEAP_MS);
    meter.run(&Command::Reserve(chat(200, 1)), next);
    let mut at = next;
    for number in 201..226 {
        at = at.plus_millis(LEAP_MS - 1);
        meter.run(&Command::Reserve(chat(number, 1)), at);
    }
    let back = START.plus_days(3);
    meter.run(&Command::ReturnToClock, back);
    assert_eq!(meter.state.now(back), back);
    assert_eq!(used(&meter, back).0, 40, "what is known to have been used counts");
    assert_eq!(meter.replay(), meter.state);
}

#[test]
fn less_than_an_hour_is_no_leap_and_the_first_instant_is_none() {
    let mut meter = Meter::on(pro(1, START));
    meter.run(&Command::Reserve(chat(1, 5)), START.plus_millis(LEAP_MS - 1));
    assert!(!kinds(&meter).contains(&"clock_leapt"));
    meter.run(&Command::Reserve(chat(2, 5)), START.plus_millis(2 * LEAP_MS - 1));
    assert!(kinds(&meter).contains(&"clock_leapt"));
    // A clock that goes back a little does not bring anything back.
    meter.run(&Command::SeeClock, START.plus_millis(LEAP_MS));
    assert!(!kinds(&meter).contains(&"clock_returned"));
    meter.run(&Command::SeeClock, START.plus_millis(LEAP_MS - 1));
    assert!(kinds(&meter).contains(&"clock_returned"));
}

#[test]
fn what_may_be_asked_for_after_a_return_is_kept() {
    let mut meter = leapt();
    let ahead = START.plus_millis(YEAR_MS);
    assert_eq!(meter.state.earliest(ahead), START);
    let later = lasting(&mut meter);
    assert_eq!(meter.state.earliest(later), later);
}

/// What both meters do, and how long after the one before.
#[derive(Debug, Clone)]
enum Step {
    Reserve { tokens: u64 },
    Settle { which: prop::sample::Index, tokens: u64 },
    Release { which: prop::sample::Index },
    Expire,
    Grant { number: u8, amount: u64 },
    Revoke { session: u8 },
    KnowKey { key: u8 },
}

fn steps() -> impl Strategy<Value = Vec<(Step, i64)>> {
    let which = any::<prop::sample::Index>();
    let step = prop_oneof![
        5 => (0_u64..500).prop_map(|tokens| Step::Reserve { tokens }),
        4 => (which.clone(), 0_u64..900).prop_map(|(which, tokens)| Step::Settle { which, tokens }),
        2 => which.prop_map(|which| Step::Release { which }),
        2 => Just(Step::Expire),
        1 => (0_u8..5, 1_u64..400).prop_map(|(number, amount)| Step::Grant { number, amount }),
        1 => (0_u8..4).prop_map(|session| Step::Revoke { session }),
        1 => (0_u8..3).prop_map(|key| Step::KnowKey { key }),
    ];
    let gap = prop_oneof![6 => 0_i64..5_000, 3 => 0_i64..(2 * MINUTE_MS), 1 => 0_i64..(30 * MINUTE_MS)];
    proptest::collection::vec((step, gap), 0..25)
}

/// One whose clock is right, and one whose clock is `ahead_ms` ahead.
struct Both {
    right: Meter,
    wrong: Meter,
    clock: Timestamp,
    reserved: u64,
}

impl Both {
    fn run(&mut self, command: &Command, ahead_ms: i64) {
        self.right.run(command, self.clock);
        self.wrong.run(command, self.clock.plus_millis(ahead_ms));
    }

    fn pass(&mut self, steps: Vec<(Step, i64)>, ahead_ms: i64) {
        for (step, gap) in steps {
            self.clock = self.clock.plus_millis(gap);
            let number =
                |which: prop::sample::Index| which.index(usize::try_from(self.reserved.max(1)).unwrap()) as u64;
            // By a clock that is a day ahead it is too late to settle what has expired; its estimate counts.
            let is_open = |number: u64| self.wrong.state.is_open(reservation(number));
            let command = match step {
                Step::Settle { which, .. } | Step::Release { which } if !is_open(number(which)) => continue,
                Step::Reserve { tokens } => {
                    self.reserved += 1;
                    Command::Reserve(chat(self.reserved - 1, tokens))
                }
                Step::Settle { which, tokens } => settle(number(which), tokens),
                Step::Release { which } => Command::Release(reservation(number(which))),
                Step::Expire => Command::Expire,
                Step::Grant { number, amount } => {
                    Command::Grant(grant(number, MeterName::Tokens, amount, START.plus_millis(3 * YEAR_MS)))
                }
                Step::Revoke { session: who } => {
                    Command::RevokeSession { session: session(who), until: START.plus_millis(3 * YEAR_MS) }
                }
                Step::KnowKey { key } => Command::KnowKey(meter_key(key)),
            };
            self.run(&command, ahead_ms);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("METER_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000)
    ))]

    /// Up to 12 hours before, meanwhile and after, all within one month of the clock that is right.
    #[test]
    fn a_leap_that_comes_back_leaves_what_a_clock_that_never_leapt_leaves(
        before in steps(), meanwhile in steps(), after in steps(),
        ahead_ms in prop_oneof![(13 * 60 * MINUTE_MS)..(2 * DAY_MS), (2 * DAY_MS)..(2 * YEAR_MS)],
    ) {
        let plan = Entitlement {
            limits: Limits { tokens: Limit::Soft { included: 1_000, ceiling: None }, ..limits(Product::Agent, Plan::Pro).unwrap() },
            ..pro(1, START)
        };
        let mut both = Both { right: Meter::on(plan), wrong: Meter::on(plan), clock: START, reserved: 0 };
        both.pass(before, 0);
        both.pass(meanwhile, ahead_ms);
        prop_assert_eq!(&both.wrong.replay(), &both.wrong.state, "replay of the ledger is the state, ahead");
        both.pass(after, 0);
        // What was held meanwhile may end earlier, by as long as nothing was heard of this meter before the leap.
        both.clock = both.clock.plus_millis(2 * MINUTE_MS);
        both.run(&Command::Expire, 0);
        let (right, wrong) = (&both.right.state, &both.wrong.state);
        prop_assert_eq!(&both.wrong.replay(), wrong, "replay of the ledger is the state");
        prop_assert_eq!(right.now(both.clock), wrong.now(both.clock));
        prop_assert_eq!(right.standings(both.clock), wrong.standings(both.clock));
        prop_assert_eq!(right.held.keys().collect::<Vec<_>>(), wrong.held.keys().collect::<Vec<_>>());
        prop_assert_eq!(right.expired.keys().collect::<Vec<_>>(), wrong.expired.keys().collect::<Vec<_>>());
        prop_assert_eq!(&right.revoked, &wrong.revoked);
        prop_assert_eq!(&right.keys, &wrong.keys);
        // From which of them is drawn depends on when an estimate began to count; how much is drawn is in the standings.
        let grants = |state: &State| state.grants.iter().map(|held| held.grant.id).collect::<Vec<_>>();
        prop_assert_eq!(grants(right), grants(wrong));
        let stored: State = serde_json::from_str(&serde_json::to_string(wrong).unwrap()).unwrap();
        prop_assert_eq!(&stored, wrong, "the checkpoint is lossless");
    }
}
