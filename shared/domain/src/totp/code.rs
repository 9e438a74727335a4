//! One-time passwords.

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::time::Timestamp;

/// How long a number is the current one, in seconds (RFC 6238, section 5.2).
pub const PERIOD_SECONDS: u64 = 30;

/// How many numbers before and after the current one are taken: clocks differ, and people type slowly (RFC 6238,
/// section 5.2, recommends one).
pub const WINDOW_STEPS: u64 = 1;

const DIGITS: u32 = 6;

/// What the app and we both know: 160 bits, the length RFC 4226 recommends (section 4, R6). Stored sealed, not hashed:
/// the numbers are computed from it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 20]);

impl Secret {
    /// A new one; 20 bytes from the system's cryptographic source.
    pub const fn new(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// Its bytes, to be sealed.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// In base 32 (RFC 4648, section 6), as it is typed where no camera is: 32 characters.
    pub fn reveal(&self) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut text = String::with_capacity(32);
        // Five bytes are eight digits; twenty leave nothing over.
        for group in self.0.chunks_exact(5) {
            let bits = group.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
            for place in (0..8).rev() {
                let digit = (bits >> (place * 5)) & 31;
                text.push(char::from(ALPHABET[usize::try_from(digit).unwrap_or_default()]));
            }
        }
        text
    }

    /// The number of a step.
    fn code(&self, step: u64) -> Code {
        Code(truncated(&self.0, step) % 10_u32.pow(DIGITS))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// HMAC-SHA-1 of a counter, truncated to 31 bits (RFC 4226, section 5.3).
fn truncated(secret: &[u8; 20], counter: u64) -> u32 {
    // A key that is no longer than a block is padded with noughts; this is what the constructor for any length would do.
    let mut key = [0; 64];
    for (padded, byte) in key.iter_mut().zip(secret) {
        *padded = *byte;
    }
    let mut mac = Hmac::<Sha1>::new(&key.into());
    mac.update(&counter.to_be_bytes());
    let digest: [u8; 20] = mac.finalize().into_bytes().into();
    let offset = usize::from(digest[19] & 15);
    let four = digest.iter().skip(offset).take(4).fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    four & 0x7fff_ffff
}

/// Six digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code(u32);

/// Why a text is not a one-time password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the six digits that the app shows")]
pub struct InvalidCode;

impl Code {
    /// Reads six digits; blanks are passed over, apps show them in groups.
    ///
    /// # Errors
    /// [`InvalidCode`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidCode> {
        let mut number = 0;
        let mut digits = 0;
        for c in text.chars().filter(|c| *c != ' ') {
            number = number * 10 + c.to_digit(10).ok_or(InvalidCode)?;
            digits += 1;
            if digits > DIGITS {
                return Err(InvalidCode);
            }
        }
        if digits == DIGITS { Ok(Self(number)) } else { Err(InvalidCode) }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

/// Why a number is not taken. To the client both are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is none of those of this minute.
    #[error("the code is wrong")]
    Wrong,
    /// It was used, or a later one was: whoever looked over a shoulder comes too late (RFC 6238, section 5.2).
    #[error("the code was used already")]
    Used,
}

/// Checks a number; answers its step, which is to be stored as `last_used_step` before the caller is let in.
///
/// Storing must compare: of two requests with the same number at the same time, one may win (`UPDATE ... WHERE
/// last_used_step < ?`).
///
/// # Errors
/// [`Refusal`]. All numbers of the window are computed, whichever fits.
pub fn verify(secret: &Secret, last_used_step: Option<u64>, code: Code, now: Timestamp) -> Result<u64, Refusal> {
    let current = u64::try_from(now.as_seconds()).unwrap_or(0) / PERIOD_SECONDS;
    let window = current.saturating_sub(WINDOW_STEPS)..=current.saturating_add(WINDOW_STEPS);
    // Should the same number come twice in the window, its last step counts: else it could be used again as that one.
    let step = window.fold(None, |found, step| if secret.code(step) == code { Some(step) } else { found });
    match step {
        None => Err(Refusal::Wrong),
        Some(step) if last_used_step.is_some_and(|last| step <= last) => Err(Refusal::Used),
        Some(step) => Ok(step),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RFC_SECRET: Secret = Secret(*b"12345678901234567890");

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn the_numbers_are_those_of_rfc_4226() {
        // Appendix D.
        let expected = [755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871, 520_489];
        let found: Vec<_> = (0..10).map(|counter| RFC_SECRET.code(counter).0).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_numbers_are_those_of_rfc_6238() {
        // Appendix B, the rows for SHA-1; eight digits there.
        let rows = [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ];
        for (seconds, eight) in rows {
            let step = seconds / PERIOD_SECONDS;
            assert_eq!(truncated(&RFC_SECRET.0, step) % 100_000_000, eight, "{seconds}");
            let code = Code::parse(&format!("{:06}", eight % 1_000_000)).unwrap();
            assert_eq!(verify(&RFC_SECRET, None, code, at(seconds.cast_signed())), Ok(step), "{seconds}");
        }
    }

    #[test]
    fn the_secret_in_base_32_is_what_apps_take() {
        assert_eq!(RFC_SECRET.reveal(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(format!("{RFC_SECRET:?}"), "Secret(..)");
    }

    #[test]
    fn six_digits_and_blanks_between_them() {
        assert_eq!(Code::parse("287 082"), Ok(Code(287_082)));
        assert_eq!(Code::parse("000000"), Ok(Code(0)));
        for text in ["", "12345", "1234567", "12345a", "１２３４５６", "-12345", "+12345", "99999999999999999999"]
        {
            assert_eq!(Code::parse(text), Err(InvalidCode), "{text}");
        }
    }

    #[test]
    fn a_number_is_good_for_one_use_and_so_are_those_before_it() {
        let step = 1_000_000_u64;
        let now = at((step * 30).cast_signed());
        let [before, current, after] = [step - 1, step, step + 1].map(|step| RFC_SECRET.code(step));
        assert_eq!(verify(&RFC_SECRET, None, current, now), Ok(step));
        assert_eq!(verify(&RFC_SECRET, Some(step), current, now), Err(Refusal::Used));
        assert_eq!(verify(&RFC_SECRET, Some(step), before, now), Err(Refusal::Used));
        assert_eq!(verify(&RFC_SECRET, Some(step), after, now), Ok(step + 1));
    }

    proptest! {
        #[test]
        fn the_window_is_one_step_on_each_side(secret: [u8; 20], now in 0_i64..10_000_000_000, off in -5_i64..=5) {
            let secret = Secret::new(secret);
            let current = now / 30;
            prop_assume!(current + off >= 0);
            let window: Vec<_> = (-1..=1).filter_map(|near| u64::try_from(current + near).ok()).collect();
            let step = (current + off).unsigned_abs();
            let code = secret.code(step);
            let verified = verify(&secret, None, code, at(now));
            if off.abs() <= 1 {
                prop_assert!(verified.is_ok());
            } else {
                // Now and then a number comes again by chance.
                prop_assert_eq!(verified.is_ok(), window.iter().any(|near| secret.code(*near) == code));
            }
        }

        #[test]
        fn no_step_is_accepted_twice(secret: [u8; 20], tries in proptest::collection::vec((0_i64..200, 0_i64..5), 1..40)) {
            let secret = Secret::new(secret);
            let (mut last, mut accepted) = (None, std::collections::BTreeSet::new());
            for (seconds, ahead) in tries {
                let code = secret.code((seconds / 30 + ahead).unsigned_abs());
                if let Ok(step) = verify(&secret, last, code, at(seconds)) {
                    prop_assert!(last < Some(step));
                    prop_assert!(accepted.insert(step));
                    last = Some(step);
                }
            }
        }

        #[test]
        fn no_text_panics(text: String, at_ms: i64) {
            if let Ok(code) = Code::parse(&text) {
                let _ = verify(&RFC_SECRET, None, code, Timestamp::from_millis(at_ms));
            }
        }

        #[test]
        fn no_instant_panics(at_ms: i64, last: Option<u64>) {
            let _ = verify(&RFC_SECRET, last, Code(1), Timestamp::from_millis(at_ms));
        }
    }
}
