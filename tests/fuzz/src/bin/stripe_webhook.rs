//! Stripe's webhook: no header lets a body in that was not signed, and what was signed is read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_domain::stripe_signature::{SignatureHeader, verify};
use tollgate_fuzz::{NOW, text};

fuzz_target!(|bytes: &[u8]| {
    let Some(text) = text(bytes) else { return };
    let (header, body) = text.split_once('\n').unwrap_or((text, ""));
    let _ = SignatureHeader::parse(header);
    assert!(verify(header, body.as_bytes(), &["whsec_fuzz"], NOW).is_err(), "{header} was taken");
    assert!(verify(header, body.as_bytes(), &[], NOW).is_err(), "{header} was taken without a secret");
});
