//! Models that answer as much as they may, many at once: what can still be produced never exceeds what is left.

use proptest::prelude::*;

use super::*;
use crate::time::DAY_MS;

/// A request without `max_tokens`, of a model that can answer `wanted`.
fn open_ended(number: u64, prompt: u64, wanted: u64) -> Reserve {
    Reserve {
        answer: Some(AnswerRoom { wanted, least: 256 }),
        request_id: format!("req_{number}"),
        ..chat(number, prompt)
    }
}

fn admitted(decision: Decision) -> Option<Admitted> {
    match decision {
        Decision::Admitted(admitted) => Some(admitted),
        _ => None,
    }
}

#[test]
fn a_hundred_at_once_order_no_more_than_the_trial_has() {
    let mut meter = Meter::on(trial(1));
    let ordered: u64 = (0..100)
        .filter_map(|number| admitted(meter.run(&Command::Reserve(open_ended(number, 10, 128_000)), START)))
        .map(|admitted| admitted.amounts.tokens)
        .sum();
    assert!((45_000..=50_000).contains(&ordered), "{ordered} of 50,000");
    // All of them answer as much as they may.
    for number in 0..100 {
        let held = meter.state.held.get(&reservation(number)).map_or(0, |hold| hold.amounts.tokens);
        meter.run(&settle(number, held), START);
    }
    assert_eq!(meter.standing(MeterName::Tokens, START).used, ordered);
}

#[test]
fn where_no_hard_limit_stands_the_typical_answer_is_held() {
    let unlimited =
        Entitlement { limits: Limits { tokens: Limit::Unlimited, ..pro(1, START).limits }, ..pro(1, START) };
    let soft = Limit::Soft { included: 1_000, ceiling: None };
    let overage = Entitlement { limits: Limits { tokens: soft, ..pro(1, START).limits }, ..pro(1, START) };
    for plan in [unlimited, overage] {
        let mut meter = Meter::on(plan);
        let admitted = admitted(meter.run(&Command::Reserve(open_ended(1, 10, 128_000)), START)).unwrap();
        assert_eq!(admitted.amounts.tokens, 266);
    }
}

#[test]
fn a_retry_under_its_key_has_the_same_room() {
    let mut meter = Meter::on(trial(1));
    let keyed = Command::Reserve(Reserve { key: Some("k".into()), ..open_ended(1, 10, 128_000) });
    let Decision::Admitted(first) = meter.run(&keyed, START) else { panic!() };
    meter.run(&Command::Reserve(open_ended(2, 10, 128_000)), START);
    let Decision::AdmittedBefore(again) = meter.run(&keyed, START) else { panic!() };
    assert_eq!(first.amounts, again.amounts);
}

#[test]
fn a_hold_that_is_never_settled_can_be_found_by_its_request() {
    let mut meter = Meter::on(trial(1));
    meter.run(&Command::Reserve(open_ended(7, 10, 500)), START);
    meter.run(&Command::Expire, START.plus_millis(60_000));
    let expired = meter.entries.iter().find_map(|(_, event)| match event {
        Event::Expired { request_id, .. } => Some(request_id.as_str()),
        _ => None,
    });
    assert_eq!(expired, Some("req_7"));
}

#[test]
fn rows_and_checkpoints_of_before_are_read() {
    let id = reservation(1);
    let reserved = format!(r#"{{"kind":"reserved","data":{{"id":"{id}","amounts":{{"tokens":5}},"expires_at":0}}}}"#);
    assert!(
        matches!(serde_json::from_str(&reserved).unwrap(), Event::Reserved { request_id, .. } if request_id.is_empty())
    );
    let expired = format!(r#"{{"kind":"expired","data":{{"id":"{id}","amounts":{{"tokens":5}}}}}}"#);
    assert!(
        matches!(serde_json::from_str(&expired).unwrap(), Event::Expired { request_id, .. } if request_id.is_empty())
    );
    let hold = r#"{"amounts":{"tokens":5},"until":0,"period_start":0}"#;
    assert_eq!(serde_json::from_str::<Hold>(hold).unwrap().request_id, "");
    let asked = format!(r#"{{"id":"{id}","amounts":{{"tokens":5}},"ttl_ms":1}}"#);
    assert_eq!(serde_json::from_str::<Reserve>(&asked).unwrap().answer, None);
}

#[test]
fn what_cannot_be_true_locks_nobody_out_for_good() {
    let mut meter = Meter::on(pro(1, START));
    meter.run(&Command::Reserve(chat(1, 10)), START);
    meter.run(&settle(1, u64::MAX), START);
    assert_eq!(
        meter.standing(MeterName::Tokens, START).used,
        10,
        "what was held stands: nobody is locked out even for a month"
    );
    meter.run(&Command::Reserve(chat(2, 10)), START.plus_days(40));
    assert!(meter.standing(MeterName::Tokens, START.plus_days(40)).used == 0, "the next month begins from nothing");
}

#[derive(Debug, Clone)]
enum Step {
    /// A prompt that is really `error` tokens longer than its estimate, and `max_tokens` if the client names one.
    Ask {
        prompt: u64,
        error: u64,
        named: Option<u64>,
        wanted: u64,
        key: Option<u8>,
    },
    /// The model answers this share of what it may, in percent.
    Answer {
        which: prop::sample::Index,
        percent: u64,
    },
    Fail {
        which: prop::sample::Index,
    },
    Expire,
    Upgrade,
}

fn step() -> impl Strategy<Value = (Step, i64)> {
    let which = any::<prop::sample::Index>();
    let step = prop_oneof![
        8 => (0_u64..3_000, 0_u64..50, proptest::option::weighted(0.3, 1_u64..60_000), 1_u64..200_000, proptest::option::weighted(0.2, 0_u8..4))
            .prop_map(|(prompt, error, named, wanted, key)| Step::Ask { prompt, error, named, wanted, key }),
        5 => (which.clone(), prop_oneof![Just(100_u64), 0_u64..100]).prop_map(|(which, percent)| Step::Answer { which, percent }),
        1 => which.prop_map(|which| Step::Fail { which }),
        1 => Just(Step::Expire),
        1 => Just(Step::Upgrade),
    ];
    (step, prop_oneof![9 => 0_i64..20_000, 1 => 0_i64..(2 * DAY_MS)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("METER_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000)
    ))]

    #[test]
    fn under_any_interleaving_answers_never_exceed_what_is_left(steps in proptest::collection::vec(step(), 1..150)) {
        let mut meter = Meter::on(trial(1));
        let mut clock = START;
        // What each request may still make the provider produce, and by how much its prompt was misjudged.
        let mut open: Vec<(ReservationId, u64, u64)> = Vec::new();
        let (mut number, mut misjudged, mut version) = (0, 0, 1);
        for (step, gap) in steps {
            clock = clock.plus_millis(gap);
            let period = meter.state.period_start;
            match step {
                Step::Ask { prompt, error, named, wanted, key } => {
                    number += 1;
                    let reserve = match named {
                        Some(named) => chat(number, prompt + named),
                        None => open_ended(number, prompt, wanted),
                    };
                    let key = key.map(|key| key.to_string());
                    if let Some(admitted) = admitted(meter.run(&Command::Reserve(Reserve { key, ..reserve.clone() }), clock)) {
                        let may = admitted.amounts.tokens - prompt;
                        prop_assert!(named.is_some() || (256.min(wanted)..=wanted).contains(&may), "{may} of {wanted}");
                        open.push((admitted.id, admitted.amounts.tokens, error));
                    }
                }
                Step::Answer { which, percent } if !open.is_empty() => {
                    let (id, held, error) = open.swap_remove(which.index(open.len()));
                    misjudged += error;
                    let amounts = Amounts { requests: 1, tokens: held * percent / 100 + error, emails: 0 };
                    meter.run(&Command::Settle(Settle { id, amounts, detail: UsageDetail::default() }), clock);
                }
                Step::Fail { which } if !open.is_empty() => {
                    let (id, ..) = open.swap_remove(which.index(open.len()));
                    meter.run(&Command::Release(id), clock);
                }
                Step::Answer { .. } | Step::Fail { .. } => {}
                Step::Expire => { meter.run(&Command::Expire, clock); }
                Step::Upgrade => {
                    version += 1;
                    if version == 2 { meter.run(&Command::Configure(pro(version, START)), clock); }
                }
            }
            if meter.state.period_start != period { misjudged = 0; }
            for standing in meter.state.standings(clock) {
                if let (MeterName::Requests | MeterName::Tokens, Some(limit)) = (standing.meter, standing.limit) {
                    let slack = if standing.meter == MeterName::Tokens { misjudged } else { 0 };
                    prop_assert!(standing.used + standing.reserved <= limit + slack, "{standing:?}, misjudged {misjudged}");
                }
            }
        }
    }
}

#[test]
fn the_table_of_rooms_is_what_the_documents_say() {
    let rooms = |left: u64, count: u64| -> Vec<u64> {
        let limits = Limits { requests: Limit::Unlimited, tokens: Limit::Hard(left), emails: Limit::NotIncluded };
        let mut meter = Meter::on(Entitlement { limits, ..pro(1, START) });
        let ask = |number| Command::Reserve(open_ended(number, 10, 128_000));
        (0..count)
            .filter_map(|number| admitted(meter.run(&ask(number), START)))
            .map(|admitted| admitted.amounts.tokens - 10)
            .collect()
    };
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/METERING.md")).unwrap();
    let thousands = |number: u64| {
        let digits = number.to_string();
        let mut out = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                out.push(',');
            }
            out.push(digit);
        }
        out
    };
    for (left, plan) in [(50_000, "trial"), (1_000_000, "pro"), (2_500_000, "plus")] {
        let (alone, tenth) = (rooms(left, 1)[0], rooms(left, 10)[9]);
        let admitted = rooms(left, 100).len();
        let row = format!(
            "| {} ({plan}) | {} | {} | {admitted} are admitted |",
            thousands(left),
            thousands(alone),
            thousands(tenth)
        );
        assert!(page.contains(&row), "docs/METERING.md lacks: {row}");
    }
}
