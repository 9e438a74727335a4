//! What is stored and sent: names and forms that a later release must still read.

use super::*;
use crate::time::Period;

fn tag(event: &Event) -> String {
    serde_json::to_value(event).unwrap()["kind"].as_str().unwrap().to_owned()
}

#[test]
fn the_kind_of_a_row_is_the_tag_of_its_event() {
    let (id, amounts, at) = (reservation(1), Amounts::ZERO, START);
    let settle = Settle { id, amounts, detail: UsageDetail::default() };
    let lease = LeaseGrant { period: Period { start: at, end: at }, granted: amounts, free: amounts };
    let events = [
        Event::Configured(trial(1)),
        Event::Granted(grant(1, MeterName::Tokens, 1, at)),
        Event::Reserved {
            id,
            amounts,
            expires_at: at,
            fingerprint: String::new(),
            request_id: String::new(),
            rates: Vec::new(),
        },
        Event::Refused { refusal: Refusal::KeyReused, fingerprint: String::new() },
        Event::Settled(settle.clone()),
        Event::Released { id },
        Event::SettledLate(settle),
        Event::ReleasedLate { id },
        Event::Expired { id, amounts, request_id: String::new() },
        Event::MarkReached { meter: MeterName::Tokens, percent: 80, used: 8, limit: 10 },
        Event::Leased(lease),
        Event::Returned { returned: amounts },
        Event::KeyKnown(meter_key(1)),
        Event::KeyRevoked { key: api_key(1), until: at },
        Event::SessionRevoked { session: session(1), until: at },
        Event::ClockLeapt { from: at },
        Event::ClockReturned { from: at },
    ];
    for event in events {
        assert_eq!(event.kind(), tag(&event));
        assert!(!event.kind().is_empty());
    }
}

#[test]
fn a_meter_s_name_is_the_same_in_text_and_in_json() {
    for meter in MeterName::ALL {
        assert_eq!(serde_json::to_string(&meter).unwrap(), format!("\"{meter}\""));
    }
    assert_eq!(MeterName::ALL.map(MeterName::as_str), ["requests", "tokens", "emails"]);
}

#[test]
fn meters_with_nothing_on_them_are_left_out_of_a_row() {
    let amounts = Amounts { tokens: 5, ..Amounts::ZERO };
    assert_eq!(serde_json::to_string(&amounts).unwrap(), r#"{"tokens":5}"#);
    assert_eq!(serde_json::from_str::<Amounts>(r#"{"tokens":5}"#).unwrap(), amounts);
    assert_eq!(serde_json::from_str::<Amounts>("{}").unwrap(), Amounts::ZERO);
}

#[test]
fn a_checkpoint_keeps_the_buckets_of_every_rate() {
    let limit = RateLimit { per_minute: 60, burst: 3 };
    let mut meter = Meter::on(Entitlement { rate: Some(limit), ..pro(1, START) });
    meter.run(&Command::KnowKey(MeterKey { rate: Some(limit), ..meter_key(1) }), START);
    meter.run(&Command::Reserve(Reserve { credential: Some(credential(1, 1)), ..chat(1, 1) }), START);
    let stored: State = serde_json::from_str(&serde_json::to_string(&meter.state).unwrap()).unwrap();
    assert_eq!(stored.rates.len(), 2);
    assert_eq!(stored, meter.state);
}

#[test]
fn a_key_s_row_is_pinned_and_a_checkpoint_without_keys_is_as_it_was() {
    let key = MeterKey { rate: Some(RateLimit { per_minute: 60, burst: 10 }), expires_at: Some(START), ..meter_key(1) };
    let row = serde_json::to_string(&Event::KeyKnown(key.clone())).unwrap();
    assert_eq!(
        row,
        format!(
            r#"{{"kind":"key_known","data":{{"id":"{}","hash":"{}","scopes":["chat"],"rate":{{"per_minute":60,"burst":10}},"expires_at":"2023-11-14T22:13:20Z"}}}}"#,
            key.id, key.hash
        )
    );
    assert_eq!(serde_json::from_str::<Event>(&row).unwrap(), Event::KeyKnown(key));
    assert!(!serde_json::to_string(&Meter::on(trial(1)).state).unwrap().contains("keys"));
}
