//! A team whose models answer as much as they may, many at once, while its leases are lost, doubled and late: what can
//! still be produced never exceeds what the team has left.

use super::*;

/// A team that has so many tokens, and requests without end.
fn of_tokens(limit: u64) -> Entitlement {
    Entitlement {
        limits: Limits { requests: Limit::Unlimited, tokens: Limit::Hard(limit), ..Limits::default() },
        ..team(1, 1)
    }
}

const fn tokens(tokens: u64) -> Amounts {
    Amounts { tokens, ..Amounts::ZERO }
}

const LEAST: u64 = 256;

#[derive(Debug, Clone)]
enum Step {
    /// A request without `max_tokens` whose prompt is really `error` tokens longer than its estimate.
    Request {
        seat: usize,
        prompt: u64,
        error: u64,
        wanted: u64,
    },
    /// The model answers this share of what it may, in percent.
    Answer {
        seat: usize,
        which: prop::sample::Index,
        percent: u64,
    },
    Fail {
        seat: usize,
        which: prop::sample::Index,
    },
    SendAsk {
        seat: usize,
        needed: u64,
        waiting: u64,
    },
    Traffic(Traffic),
}

fn step() -> impl Strategy<Value = Step> {
    let (seat, which) = (0..SEATS, any::<prop::sample::Index>());
    prop_oneof![
        8 => (seat.clone(), 0_u64..3_000, 0_u64..50, 1_u64..200_000)
            .prop_map(|(seat, prompt, error, wanted)| Step::Request { seat, prompt, error, wanted }),
        5 => (seat.clone(), which.clone(), prop_oneof![Just(100_u64), 0_u64..100])
            .prop_map(|(seat, which, percent)| Step::Answer { seat, which, percent }),
        1 => (seat.clone(), which.clone()).prop_map(|(seat, which)| Step::Fail { seat, which }),
        5 => (seat, 1_u64..5_000, 0_u64..20_000)
            .prop_map(|(seat, needed, waiting)| Step::SendAsk { seat, needed, waiting }),
        // Within one month, so that what was misjudged is counted against the period that it belongs to.
        TRAFFIC_WEIGHT => traffic(0_i64..400_000).prop_map(Step::Traffic),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("METER_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000)
    ))]

    #[test]
    fn a_team_s_answers_never_exceed_what_it_has_left(
        limit in 1_000_u64..100_000,
        steps in proptest::collection::vec(step(), 1..150),
    ) {
        let mut team = Team::on(&of_tokens(limit));
        // What each request of each member holds, and by how much its prompt was misjudged.
        let mut open: [Vec<(ReservationId, u64, u64)>; SEATS] = Default::default();
        let mut misjudged = 0;
        for step in steps {
            match step {
                Step::Request { seat, prompt, error, wanted } => {
                    let room = AnswerRoom { wanted, least: LEAST };
                    let (id, decision) = team.reserve_with_room(seat, tokens(prompt), Some(room));
                    if let Decision::Admitted(admitted) = decision {
                        let may = admitted.amounts.tokens - prompt;
                        prop_assert!((LEAST.min(wanted)..=wanted).contains(&may), "{may} of {wanted}");
                        open[seat].push((id, admitted.amounts.tokens, error));
                    }
                }
                Step::Answer { seat, which, percent } if !open[seat].is_empty() => {
                    let at = which.index(open[seat].len());
                    let (id, held, error) = open[seat].swap_remove(at);
                    misjudged += error;
                    let amounts = tokens(held * percent / 100 + error);
                    let clock = team.clock;
                    team.seats[seat].run(&Command::Settle(Settle { id, amounts, detail: UsageDetail::default() }), clock);
                }
                Step::Fail { seat, which } if !open[seat].is_empty() => {
                    let at = which.index(open[seat].len());
                    let (id, ..) = open[seat].swap_remove(at);
                    let clock = team.clock;
                    team.seats[seat].run(&Command::Release(id), clock);
                }
                Step::Answer { .. } | Step::Fail { .. } => {}
                Step::SendAsk { seat, needed, waiting } => {
                    let ask = team.seats[seat].ask_for(seat, tokens(needed), tokens(waiting), team.clock);
                    team.asks.push(ask);
                }
                Step::Traffic(traffic) => team.pass(&traffic),
            }
            let in_use = team.all_in_use().tokens;
            prop_assert!(in_use <= limit + misjudged, "{in_use} of {limit} in use, misjudged {misjudged}");
        }
    }
}
