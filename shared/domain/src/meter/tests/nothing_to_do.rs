//! What changes nothing is not written, what does not fit changes nothing, and what nobody can ask for is forgotten.

use super::*;
use crate::time::Period;

/// How many rows a command writes.
fn rows(meter: &mut Meter, command: &Command, clock: Timestamp) -> usize {
    let before = meter.entries.len();
    meter.run(command, clock);
    meter.entries.len() - before
}

fn leased(period: Period, tokens: u64) -> LeaseGrant {
    LeaseGrant { period, granted: Amounts { requests: 100, tokens, emails: 0 }, free: Amounts::ZERO }
}

#[test]
fn a_reservation_that_is_unknown_or_has_ended_writes_nothing() {
    let mut meter = Meter::on(trial(1));
    for command in [settle(9, 1), Command::Release(reservation(9)), Command::Expire, Command::ReturnIdle] {
        assert_eq!(rows(&mut meter, &command, START), 0, "{command:?}");
    }
    meter.run(&Command::Reserve(chat(1, 10)), START);
    assert_eq!(rows(&mut meter, &settle(1, 7), START), 1);
    for command in [settle(1, 7), Command::Release(reservation(1))] {
        assert_eq!(rows(&mut meter, &command, START), 0, "{command:?}");
    }
}

#[test]
fn a_reservation_is_held_until_it_expires_and_open_until_it_is_settled() {
    let mut meter = Meter::on(trial(1));
    for number in 0..3 {
        meter.run(&Command::Reserve(chat(number, 10)), START);
    }
    assert_eq!(meter.state.held_count(), 3);
    meter.run(&settle(0, 10), START);
    assert_eq!(meter.state.held_count(), 2);
    assert!(!meter.state.is_held(reservation(0)) && !meter.state.is_open(reservation(0)));
    assert!(meter.state.is_held(reservation(1)) && meter.state.is_open(reservation(1)));
    let due = START.plus_millis(60_000);
    meter.run(&Command::Expire, due);
    assert_eq!(meter.state.held_count(), 0);
    assert!(!meter.state.is_held(reservation(1)) && meter.state.is_open(reservation(1)));
    meter.run(&settle(1, 4), due);
    assert!(!meter.state.is_open(reservation(1)) && meter.state.is_open(reservation(2)));
}

#[test]
fn a_refusal_without_a_key_writes_nothing() {
    let mut meter = Meter::on(trial(1));
    assert_eq!(rows(&mut meter, &Command::Reserve(chat(1, 50_001)), START), 0);
    let keyed = Reserve { key: Some("k".into()), ..chat(2, 50_001) };
    assert_eq!(rows(&mut meter, &Command::Reserve(keyed), START), 1);
}

#[test]
fn a_grant_that_is_empty_or_over_or_known_writes_nothing() {
    let mut meter = Meter::on(trial(1));
    let given = |number, amount, lasts_ms| {
        Command::Grant(grant(number, MeterName::Tokens, amount, START.plus_millis(lasts_ms)))
    };
    assert_eq!(rows(&mut meter, &given(1, 0, 1_000), START), 0);
    assert_eq!(rows(&mut meter, &given(2, 5, 0), START), 0);
    assert_eq!(rows(&mut meter, &given(3, 5, 1), START), 1);
    assert_eq!(rows(&mut meter, &given(3, 5, 1), START), 0);
}

#[test]
fn the_end_of_a_session_whose_tokens_are_dead_writes_nothing() {
    let mut meter = Meter::on(trial(1));
    let revoke = |lasts_ms| Command::RevokeSession { session: session(1), until: START.plus_millis(lasts_ms) };
    assert_eq!(rows(&mut meter, &revoke(-1), START), 0);
    assert_eq!(rows(&mut meter, &revoke(0), START), 0);
    assert_eq!(rows(&mut meter, &revoke(1), START), 1);
}

#[test]
fn a_lease_is_written_when_it_is_larger_and_of_this_period() {
    let team = Entitlement { pooled: true, ..pro(1, START) };
    let period = team.terms.period(START);
    let mut without_a_plan = Meter::default();
    assert_eq!(rows(&mut without_a_plan, &Command::Lease(leased(period, 5)), START), 0);
    let mut meter = Meter::on(team);
    assert_eq!(rows(&mut meter, &Command::Lease(leased(period, 50)), START), 1);
    assert_eq!(rows(&mut meter, &Command::Lease(leased(period, 50)), START), 0, "again");
    assert_eq!(rows(&mut meter, &Command::Lease(leased(period, 40)), START), 0, "an older one");
    let next = team.terms.period(period.end);
    assert_eq!(rows(&mut meter, &Command::Lease(leased(next, 90)), START), 0, "not yet");
    assert_eq!(
        rows(&mut meter, &Command::Lease(leased(next, 30)), next.start),
        2,
        "and that the clock went a month on"
    );
    assert_eq!(meter.state.lease(next.start).unwrap().capacity().tokens, 30, "nothing of the old one is left");
    assert_eq!(rows(&mut meter, &Command::Lease(leased(period, 99)), next.start), 0, "over");
}

#[test]
fn what_is_idle_is_given_back_once_and_what_is_in_use_is_not() {
    let team = Entitlement { pooled: true, ..pro(1, START) };
    let period = team.terms.period(START);
    let mut meter = Meter::on(team);
    assert_eq!(rows(&mut meter, &Command::ReturnIdle, START), 0, "no lease");
    meter.run(&Command::Lease(leased(period, 50)), START);
    meter.run(&Command::Reserve(Reserve { amounts: leased(period, 50).granted, ..chat(1, 0) }), START);
    assert_eq!(rows(&mut meter, &Command::ReturnIdle, START), 0, "all of it is held");
    meter.run(&settle(1, 50), START);
    assert_eq!(rows(&mut meter, &Command::ReturnIdle, START), 1);
    assert_eq!(meter.state.idle_lease(START), Amounts::ZERO);
    assert_eq!(rows(&mut meter, &Command::ReturnIdle, START), 0);
    assert_eq!(meter.marks(), [], "a team's marks are its pool's to tell");
}

#[test]
fn an_event_that_does_not_fit_changes_nothing() {
    let team = Entitlement { pooled: true, ..pro(1, START) };
    let period = team.terms.period(START);
    let mut meter = Meter::on(team);
    meter.run(&Command::Lease(leased(period, 50)), START);
    meter.run(&Command::Reserve(chat(1, 10)), START);
    let (id, amounts) = (reservation(9), Amounts { tokens: 3, ..Amounts::ZERO });
    let settle = Settle { id, amounts, detail: UsageDetail::default() };
    let again = Event::Reserved {
        id: reservation(1),
        amounts,
        expires_at: START.plus_millis(1),
        fingerprint: String::new(),
        request_id: String::new(),
        rates: vec![(Bucket::User, i64::MAX)],
    };
    let misfits = [
        again,
        Event::Settled(settle.clone()),
        Event::SettledLate(Settle { id: reservation(1), ..settle.clone() }),
        Event::SettledLate(settle),
        Event::Released { id },
        Event::ReleasedLate { id },
        Event::Expired { id, amounts, request_id: String::new() },
        Event::Leased(leased(team.terms.period(period.end), 99)),
        Event::Leased(leased(period, 1)),
        Event::Returned { returned: Amounts::ZERO },
    ];
    for event in misfits {
        let mut state = meter.state.clone();
        state.apply(START, &event);
        assert_eq!(state, meter.state, "{event:?}");
    }
}

#[test]
fn a_bucket_is_kept_until_it_is_full_again() {
    let limit = RateLimit { per_minute: 60, burst: 3 };
    let mut meter = Meter::on(Entitlement { rate: Some(limit), ..pro(1, START) });
    meter.run(&Command::Reserve(chat(1, 1)), START);
    let revoke = |number| Command::RevokeSession { session: session(number), until: START.plus_days(1) };
    meter.run(&revoke(1), START.plus_millis(999));
    assert_eq!(meter.state.rates.len(), 1);
    meter.run(&revoke(2), START.plus_millis(1_000));
    assert_eq!(meter.state.rates.len(), 0);
}

#[test]
fn an_ended_session_is_kept_until_its_tokens_are_dead() {
    let mut meter = Meter::on(trial(1));
    let until = START.plus_millis(900_000);
    meter.run(&Command::RevokeSession { session: session(1), until }, START);
    meter.run(&Command::Reserve(chat(1, 1)), until.plus_millis(-1));
    assert!(meter.state.is_revoked(session(1)));
    meter.run(&settle(1, 1), until);
    assert!(!meter.state.is_revoked(session(1)));
}

#[test]
fn an_expired_hold_is_kept_for_as_long_as_a_late_settle_counts() {
    let mut meter = Meter::on(pro(1, START));
    meter.run(&Command::Reserve(chat(1, 10)), START);
    let due = START.plus_millis(60_000);
    meter.run(&Command::Expire, due);
    let end = due.plus_millis(LATE_SETTLE_WINDOW_MS);
    meter.run(&Command::Reserve(chat(2, 10)), end.plus_millis(-1));
    assert!(meter.state.is_open(reservation(1)));
    meter.run(&Command::Reserve(chat(3, 10)), end);
    assert!(!meter.state.is_open(reservation(1)));
}
