//! Property tests over random interleavings, and the stories behind single rules.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::{
    catalogue::{Plan, Product, limits},
    id::{ReservationId, SessionId},
    time::{DAY_MS, Timestamp},
    trial::Trial,
};

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn reservation(number: u64) -> ReservationId {
    let mut entropy = [0; 10];
    entropy[2..].copy_from_slice(&number.to_be_bytes());
    ReservationId::new(START, entropy)
}

fn session(number: u8) -> SessionId {
    SessionId::new(START, [number; 10])
}

fn trial(version: u64) -> Entitlement {
    Entitlement {
        version,
        product: Product::Agent,
        plan: Plan::Trial,
        limits: limits(Product::Agent, Plan::Trial).unwrap(),
        terms: Terms::Trial(Trial::starting(START, 7)),
    }
}

fn pro(version: u64, anchor: Timestamp) -> Entitlement {
    Entitlement {
        version,
        product: Product::Agent,
        plan: Plan::Pro,
        limits: limits(Product::Agent, Plan::Pro).unwrap(),
        terms: Terms::Monthly { anchor },
    }
}

fn chat(number: u64, tokens: u64) -> Reserve {
    Reserve {
        id: reservation(number),
        amounts: Amounts { requests: 1, tokens, emails: 0 },
        ttl_ms: 60_000,
        session: None,
        key: None,
        fingerprint: String::new(),
    }
}

fn settle(number: u64, tokens: u64) -> Command {
    Command::Settle(Settle {
        id: reservation(number),
        amounts: Amounts { requests: 1, tokens, emails: 0 },
        detail: UsageDetail::default(),
    })
}

/// A meter with its ledger, as the shell keeps them.
#[derive(Default)]
struct Meter {
    state: State,
    entries: Vec<(Timestamp, Event)>,
    keys: HashMap<String, Prior>,
}

impl Meter {
    fn on(entitlement: Entitlement) -> Self {
        let mut meter = Self::default();
        meter.run(&Command::Configure(entitlement), START);
        meter
    }

    fn run(&mut self, command: &Command, clock: Timestamp) -> Decision {
        let key = match command {
            Command::Reserve(reserve) => reserve.key.clone(),
            _ => None,
        };
        let prior = key.as_ref().and_then(|key| self.keys.get(key));
        let (decision, events) = self.state.decide(command, prior, clock);
        let at = self.state.now(clock);
        for event in events {
            if let (Some(key), Event::Reserved { .. } | Event::Refused { .. }) = (&key, &event) {
                self.keys.insert(key.clone(), Prior { at, event: event.clone() });
            }
            self.state.apply(at, &event);
            self.entries.push((at, event));
        }
        decision
    }

    fn replay(&self) -> State {
        let mut state = State::default();
        for (at, event) in &self.entries {
            state.apply(*at, event);
        }
        state
    }

    fn standing(&self, meter: MeterName, now: Timestamp) -> Standing {
        self.state.standings(now).into_iter().find(|standing| standing.meter == meter).unwrap()
    }
}

#[test]
fn exactly_the_limit_is_admitted() {
    let mut meter = Meter::on(trial(1));
    let admitted = (0..1000)
        .filter(|number| matches!(meter.run(&Command::Reserve(chat(*number, 10)), START), Decision::Admitted(_)))
        .count();
    assert_eq!(admitted, 120);
    let Decision::Refused(Refusal::QuotaExceeded { standing, requested, plan }) =
        meter.run(&Command::Reserve(chat(2000, 10)), START)
    else {
        panic!("not refused");
    };
    assert_eq!(
        (standing.meter, standing.limit, standing.remaining(), requested, plan),
        (MeterName::Requests, Some(120), Some(0), 1, Plan::Trial)
    );
}

#[test]
fn all_meters_or_none() {
    let mut meter = Meter::on(trial(1));
    assert!(matches!(
        meter.run(&Command::Reserve(chat(1, 50_001)), START),
        Decision::Refused(Refusal::QuotaExceeded { standing: Standing { meter: MeterName::Tokens, .. }, .. })
    ));
    assert_eq!(meter.standing(MeterName::Requests, START).reserved, 0);
    assert!(matches!(meter.run(&Command::Reserve(chat(1, 50_000)), START), Decision::Admitted(_)));
}

#[test]
fn a_settle_above_the_hold_is_recorded_in_full_and_stops_the_next() {
    let mut meter = Meter::on(trial(1));
    meter.run(&Command::Reserve(chat(1, 10)), START);
    meter.run(&settle(1, 60_000), START);
    let tokens = meter.standing(MeterName::Tokens, START);
    assert_eq!(
        (tokens.used, tokens.reserved, tokens.remaining(), tokens.percent(), tokens.warning()),
        (60_000, 0, Some(0), Some(120), Some(100))
    );
    assert!(matches!(meter.run(&Command::Reserve(chat(2, 1)), START), Decision::Refused(_)));
}

#[test]
fn a_reservation_ends_once() {
    let mut meter = Meter::on(trial(1));
    meter.run(&Command::Reserve(chat(1, 10)), START);
    meter.run(&settle(1, 7), START);
    meter.run(&settle(1, 7), START);
    meter.run(&Command::Release(reservation(1)), START);
    let tokens = meter.standing(MeterName::Tokens, START);
    assert_eq!((tokens.used, tokens.reserved), (7, 0));
    meter.run(&settle(99, 7), START);
    assert_eq!(meter.standing(MeterName::Tokens, START).used, 7);
}

#[test]
fn a_crash_is_never_free_and_a_late_settle_still_corrects() {
    let mut meter = Meter::on(trial(1));
    meter.run(&Command::Reserve(chat(1, 10)), START);
    meter.run(&Command::Reserve(chat(2, 20)), START);
    assert_eq!(meter.state.next_expiry(), Some(START.plus_millis(60_000)));
    meter.run(&Command::Expire, START.plus_millis(59_999));
    assert_eq!(meter.standing(MeterName::Tokens, START).used, 0);
    let due = START.plus_millis(60_000);
    meter.run(&Command::Expire, due);
    assert_eq!(meter.standing(MeterName::Tokens, due).used, 30);
    // A stale or doubled alarm changes nothing.
    meter.run(&Command::Expire, due);
    assert_eq!(meter.standing(MeterName::Tokens, due).used, 30);
    meter.run(&settle(1, 3), due.plus_millis(5));
    meter.run(&Command::Release(reservation(2)), due.plus_millis(5));
    let after = (meter.standing(MeterName::Tokens, due), meter.standing(MeterName::Requests, due));
    assert_eq!((after.0.used, after.1.used), (3, 1));
    assert_eq!(meter.state.next_expiry(), None);
}

#[test]
fn too_late_a_settle_changes_nothing() {
    let mut meter = Meter::on(pro(1, START));
    meter.run(&Command::Reserve(chat(1, 10)), START);
    let due = START.plus_millis(60_000);
    meter.run(&Command::Expire, due);
    let late = due.plus_millis(LATE_SETTLE_WINDOW_MS);
    meter.run(&Command::Reserve(chat(2, 1)), late);
    meter.run(&settle(1, 3), late);
    assert_eq!(meter.standing(MeterName::Tokens, late).used, 10);
}

#[test]
fn the_same_key_gets_the_same_decision_and_one_charge() {
    let mut meter = Meter::on(trial(1));
    let keyed = |number, fingerprint: &str| {
        Command::Reserve(Reserve { key: Some("k".into()), fingerprint: fingerprint.into(), ..chat(number, 10) })
    };
    let Decision::Admitted(first) = meter.run(&keyed(1, "a"), START) else { panic!() };
    for number in 2..50 {
        let Decision::AdmittedBefore(again) = meter.run(&keyed(number, "a"), START) else { panic!() };
        assert_eq!(again.id, first.id);
    }
    assert_eq!(meter.standing(MeterName::Requests, START).reserved, 1);
    assert_eq!(meter.run(&keyed(60, "b"), START), Decision::Refused(Refusal::KeyReused));
    let almost = START.plus_millis(IDEMPOTENCY_WINDOW_MS - 1);
    assert!(matches!(meter.run(&keyed(61, "a"), almost), Decision::AdmittedBefore(_)));
    assert!(matches!(meter.run(&keyed(62, "a"), START.plus_millis(IDEMPOTENCY_WINDOW_MS)), Decision::Admitted(_)));
}

#[test]
fn a_refusal_under_a_key_is_repeated_even_when_there_is_room_again() {
    let mut meter = Meter::on(trial(1));
    meter.run(&Command::Reserve(chat(1, 50_000)), START);
    let keyed = Command::Reserve(Reserve { key: Some("k".into()), ..chat(2, 10) });
    let first = meter.run(&keyed, START);
    assert!(matches!(first, Decision::Refused(Refusal::QuotaExceeded { .. })));
    meter.run(&Command::Release(reservation(1)), START);
    assert_eq!(meter.run(&keyed, START), first);
}

#[test]
fn a_trial_ends_at_the_instant_and_an_upgrade_helps_at_once() {
    let mut meter = Meter::on(trial(1));
    let end = START.plus_days(7);
    assert!(matches!(meter.run(&Command::Reserve(chat(1, 1)), end.plus_millis(-1)), Decision::Admitted(_)));
    assert_eq!(
        meter.run(&Command::Reserve(chat(2, 1)), end),
        Decision::Refused(Refusal::TrialExpired { ended_at: end })
    );
    // What was in flight finishes.
    meter.run(&settle(1, 5), end.plus_millis(1));
    assert_eq!(meter.standing(MeterName::Tokens, end).used, 5);
    meter.run(&Command::Configure(pro(2, end)), end.plus_millis(2));
    assert!(matches!(meter.run(&Command::Reserve(chat(3, 1)), end.plus_millis(2)), Decision::Admitted(_)));
    assert_eq!(meter.standing(MeterName::Tokens, end).used, 0);
}

#[test]
fn an_older_push_is_ignored() {
    let mut meter = Meter::on(pro(5, START));
    meter.run(&Command::Configure(trial(4)), START);
    meter.run(&Command::Configure(trial(5)), START);
    assert_eq!(meter.state.entitlement(), Some(&pro(5, START)));
}

#[test]
fn without_a_plan_nothing_is_admitted_and_nothing_remembered() {
    let mut meter = Meter::default();
    let keyed = Command::Reserve(Reserve { key: Some("k".into()), ..chat(1, 1) });
    assert_eq!(meter.run(&keyed, START), Decision::Refused(Refusal::NotConfigured));
    meter.run(&Command::Configure(trial(1)), START);
    assert!(matches!(meter.run(&keyed, START), Decision::Admitted(_)));
    assert!(State::default().standings(START).is_empty());
}

#[test]
fn a_meter_the_plan_lacks_is_refused_for_the_plan() {
    let mut meter = Meter::on(trial(1));
    let emails = Reserve { amounts: Amounts { emails: 1, ..Amounts::ZERO }, ..chat(1, 0) };
    assert_eq!(
        meter.run(&Command::Reserve(emails), START),
        Decision::Refused(Refusal::NotIncluded { meter: MeterName::Emails, plan: Plan::Trial })
    );
}

#[test]
fn a_revoked_session_is_refused_until_its_tokens_are_dead() {
    let mut meter = Meter::on(trial(1));
    let until = START.plus_millis(900_000);
    meter.run(&Command::RevokeSession { session: session(1), until }, START);
    let with = |number, who| Command::Reserve(Reserve { session: Some(session(who)), ..chat(number, 1) });
    assert_eq!(meter.run(&with(1, 1), START), Decision::Refused(Refusal::SessionRevoked));
    assert!(matches!(meter.run(&with(2, 2), START), Decision::Admitted(_)));
    meter.run(&with(3, 2), until);
    assert!(!meter.state.is_revoked(session(1)));
}

#[test]
fn a_new_month_starts_from_nothing_and_old_holds_stay_in_the_old() {
    let mut meter = Meter::on(pro(1, START));
    meter.run(&Command::Reserve(chat(1, 999_990)), START);
    let next = (Terms::Monthly { anchor: START }).period(START).end;
    assert!(matches!(meter.run(&Command::Reserve(chat(2, 100)), next.plus_millis(-1)), Decision::Refused(_)));
    assert!(matches!(meter.run(&Command::Reserve(chat(3, 999_000)), next), Decision::Admitted(_)));
    meter.run(&settle(1, 999_990), next);
    let tokens = meter.standing(MeterName::Tokens, next);
    assert_eq!((tokens.used, tokens.reserved), (0, 999_000));
}

#[test]
fn a_clock_that_jumps_back_moves_nothing_back() {
    let mut meter = Meter::on(trial(1));
    let end = START.plus_days(7);
    meter.run(&Command::Reserve(chat(1, 1)), end.plus_millis(-1));
    meter.run(&Command::Expire, end.plus_days(1));
    assert!(matches!(meter.run(&Command::Reserve(chat(2, 1)), START), Decision::Refused(Refusal::TrialExpired { .. })));
}

#[derive(Debug, Clone)]
enum Step {
    Reserve { number: u64, tokens: u64, key: Option<u8>, session: Option<u8> },
    Settle { number: u64, tokens: u64 },
    Release { number: u64 },
    Expire,
    Plan { version: u64, pro: bool },
    Revoke { session: u8 },
    Forget,
}

fn step() -> impl Strategy<Value = (Step, i64)> {
    let number = 0_u64..40;
    let tokens = prop_oneof![0_u64..2_000, 20_000_u64..60_000];
    let step = prop_oneof![
        6 => (number.clone(), tokens.clone(), proptest::option::of(0_u8..6), proptest::option::of(0_u8..3))
            .prop_map(|(number, tokens, key, session)| Step::Reserve { number, tokens, key, session }),
        4 => (number.clone(), tokens).prop_map(|(number, tokens)| Step::Settle { number, tokens }),
        2 => number.prop_map(|number| Step::Release { number }),
        2 => Just(Step::Expire),
        1 => (0_u64..6, any::<bool>()).prop_map(|(version, pro)| Step::Plan { version, pro }),
        1 => (0_u8..3).prop_map(|session| Step::Revoke { session }),
        1 => Just(Step::Forget),
    ];
    // Mostly small steps, sometimes days, sometimes a clock that jumps back.
    let gap = prop_oneof![8 => 0_i64..5_000, 2 => 0_i64..120_000, 1 => -60_000_i64..0, 1 => 0_i64..(40 * DAY_MS)];
    (step, gap)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("METER_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000)
    ))]

    #[test]
    fn the_invariants_hold_under_any_interleaving(steps in proptest::collection::vec(step(), 1..120)) {
        let mut meter = Meter::on(trial(1));
        let mut clock = START;
        let mut decisions: HashMap<u8, (Timestamp, Decision)> = HashMap::new();
        let mut used_ids = std::collections::HashSet::new();
        for (step, gap) in steps {
            clock = clock.plus_millis(gap);
            let now = meter.state.now(clock);
            let command = match step {
                // Ids are drawn at random by the shell and never come twice.
                Step::Reserve { number, .. } if !used_ids.insert(number) => continue,
                Step::Reserve { number, tokens, key, session: who } => Command::Reserve(Reserve {
                    session: who.map(session),
                    key: key.map(|key| key.to_string()),
                    fingerprint: String::new(),
                    ..chat(number, tokens)
                }),
                Step::Settle { number, tokens } => settle(number, tokens),
                Step::Release { number } => Command::Release(reservation(number)),
                Step::Expire => Command::Expire,
                Step::Plan { version, pro: true } => Command::Configure(pro(version, now)),
                Step::Plan { version, pro: false } => Command::Configure(trial(version)),
                Step::Revoke { session: who } => Command::RevokeSession { session: session(who), until: now.plus_millis(900_000) },
                // A crash: the memory is lost, the ledger is not.
                Step::Forget => { meter.state = meter.replay(); continue; }
            };
            let before = meter.state.clone();
            let decision = meter.run(&command, clock);

            if let (Command::Reserve(reserve), Decision::Admitted(admitted)) = (&command, &decision) {
                for standing in meter.state.standings(now) {
                    if reserve.amounts.get(standing.meter) > 0 && let Some(limit) = standing.limit {
                        prop_assert!(standing.used + standing.reserved <= limit, "{standing:?} after {reserve:?}");
                    }
                }
                prop_assert_eq!(&admitted.standing, &meter.state.standings(now), "the answer tells the state");
            }
            if let Command::Reserve(reserve) = &command && let Some(key) = &reserve.key {
                let key: u8 = key.parse().unwrap();
                match (&decision, decisions.get(&key)) {
                    (Decision::Refused(Refusal::SessionRevoked | Refusal::NotConfigured), _) => {}
                    (again, Some((at, first))) if at.plus_millis(IDEMPOTENCY_WINDOW_MS) > now => {
                        let same = match (first, again) {
                            (Decision::Admitted(first), Decision::AdmittedBefore(again)) => first.id == again.id,
                            (Decision::Refused(first), Decision::Refused(again)) => first == again,
                            _ => false,
                        };
                        prop_assert!(same, "first {first:?}, then {again:?}");
                    }
                    (first, _) => { decisions.insert(key, (now, first.clone())); }
                }
            }
            if matches!(decision, Decision::Refused(_) | Decision::AdmittedBefore(_)) {
                prop_assert_eq!(before.standings(now), meter.state.standings(now), "a refusal changed a counter");
            }
            prop_assert_eq!(&meter.replay(), &meter.state, "replay of the ledger is the state");
            let held = meter.state.held.values().filter(|hold| hold.period_start == meter.state.period_start)
                .fold(Amounts::ZERO, |sum, hold| sum.plus(hold.amounts));
            prop_assert_eq!(held, meter.state.reserved, "the sum of the holds");
            let stored: State = serde_json::from_str(&serde_json::to_string(&meter.state).unwrap()).unwrap();
            prop_assert_eq!(&stored, &meter.state, "the checkpoint is lossless");
        }
    }
}
