//! Random interleavings of commands, retries, crashes, clock jumps and plan changes.

use proptest::prelude::*;

use super::*;
use crate::{clock_leap::Leaping as _, time::DAY_MS};

/// Four plans that differ in kind: a trial, one with overage, one with a rate limit, a plain one.
fn plan(kind: u8, version: u64, now: Timestamp) -> Entitlement {
    match kind {
        0 => trial(version),
        1 => Entitlement {
            limits: Limits {
                tokens: Limit::Soft { included: 40_000, ceiling: Some(90_000) },
                ..limits(Product::Agent, Plan::Pro).unwrap()
            },
            ..pro(version, START)
        },
        2 => Entitlement { rate: Some(RateLimit { per_minute: 120, burst: 4 }), ..pro(version, START) },
        _ => pro(version, now),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Reserve { number: u64, tokens: u64, key: Option<u8>, session: Option<u8>, with: Option<(u8, bool, bool)> },
    Settle { number: u64, tokens: u64 },
    Release { number: u64 },
    Expire,
    Plan { version: u64, kind: u8 },
    Revoke { session: u8 },
    KnowKey { key: u8, lasts_ms: Option<i64>, slow: bool },
    RevokeKey { key: u8 },
    Grant { number: u8, requests: bool, amount: u64, days: i64 },
    Forget,
}

/// With which key, whether its secret is right, and whether what is asked for is among its scopes.
fn credentials() -> impl Strategy<Value = Option<(u8, bool, bool)>> {
    let mostly = || prop_oneof![4 => Just(true), 1 => Just(false)];
    proptest::option::of((0_u8..3, mostly(), mostly()))
}

fn step() -> impl Strategy<Value = (Step, i64)> {
    let number = 0_u64..40;
    let tokens = prop_oneof![0_u64..2_000, 20_000_u64..60_000];
    let step = prop_oneof![
        6 => (number.clone(), tokens.clone(), proptest::option::of(0_u8..6), proptest::option::of(0_u8..3), credentials())
            .prop_map(|(number, tokens, key, session, with)| Step::Reserve { number, tokens, key, session, with }),
        4 => (number.clone(), tokens).prop_map(|(number, tokens)| Step::Settle { number, tokens }),
        2 => number.prop_map(|number| Step::Release { number }),
        2 => Just(Step::Expire),
        1 => (0_u64..6, 0_u8..4).prop_map(|(version, kind)| Step::Plan { version, kind }),
        1 => (0_u8..3).prop_map(|session| Step::Revoke { session }),
        2 => (0_u8..3, proptest::option::of(-1_000_i64..60_000), any::<bool>())
            .prop_map(|(key, lasts_ms, slow)| Step::KnowKey { key, lasts_ms, slow }),
        1 => (0_u8..3).prop_map(|key| Step::RevokeKey { key }),
        1 => (0_u8..5, any::<bool>(), 0_u64..30_000, 0_i64..50)
            .prop_map(|(number, requests, amount, days)| Step::Grant { number, requests, amount, days }),
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
        // What anybody may know of the keys: their earliest end, and until when they are revoked.
        let mut ends: HashMap<u8, i64> = HashMap::new();
        let mut revoked: HashMap<u8, Timestamp> = HashMap::new();
        // A command that changes nothing leaves no instant behind, so the meter's own may be before it.
        let mut latest = START;
        for (step, gap) in steps {
            clock = clock.plus_millis(gap);
            let now = meter.state.now(clock);
            latest = latest.max(now);
            let command = match step {
                // Ids are drawn at random by the shell and never come twice.
                Step::Reserve { number, .. } if !used_ids.insert(number) => continue,
                Step::Reserve { number, tokens, key, session: who, with } => Command::Reserve(Reserve {
                    session: who.map(session),
                    credential: with.map(|(number, right, may)| Credential {
                        scope: Scope::full(if may { Resource::Chat } else { Resource::Usage }),
                        ..credential(number, if right { number } else { 99 })
                    }),
                    key: key.map(|key| key.to_string()),
                    fingerprint: String::new(),
                    ..chat(number, tokens)
                }),
                Step::Settle { number, tokens } => settle(number, tokens),
                Step::Release { number } => Command::Release(reservation(number)),
                Step::Expire => Command::Expire,
                Step::Plan { version, kind } => Command::Configure(plan(kind, version, now)),
                Step::Grant { number, requests, amount, days } => {
                    let meter = if requests { MeterName::Requests } else { MeterName::Tokens };
                    Command::Grant(grant(number, meter, amount, START.plus_days(days)))
                }
                Step::Revoke { session: who } => Command::RevokeSession { session: session(who), until: now.plus_millis(900_000) },
                Step::KnowKey { key, lasts_ms, slow } => {
                    let end = lasts_ms.map(|lasts| now.plus_millis(lasts));
                    // A revoked key is not told of again once nobody can be on the way with it; the test keeps to that.
                    if revoked.get(&key).is_some_and(|until| *until <= now) { continue; }
                    let earliest = ends.entry(key).or_insert(i64::MAX);
                    *earliest = end.map_or(*earliest, |end| end.as_millis().min(*earliest));
                    // Nor is one told of that was over before.
                    if *earliest <= latest.as_millis() && end.is_none_or(|end| end.as_millis() > *earliest) { continue; }
                    let rate = slow.then_some(RateLimit { per_minute: 60, burst: 2 });
                    Command::KnowKey(MeterKey { expires_at: end, rate, ..meter_key(key) })
                }
                Step::RevokeKey { key } => {
                    let until = now.plus_millis(REVOKED_KEY_MS);
                    revoked.insert(key, until);
                    Command::RevokeKey { key: api_key(key), until }
                }
                // A crash: the memory is lost, the ledger is not.
                Step::Forget => { meter.state = meter.replay(); continue; }
            };
            let before = meter.state.clone();
            let decision = meter.run(&command, clock);

            if let (Command::Reserve(reserve), Decision::Admitted(admitted)) = (&command, &decision) {
                for standing in meter.state.standings(now) {
                    if reserve.amounts.get(standing.meter) > 0 && let Some(ceiling) = standing.ceiling {
                        prop_assert!(standing.used + standing.reserved <= ceiling, "{standing:?} after {reserve:?}");
                    }
                }
                prop_assert_eq!(&admitted.standing, &meter.state.standings(now), "the answer tells the state");
            }
            if let (Command::Reserve(Reserve { credential: Some(with), .. }), Decision::Admitted(_) | Decision::AdmittedBefore(_)) = (&command, &decision) {
                let number = (0..3).find(|number| api_key(*number) == with.key).unwrap();
                prop_assert_eq!(*with, credential(number, number), "the right secret, and a scope of its own");
                prop_assert!(!revoked.contains_key(&number), "revoked");
                prop_assert!(ends.get(&number).is_some_and(|end| *end > now.as_millis()), "known, and not over");
            }
            if let Command::Reserve(reserve) = &command && let Some(key) = &reserve.key {
                let key: u8 = key.parse().unwrap();
                match (&decision, decisions.get(&key)) {
                    (Decision::Refused(refusal), _) if refusal.is_passing() => {}
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
            let due: std::collections::BTreeSet<_> = meter.state.held.iter().map(|(id, hold)| (hold.until.as_millis(), *id)).collect();
            prop_assert_eq!(&due, &meter.state.due, "the holds by expiry");
            for held in meter.state.grants().iter() {
                prop_assert!(held.drawn_before + held.drawn <= held.grant.amount, "{held:?}");
            }
            let mut told = std::collections::HashSet::new();
            for mark in meter.marks_of_this_period() {
                prop_assert!(told.insert(mark), "{mark:?} twice");
            }
            let stored: State = serde_json::from_str(&serde_json::to_string(&meter.state).unwrap()).unwrap();
            prop_assert_eq!(&stored, &meter.state, "the checkpoint is lossless");
        }
    }
}
