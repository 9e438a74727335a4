//! API keys: who is let in, and in what order a meter may be told of it.

use super::*;

fn with(number: u64, credential: Credential) -> Command {
    Command::Reserve(Reserve { credential: Some(credential), ..chat(number, 1) })
}

fn until(end: Option<Timestamp>) -> Command {
    Command::KnowKey(MeterKey { expires_at: end, ..meter_key(1) })
}

const HOUR_LATER: Timestamp = START.plus_millis(REVOKED_KEY_MS);

fn revoke() -> Command {
    Command::RevokeKey { key: api_key(1), until: HOUR_LATER }
}

fn refused(refusal: Refusal) -> Decision {
    assert!(refusal.is_passing(), "nothing is remembered under an idempotency key");
    Decision::Refused(refusal)
}

#[test]
fn a_key_is_let_in_when_it_is_known_and_the_secret_fits_and_the_scope_is_among_its_own() {
    let mut meter = Meter::on(trial(1));
    assert_eq!(meter.run(&with(1, credential(1, 1)), START), refused(Refusal::KeyNotKnown));
    meter.run(&Command::KnowKey(meter_key(1)), START);
    assert!(matches!(meter.run(&with(2, credential(1, 1)), START), Decision::Admitted(_)));
    assert_eq!(meter.run(&with(3, credential(1, 2)), START), refused(Refusal::KeyRefused), "another secret");
    assert_eq!(meter.run(&with(4, credential(2, 1)), START), refused(Refusal::KeyNotKnown), "another key");
    let scope = Scope::full(Resource::Usage);
    let more = Credential { scope, ..credential(1, 1) };
    assert_eq!(meter.run(&with(5, more), START), refused(Refusal::ScopeMissing { scope }));
    let less = Credential { scope: Scope::read(Resource::Chat), ..credential(1, 1) };
    assert!(matches!(meter.run(&with(6, less), START), Decision::Admitted(_)));
}

#[test]
fn a_key_is_asked_for_before_the_plan_is() {
    let mut meter = Meter::default();
    assert_eq!(meter.run(&with(1, credential(1, 1)), START), refused(Refusal::KeyNotKnown));
    meter.run(&Command::KnowKey(meter_key(1)), START);
    assert_eq!(meter.run(&with(1, credential(1, 1)), START), refused(Refusal::NotConfigured));
}

#[test]
fn a_revoked_key_gets_nothing_not_even_the_repetition_of_an_older_decision() {
    let mut meter = Meter::on(trial(1));
    meter.run(&Command::KnowKey(meter_key(1)), START);
    let keyed = |number| {
        let reserve = Reserve { credential: Some(credential(1, 1)), key: Some("k".into()), ..chat(number, 1) };
        Command::Reserve(reserve)
    };
    assert!(matches!(meter.run(&keyed(1), START), Decision::Admitted(_)));
    assert!(matches!(meter.run(&keyed(2), START), Decision::AdmittedBefore(_)));
    meter.run(&revoke(), START);
    assert_eq!(meter.run(&keyed(3), START), refused(Refusal::KeyRefused));
    assert!(matches!(meter.run(&Command::Reserve(chat(4, 1)), START), Decision::Admitted(_)), "others go on");
}

#[test]
fn a_push_that_comes_late_does_not_bring_a_revoked_key_back() {
    let mut meter = Meter::on(trial(1));
    meter.run(&revoke(), START);
    meter.run(&Command::KnowKey(meter_key(1)), START);
    let rows = meter.entries.len();
    meter.run(&Command::KnowKey(meter_key(1)), HOUR_LATER.plus_millis(-1));
    assert_eq!(meter.entries.len(), rows, "and writes nothing");
    assert_eq!(meter.run(&with(1, credential(1, 1)), HOUR_LATER.plus_millis(-1)), refused(Refusal::KeyRefused));
    // Then it is looked up like any other that the meter does not know.
    meter.run(&Command::Reserve(chat(2, 1)), HOUR_LATER);
    assert!(meter.state.keys.is_empty());
    assert_eq!(meter.run(&with(3, credential(1, 1)), HOUR_LATER), refused(Refusal::KeyNotKnown));
    meter.run(&Command::RevokeKey { key: api_key(1), until: HOUR_LATER }, HOUR_LATER);
    assert!(meter.state.keys.is_empty(), "a revocation that is over writes nothing");
}

#[test]
fn of_two_ends_the_earlier_one_counts_in_whatever_order_they_come() {
    let (soon, late) = (START.plus_millis(10), START.plus_millis(20));
    let orders = [[Some(soon), None], [None, Some(soon)], [Some(soon), Some(late)], [Some(late), Some(soon)]];
    for order in orders {
        let mut meter = Meter::on(trial(1));
        for end in order {
            meter.run(&until(end), START);
        }
        let rows = meter.entries.len();
        meter.run(&until(Some(soon)), START);
        assert_eq!(meter.entries.len(), rows, "what is known is not written again");
        assert!(matches!(meter.run(&with(1, credential(1, 1)), soon.plus_millis(-1)), Decision::Admitted(_)));
        assert_eq!(meter.run(&with(2, credential(1, 1)), soon), refused(Refusal::KeyNotKnown), "{order:?}");
    }
}

#[test]
fn a_key_whose_time_is_over_is_forgotten_and_not_told_of_again() {
    let mut meter = Meter::on(trial(1));
    let end = START.plus_millis(10);
    meter.run(&until(Some(end)), START);
    meter.run(&Command::Reserve(chat(1, 1)), end.plus_millis(-1));
    assert!(!meter.state.keys.is_empty());
    meter.run(&Command::Reserve(chat(2, 1)), end);
    assert!(meter.state.keys.is_empty());
    let rows = meter.entries.len();
    meter.run(&until(Some(end)), end);
    assert_eq!(meter.entries.len(), rows);
}
