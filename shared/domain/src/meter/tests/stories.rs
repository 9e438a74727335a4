//! The stories behind single rules.

use super::*;

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
    meter.run(&Command::Expire, end.plus_millis(60_000));
    let before = end.plus_millis(-60_000);
    assert!(matches!(
        meter.run(&Command::Reserve(chat(2, 1)), before),
        Decision::Refused(Refusal::TrialExpired { .. })
    ));
}

#[test]
fn overage_is_counted_and_never_refused_up_to_its_ceiling() {
    let soft = |ceiling| Entitlement {
        limits: Limits {
            requests: Limit::Unlimited,
            tokens: Limit::Soft { included: 100, ceiling },
            ..Limits::default()
        },
        ..pro(1, START)
    };
    let mut meter = Meter::on(soft(None));
    meter.run(&Command::Reserve(chat(1, 90)), START);
    meter.run(&settle(1, 90), START);
    assert!(matches!(meter.run(&Command::Reserve(chat(2, 5_000)), START), Decision::Admitted(_)));
    meter.run(&settle(2, 5_000), START);
    let tokens = meter.standing(MeterName::Tokens, START);
    assert_eq!((tokens.remaining(), tokens.admissible(), tokens.overage()), (Some(0), None, 4_990));
    assert_eq!(meter.marks(), [(MeterName::Tokens, 90), (MeterName::Tokens, 100)]);

    let mut capped = Meter::on(soft(Some(150)));
    assert!(matches!(capped.run(&Command::Reserve(chat(1, 150)), START), Decision::Admitted(_)));
    assert!(matches!(
        capped.run(&Command::Reserve(chat(2, 1)), START),
        Decision::Refused(Refusal::QuotaExceeded { .. })
    ));
    let tokens = capped.standing(MeterName::Tokens, START);
    assert_eq!((tokens.limit, tokens.ceiling, tokens.admissible()), (Some(100), Some(150), Some(0)));
}

#[test]
fn a_top_up_is_used_after_the_plan_and_outlives_the_period() {
    let mut meter = Meter::on(pro(1, START));
    let expires_at = START.plus_days(60);
    meter.run(&Command::Grant(grant(1, MeterName::Requests, 10, expires_at)), START);
    for number in 0..1_004 {
        assert!(matches!(meter.run(&Command::Reserve(chat(number, 1)), START), Decision::Admitted(_)), "{number}");
        meter.run(&settle(number, 1), START);
    }
    let requests = meter.standing(MeterName::Requests, START);
    assert_eq!((requests.limit, requests.used, requests.remaining()), (Some(1_010), 1_004, Some(6)));
    // The same push again is known.
    meter.run(&Command::Grant(grant(1, MeterName::Requests, 10, expires_at)), START);
    assert_eq!(meter.standing(MeterName::Requests, START).remaining(), Some(6));
    // Next month: the plan anew, and what is left of the grant.
    let next = pro(1, START).terms.period(START).end;
    assert_eq!(meter.standing(MeterName::Requests, next).limit, Some(1_006));
    meter.run(&Command::Expire, next);
    meter.run(&Command::Reserve(chat(2_000, 1)), next);
    assert_eq!(meter.standing(MeterName::Requests, next).limit, Some(1_006));
    assert_eq!(meter.standing(MeterName::Requests, expires_at).limit, Some(1_000));
}

#[test]
fn an_upgrade_gives_back_what_was_drawn() {
    let mut meter = Meter::on(trial(1));
    meter.run(&Command::Grant(grant(1, MeterName::Tokens, 10_000, START.plus_days(90))), START);
    meter.run(&Command::Reserve(chat(1, 55_000)), START);
    meter.run(&settle(1, 55_000), START);
    assert_eq!(meter.state.grants().iter().map(|held| held.drawn).sum::<u64>(), 5_000);
    let larger = Entitlement { limits: limits(Product::Agent, Plan::Pro).unwrap(), ..trial(2) };
    meter.run(&Command::Configure(larger), START);
    assert_eq!(meter.state.grants().iter().map(|held| held.drawn).sum::<u64>(), 0);
}

#[test]
fn a_mark_is_told_once_in_a_period_and_again_in_the_next() {
    let mut meter = Meter::on(pro(1, START));
    let use_tokens = |meter: &mut Meter, number, tokens, at| {
        meter.run(&Command::Reserve(chat(number, tokens)), at);
        meter.run(&settle(number, tokens), at);
    };
    use_tokens(&mut meter, 1, 799_999, START);
    assert_eq!(meter.marks(), []);
    use_tokens(&mut meter, 2, 1, START);
    use_tokens(&mut meter, 3, 10_000, START);
    assert_eq!(meter.marks(), [(MeterName::Tokens, 80)]);
    // Two at once: the higher one says it all.
    use_tokens(&mut meter, 4, 190_000, START);
    assert_eq!(meter.marks()[1..], [(MeterName::Tokens, 100)]);
    let next = pro(1, START).terms.period(START).end;
    use_tokens(&mut meter, 5, 900_000, next);
    assert_eq!(meter.marks()[2..], [(MeterName::Tokens, 90)]);
}

#[test]
fn rates_of_the_user_and_of_the_key_are_kept_apart_and_survive_a_restart() {
    let limit = RateLimit { per_minute: 60, burst: 3 };
    let mut meter = Meter::on(Entitlement { rate: Some(limit), ..pro(1, START) });
    let slow = RateLimit { per_minute: 1, burst: 1 };
    meter.run(&Command::KnowKey(MeterKey { rate: Some(slow), ..meter_key(1) }), START);
    let with_key = |number, credential| Command::Reserve(Reserve { credential, ..chat(number, 1) });
    let slowly = Some(credential(1, 1));
    assert!(matches!(meter.run(&with_key(1, slowly), START), Decision::Admitted(_)));
    meter.state = meter.replay();
    assert_eq!(
        meter.run(&with_key(2, slowly), START),
        Decision::Refused(Refusal::RateLimited {
            limit: slow,
            bucket: Bucket::ApiKey(api_key(1)),
            retry_after_ms: 60_000
        })
    );
    // A refusal takes nothing from the other bucket.
    assert!(matches!(meter.run(&with_key(3, None), START), Decision::Admitted(_)));
    assert!(matches!(meter.run(&with_key(4, None), START), Decision::Admitted(_)));
    let Decision::Refused(refusal @ Refusal::RateLimited { bucket: Bucket::User, retry_after_ms: 1_000, .. }) =
        meter.run(&with_key(5, None), START)
    else {
        panic!("not limited");
    };
    assert!(refusal.is_passing());
    assert!(matches!(meter.run(&with_key(6, None), START.plus_millis(1_000)), Decision::Admitted(_)));
}

#[test]
fn a_retry_after_too_many_requests_is_a_new_decision() {
    let limit = RateLimit { per_minute: 60, burst: 1 };
    let mut meter = Meter::on(Entitlement { rate: Some(limit), ..pro(1, START) });
    let keyed = |number| Command::Reserve(Reserve { key: Some("k".into()), ..chat(number, 1) });
    meter.run(&Command::Reserve(chat(1, 1)), START);
    assert!(matches!(meter.run(&keyed(2), START), Decision::Refused(Refusal::RateLimited { .. })));
    assert!(matches!(meter.run(&keyed(3), START.plus_millis(1_000)), Decision::Admitted(_)));
    // The repetition of a decision costs no rate.
    assert!(matches!(meter.run(&keyed(4), START.plus_millis(1_000)), Decision::AdmittedBefore(_)));
}

#[test]
fn under_a_pool_a_member_admits_what_was_leased_and_no_more() {
    let team = Entitlement { pooled: true, plan: Plan::Teams, ..pro(1, START) };
    let period = team.terms.period(START);
    let mut meter = Meter::on(team);
    let reserve = |number| Command::Reserve(chat(number, 10));
    let Decision::Short { needed } = meter.run(&reserve(1), START) else { panic!("a lease from nowhere") };
    assert_eq!(needed, Amounts { requests: 1, tokens: 10, emails: 0 });
    let lease = |requests, tokens| {
        let granted = Amounts { requests, tokens, emails: 0 };
        Command::Lease(LeaseGrant { period, granted, free: Amounts { requests: 7, tokens: 70, emails: 0 } })
    };
    meter.run(&lease(2, 25), START);
    // The same message again, and an older one that comes late.
    meter.run(&lease(2, 25), START);
    meter.run(&lease(1, 10), START);
    assert!(matches!(meter.run(&reserve(1), START), Decision::Admitted(_)));
    assert!(matches!(meter.run(&reserve(2), START), Decision::Admitted(_)));
    assert!(matches!(meter.run(&reserve(3), START), Decision::Short { .. }));
    assert_eq!(meter.standing(MeterName::Requests, START).limit, Some(9));
    assert_eq!(meter.standing(MeterName::Requests, START).admissible(), Some(7));
    // It settles below its estimate: the rest can be given back, once.
    meter.run(&settle(1, 4), START);
    meter.run(&Command::ReturnIdle, START);
    let returned = meter.state.lease(START).unwrap().returned;
    assert_eq!(returned, Amounts { requests: 0, tokens: 11, emails: 0 });
    meter.run(&Command::ReturnIdle, START);
    assert_eq!(meter.state.lease(START).unwrap().returned, returned);
    // A lease ends with its period.
    assert!(matches!(meter.run(&reserve(4), period.end), Decision::Short { .. }));
    assert_eq!(meter.state.lease(period.end), None);
    meter.run(&lease(50, 500), period.end);
    assert!(matches!(meter.run(&reserve(4), period.end), Decision::Short { .. }), "an old period's lease");
}

#[test]
fn a_pool_that_has_nothing_is_remembered_under_the_key_unless_the_key_was_decided_meanwhile() {
    let team = Entitlement { pooled: true, ..pro(1, START) };
    let mut meter = Meter::on(team);
    let keyed = |number, key: &str| Reserve { key: Some(key.into()), ..chat(number, 10) };
    let standing = meter.standing(MeterName::Requests, START);
    let refusal = Refusal::QuotaExceeded { standing, requested: 1, plan: Plan::Teams };
    let refused = meter.run(&Command::Refuse(keyed(1, "a"), refusal.clone()), START);
    assert_eq!(refused, Decision::Refused(refusal.clone()));
    let granted = Amounts { requests: 5, tokens: 500, emails: 0 };
    let period = team.terms.period(START);
    meter.run(&Command::Lease(LeaseGrant { period, granted, free: Amounts::ZERO }), START);
    assert_eq!(meter.run(&Command::Reserve(keyed(2, "a")), START), Decision::Refused(refusal.clone()));
    meter.run(&Command::Reserve(keyed(3, "b")), START);
    assert!(matches!(meter.run(&Command::Refuse(keyed(4, "b"), refusal), START), Decision::AdmittedBefore(_)));
}

#[test]
fn whatever_a_provider_counts_cannot_poison_a_meter() {
    for late in [false, true] {
        for wrong in [u64::MAX, i64::MAX.unsigned_abs(), (1 << 53) + 1, Amounts::MOST_AT_ONCE + 1] {
            let mut state = State::default();
            state.carry_out(&Command::Configure(pro(1, START)), None, START);
            state.carry_out(&Command::Reserve(chat(1, 500)), None, START);
            state.carry_out(&Command::Reserve(chat(2, 40)), None, START);
            let then = if late { START.plus_millis(61_000) } else { START };
            if late {
                state.carry_out(&Command::Expire, None, then);
            }
            let detail = UsageDetail {
                prompt_tokens: wrong,
                completion_tokens: wrong,
                cost_microusd: Some(u64::MAX),
                ..UsageDetail::default()
            };
            let amounts = Amounts { requests: 1, tokens: wrong, emails: 0 };
            let poison = Command::Settle(Settle { id: reservation(1), amounts, detail });
            let (_, events) = state.carry_out(&poison, None, then);
            let (Event::Settled(settled) | Event::SettledLate(settled)) = &events[0] else { panic!("{events:?}") };
            assert_eq!(settled.amounts, Amounts { requests: 1, tokens: 500, emails: 0 }, "what was held stands");
            assert!(settled.detail.estimated && settled.detail.cost_microusd.is_none());
            assert!(settled.detail.prompt_tokens <= Amounts::MOST_AT_ONCE);
            state.carry_out(&settle(2, 10), None, then);
            assert_eq!(state.in_use(then), (Amounts { requests: 2, tokens: 510, emails: 0 }, Amounts::ZERO));
            assert!(matches!(state.decide(&Command::Reserve(chat(3, 1_000)), None, then).0, Decision::Admitted(_)));
        }
    }
}

#[test]
fn a_settle_within_bounds_is_recorded_in_full() {
    let mut state = State::default();
    state.carry_out(&Command::Configure(pro(1, START)), None, START);
    state.carry_out(&Command::Reserve(chat(1, 5)), None, START);
    state.carry_out(&settle(1, Amounts::MOST_AT_ONCE), None, START);
    assert_eq!(state.in_use(START).0.tokens, Amounts::MOST_AT_ONCE);
}
