//! What another party sends at a sign-in: ID tokens, key sets, addresses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tollgate_domain::federation::{Algorithm, Expected, IdToken, Issuer, KeySet, Reach, is_sound_endpoint, return_to};
use tollgate_fuzz::{NOW, base64url, text};

const EXPECTED: Expected<'_> =
    Expected { issuer: "https://issuer.example", client_id: "client", nonce: "nonce", now: NOW };
const PUBLIC_URL: &str = "https://api.example.com";

fuzz_target!(|bytes: &[u8]| {
    if let Some(keys) = KeySet::parse(bytes) {
        for kid in [None, Some("k1")] {
            let _ = keys.find(kid, Algorithm::Es256);
        }
    }
    // As the payload of a token with a sound header: what is believed says what it must.
    let token = format!("{}.{}.AAAA", base64url(br#"{"alg":"ES256","kid":"k1"}"#), base64url(bytes));
    if let Ok(claims) = IdToken::parse(&token).and_then(|token| token.claims(&EXPECTED)) {
        let said: Value = serde_json::from_slice(bytes).expect("what is believed is JSON");
        assert_eq!((&said["iss"], &said["nonce"]), (&Value::from(EXPECTED.issuer), &Value::from(EXPECTED.nonce)));
        assert_eq!(said["sub"], Value::from(claims.subject));
        assert!(said["exp"].as_f64().is_some_and(|exp| exp * 1000.0 > NOW.as_millis() as f64 - 61_000.0));
        assert!(
            said["aud"] == EXPECTED.client_id
                || said["aud"].as_array().is_some_and(|all| all.iter().any(|one| *one == EXPECTED.client_id))
        );
    }
    let Some(text) = text(bytes) else { return };
    if let Ok(token) = IdToken::parse(text) {
        assert!(text.starts_with(token.signed));
        let _ = token.claims(&EXPECTED);
    }
    if let Ok(issuer) = Issuer::parse(text, Reach::Internet) {
        assert!(issuer.as_str().starts_with("https://") && issuer.discovery_url().starts_with("https://"));
    }
    if is_sound_endpoint(text, Reach::Internet) {
        assert!(text.starts_with("https://"));
    }
    if let Some(address) = return_to(text, PUBLIC_URL, false) {
        let rest = address.strip_prefix(PUBLIC_URL).expect("it leads to the platform");
        assert!(rest.is_empty() || rest.starts_with(['/', '?', '#']), "{address} leads elsewhere");
    }
});
