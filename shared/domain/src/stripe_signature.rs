//! Whether a webhook is Stripe's: the `Stripe-Signature` header over the raw body.
//!
//! `t=1700000000,v1=5257a8...,v1=...,v0=...`: HMAC-SHA256, in hexadecimal, of `<t>.<body>` under the endpoint's secret.
//! Only `v1` counts (`v0` is for tests of Stripe's and no proof). While a secret rolls there are two of them, on either
//! side: any signature under any of our secrets will do. The instant is bound both ways, so that neither an old delivery
//! nor one made out for later can be played again.
//! Source: <https://docs.stripe.com/webhooks/signature#verify-manually>.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::time::Timestamp;

/// How far the signature's instant may be from now, either way, in seconds: what Stripe's libraries take.
pub const TOLERANCE_SECONDS: u64 = 300;

/// The most `v1` signatures that are tried: a rolling secret makes two, and each costs a hash of the body's digest.
const MAX_SIGNATURES: usize = 8;

/// Why a delivery is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// No instant, more than one, or no `v1` signature.
    #[error("the Stripe-Signature header cannot be read")]
    Malformed,
    /// Signed too long ago, or too far ahead.
    #[error("the signature's timestamp is outside the tolerance")]
    OutOfTolerance,
    /// None of the signatures is of the body under any of the secrets.
    #[error("no signature matches")]
    NoMatch,
}

/// The header, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureHeader {
    /// As it was sent: the signature is over its text, not its value.
    timestamp: String,
    at_seconds: i64,
    signatures: Vec<[u8; 32]>,
}

impl SignatureHeader {
    /// Reads a header. Schemes that are not known are passed over, as are signatures of the wrong length.
    ///
    /// # Errors
    /// [`Rejected::Malformed`].
    pub fn parse(header: &str) -> Result<Self, Rejected> {
        let (mut timestamp, mut signatures) = (None, Vec::new());
        for (name, value) in header.split(',').filter_map(|part| part.trim().split_once('=')) {
            match name {
                // Of two instants one could be checked and the other signed.
                "t" if timestamp.is_some() => return Err(Rejected::Malformed),
                "t" => timestamp = Some(value),
                "v1" if signatures.len() < MAX_SIGNATURES => signatures.extend(from_hex(value)),
                _ => {}
            }
        }
        let timestamp = timestamp.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
        let timestamp = timestamp.ok_or(Rejected::Malformed)?;
        let at_seconds = timestamp.parse().map_err(|_| Rejected::Malformed)?;
        if signatures.is_empty() {
            return Err(Rejected::Malformed);
        }
        Ok(Self { timestamp: timestamp.to_owned(), at_seconds, signatures })
    }

    /// Checks a raw body under several secrets, within a tolerance in seconds either way.
    ///
    /// Every signature is compared under every secret, each in constant time: how long it takes tells the number of both
    /// and nothing else. A secret that is empty never matches: it would be one that everybody knows.
    ///
    /// # Errors
    /// [`Rejected::OutOfTolerance`], [`Rejected::NoMatch`].
    pub fn verify(
        &self,
        body: &[u8],
        secrets: &[&str],
        now: Timestamp,
        tolerance_seconds: u64,
    ) -> Result<(), Rejected> {
        if now.as_seconds().abs_diff(self.at_seconds) > tolerance_seconds {
            return Err(Rejected::OutOfTolerance);
        }
        let mut is_signed = false;
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { continue };
            mac.update(self.timestamp.as_bytes());
            mac.update(b".");
            mac.update(body);
            for signature in &self.signatures {
                is_signed |= mac.clone().verify_slice(signature).is_ok();
            }
        }
        if is_signed { Ok(()) } else { Err(Rejected::NoMatch) }
    }
}

/// Reads a header and checks a raw body with [`TOLERANCE_SECONDS`].
///
/// # Errors
/// [`Rejected`].
pub fn verify(header: &str, body: &[u8], secrets: &[&str], now: Timestamp) -> Result<(), Rejected> {
    SignatureHeader::parse(header)?.verify(body, secrets, now, TOLERANCE_SECONDS)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = (nibble(*high)? << 4) | nibble(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BODY: &[u8] = br#"{"id":"evt_1","object":"event"}"#;
    const SIGNED_AT: i64 = 1_700_000_000;
    /// `printf '1700000000.<body>' | openssl dgst -sha256 -hmac whsec_test_one`, and the same with `whsec_test_two`.
    const BY_ONE: &str = "f437ffe158fd95430cce7b61e37c4c52b179a1d8852d77a66892f69b13ddcdd7";
    const BY_TWO: &str = "dffa94d615d38f116fe3adbee532cdc2a1c9d1591455dc4a8f01a3a4df6c7f85";

    fn now(offset: i64) -> Timestamp {
        Timestamp::from_millis((SIGNED_AT + offset) * 1000)
    }

    fn check(header: &str, secrets: &[&str]) -> Result<(), Rejected> {
        verify(header, BODY, secrets, now(0))
    }

    fn header(signatures: &[&str]) -> String {
        format!(
            "t={SIGNED_AT},v1={},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39",
            signatures.join(",v1=")
        )
    }

    fn signed(body: &[u8], secret: &str, at: i64) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{at}.").as_bytes());
        mac.update(body);
        format!("t={at},v1={}", crate::ledger::Hash(mac.finalize().into_bytes().into()))
    }

    #[test]
    fn what_openssl_signed_is_taken() {
        assert_eq!(check(&header(&[BY_ONE]), &["whsec_test_one"]), Ok(()));
        assert_eq!(check(&header(&[BY_TWO]), &["whsec_test_two"]), Ok(()));
        assert_eq!(check(&header(&[BY_ONE]), &["whsec_test_two"]), Err(Rejected::NoMatch));
        assert_eq!(signed(BODY, "whsec_test_one", SIGNED_AT), format!("t={SIGNED_AT},v1={BY_ONE}"));
    }

    #[test]
    fn secrets_and_signatures_roll_on_either_side() {
        let both = ["whsec_test_one", "whsec_test_two"];
        assert_eq!(check(&header(&[BY_TWO]), &both), Ok(()));
        assert_eq!(check(&header(&[BY_ONE, BY_TWO]), &both[1..]), Ok(()));
        assert_eq!(check(&header(&[BY_TWO, BY_ONE]), &both[1..]), Ok(()));
        assert_eq!(check(&header(&[BY_ONE]), &[]), Err(Rejected::NoMatch));
        assert_eq!(check(&signed(BODY, "", SIGNED_AT), &[""]), Err(Rejected::NoMatch), "no secret is no proof");
    }

    #[test]
    fn the_body_is_signed_byte_by_byte() {
        let header = header(&[BY_ONE]);
        let other = [BODY, b"\n"].concat();
        assert_eq!(verify(&header, &other, &["whsec_test_one"], now(0)), Err(Rejected::NoMatch));
        assert_eq!(check(&header.replace("t=17", "t=017"), &["whsec_test_one"]), Err(Rejected::NoMatch));
    }

    #[test]
    fn the_instant_is_bound_both_ways() {
        let at = |offset| verify(&header(&[BY_ONE]), BODY, &["whsec_test_one"], now(offset));
        assert_eq!([at(300), at(-300)], [Ok(()); 2]);
        assert_eq!([at(301), at(-301)], [Err(Rejected::OutOfTolerance); 2]);
        let far = format!("t={},v1={BY_ONE}", i64::MAX);
        assert_eq!(check(&far, &["whsec_test_one"]), Err(Rejected::OutOfTolerance));
    }

    #[test]
    fn other_schemes_are_no_proof() {
        let only_v0 = format!("t={SIGNED_AT},v0={BY_ONE}");
        for header in [
            "",
            "t=",
            "v1=",
            &format!("v1={BY_ONE}"),
            &format!("t={SIGNED_AT}"),
            &only_v0,
            &format!("t={SIGNED_AT},t={SIGNED_AT},v1={BY_ONE}"),
            &format!("t=-1,v1={BY_ONE}"),
            &format!("t=+{SIGNED_AT},v1={BY_ONE}"),
            &format!("t=99999999999999999999,v1={BY_ONE}"),
            &format!("t={SIGNED_AT},v1={}", &BY_ONE[1..]),
            &format!("t={SIGNED_AT},v1={}", BY_ONE.replace('f', "g")),
        ] {
            assert_eq!(check(header, &["whsec_test_one"]), Err(Rejected::Malformed), "{header}");
        }
        assert_eq!(check(&header(&["short", BY_ONE]), &["whsec_test_one"]), Ok(()), "an unreadable one is passed over");
        assert_eq!(
            check(&header(&[BY_TWO; 8]).replace(",v0=", &format!(",v1={BY_ONE},v0=")), &["whsec_test_one"]),
            Err(Rejected::NoMatch),
            "no more than eight are tried"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn no_header_panics_or_passes(
            header in "\\PC*", parts in proptest::collection::vec("(t|v1|v0|)=?[0-9a-fé]{0,66}", 0..12), at: i64,
        ) {
            for header in [header, parts.join(","), format!("t=1,{}", parts.join(","))] {
                prop_assert!(verify(&header, BODY, &["whsec_test_one"], Timestamp::from_millis(at)).is_err());
            }
        }

        #[test]
        fn what_is_signed_passes_and_one_other_bit_does_not(
            body in proptest::collection::vec(any::<u8>(), 1..200), secret in "[!-~]{1,80}", at in 0..4_000_000_000_i64, flip: usize,
        ) {
            let header = signed(&body, &secret, at);
            let now = Timestamp::from_millis(at * 1000);
            prop_assert_eq!(verify(&header, &body, &["other", &secret], now), Ok(()));
            let mut changed = body.clone();
            changed[flip % body.len()] ^= 1 << (flip % 8);
            prop_assert_eq!(verify(&header, &changed, &["other", &secret], now), Err(Rejected::NoMatch));
        }
    }
}
