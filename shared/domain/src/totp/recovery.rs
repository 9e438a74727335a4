//! Recovery codes: ten of them, each good for one sign-in without the telephone.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{id::UserId, secret_hash::SecretHash};

/// How many are given out at a time.
pub const RECOVERY_CODES: usize = 10;

/// Crockford's base 32: no I, L, O and U, which are read as something else. <https://www.crockford.com/base32.html>
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DIGITS: usize = 16;

/// `8F3K-XXXX-XXXX-XXXX`: 80 random bits. Enough that a plain SHA-256 of it cannot be searched, also not for many users
/// at once: the user's id is hashed with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RecoveryCode([u8; 10]);

impl RecoveryCode {
    /// A new one; 10 bytes from the system's cryptographic source.
    pub const fn new(bytes: [u8; 10]) -> Self {
        Self(bytes)
    }

    /// Reads what somebody typed from paper: in either case, with or without hyphens and blanks, with O for 0, and I or L
    /// for 1. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bits = 0_u128;
        let mut digits = 0;
        for c in text.chars().filter(|c| !matches!(c, '-' | ' ')) {
            let c = match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let digit = ALPHABET.iter().position(|known| char::from(*known) == c)?;
            digits += 1;
            if digits > DIGITS {
                return None;
            }
            bits = (bits << 5) | u128::try_from(digit).ok()?;
        }
        let bytes = bits.to_be_bytes();
        (digits == DIGITS).then(|| bytes.last_chunk().copied().map(Self)).flatten()
    }

    /// The text form, to be shown once.
    pub fn reveal(&self) -> String {
        let bits = self.0.iter().fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
        let mut text = String::with_capacity(DIGITS + 3);
        for place in (0..DIGITS).rev() {
            let digit = (bits >> (place * 5)) & 31;
            text.push(char::from(ALPHABET[usize::try_from(digit).unwrap_or_default()]));
            if place % 4 == 0 && place != 0 {
                text.push('-');
            }
        }
        text
    }

    fn hash(&self, user: UserId) -> SecretHash {
        let mut bytes = user.to_bytes().to_vec();
        bytes.extend(self.0);
        SecretHash::of("recovery_code", &bytes)
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

/// The codes a user has left, as they are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecoveryCodes(Vec<SecretHash>);

impl RecoveryCodes {
    /// New codes, which make all earlier ones worthless: what is stored, and what is shown once.
    ///
    /// `entropy` comes from the system's cryptographic source.
    pub fn generate(user: UserId, entropy: [[u8; 10]; RECOVERY_CODES]) -> (Self, [RecoveryCode; RECOVERY_CODES]) {
        let codes = entropy.map(RecoveryCode::new);
        (Self(codes.iter().map(|code| code.hash(user)).collect()), codes)
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.0.len()
    }

    /// Uses a code up: the codes without it, which are to be stored before the caller is let in; `None` when it is none
    /// of them. Storing must compare with what was read: of two uses at the same time, one may win.
    pub fn take(&self, user: UserId, code: RecoveryCode) -> Option<Self> {
        let hash = code.hash(user);
        let left: Vec<_> = self.0.iter().copied().filter(|known| *known != hash).collect();
        (left.len() < self.0.len()).then_some(Self(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn user(byte: u8) -> UserId {
        UserId::from_bytes([byte; 16])
    }

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let code = RecoveryCode::new([0, 0, 0, 0, 0, 0x08, 0x42, 0x10, 0x84, 0x21]);
        assert_eq!(code.reveal(), "0000-0000-1111-1111");
        let text = code.reveal();
        for typed in [
            text.clone(),
            text.to_lowercase(),
            text.replace('-', ""),
            text.replace('-', " "),
            text.replace('0', "o"),
            text.replace('1', "l"),
            text.replace('1', "I"),
        ] {
            assert_eq!(RecoveryCode::parse(&typed), Some(code), "{typed}");
        }
        for wrong in ["", "0000", &text[1..], &format!("{text}0"), &text.replace('0', "U"), &text.replace('0', "é")] {
            assert_eq!(RecoveryCode::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn another_user_s_code_is_worthless() {
        let (stored, codes) = RecoveryCodes::generate(user(1), [[7; 10]; RECOVERY_CODES]);
        assert_eq!(stored.take(user(2), codes[0]), None);
        assert!(stored.take(user(1), codes[0]).is_some());
    }

    #[test]
    fn what_is_stored_is_no_code() {
        let (stored, codes) = RecoveryCodes::generate(user(1), [[7; 10]; RECOVERY_CODES]);
        let json = serde_json::to_string(&stored).unwrap();
        assert!(!json.contains(&codes[0].reveal()) && !format!("{stored:?} {codes:?}").contains(&codes[0].reveal()));
        assert_eq!(serde_json::from_str::<RecoveryCodes>(&json).unwrap(), stored);
    }

    proptest! {
        #[test]
        fn codes_round_trip(bytes: [u8; 10]) {
            let code = RecoveryCode::new(bytes);
            prop_assert_eq!(RecoveryCode::parse(&code.reveal()), Some(code));
            prop_assert_eq!(code.reveal().len(), 19);
        }

        #[test]
        fn each_code_is_good_once(entropy: [[u8; 10]; RECOVERY_CODES], uses in proptest::collection::vec(0..RECOVERY_CODES, 1..40)) {
            let (mut stored, codes) = RecoveryCodes::generate(user(1), entropy);
            let mut used = std::collections::BTreeSet::new();
            for index in uses {
                match stored.take(user(1), codes[index]) {
                    Some(left) => {
                        prop_assert!(used.insert(codes[index].reveal()));
                        prop_assert!(left.left() < stored.left());
                        stored = left;
                    }
                    None => prop_assert!(used.contains(&codes[index].reveal())),
                }
            }
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = RecoveryCode::parse(&text);
        }
    }
}
