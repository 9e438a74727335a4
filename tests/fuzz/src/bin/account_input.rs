//! What accounts are made from: addresses, passwords, and the bodies of requests.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_api::account::{LoginIn, RefreshIn, RegisterIn};
use tollgate_domain::{
    account::{Email, check_password},
    trial::PersonKey,
};
use tollgate_fuzz::text;

fuzz_target!(|bytes: &[u8]| {
    let _ = serde_json::from_slice::<RegisterIn>(bytes);
    let _ = serde_json::from_slice::<LoginIn>(bytes);
    let _ = serde_json::from_slice::<RefreshIn>(bytes);
    let Some(text) = text(bytes) else { return };
    let Ok(email) = Email::parse(text) else { return };
    // Reading what was read changes nothing, and neither does another case: one person, one key.
    assert_eq!(Email::parse(email.as_str()).as_ref(), Ok(&email));
    let person = PersonKey::of(&email);
    if let Ok(shouted) = Email::parse(&text.to_ascii_uppercase()) {
        assert_eq!(PersonKey::of(&shouted), person);
    }
    let _ = check_password(text, &email);
});
