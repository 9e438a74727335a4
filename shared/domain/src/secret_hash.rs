//! How secrets that we made ourselves are stored: as a SHA-256, never in the clear.
//!
//! A password is hashed with argon2 because people choose it: it has perhaps thirty bits, and a hash that is dear to
//! compute is all that stands against trying them out. A secret of ours has 128 or 256 random bits. Nobody tries those
//! out, at any speed, so a plain SHA-256 is as safe; and it takes a microsecond where argon2id takes 45 ms of every
//! request that brings an API key.

use core::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ledger::Hash;

/// A SHA-256 of a secret. Its text form is 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(Hash);

impl SecretHash {
    /// The hash of a secret for a purpose. The purpose keeps the hashes of one kind of secret from passing for those of
    /// another: `SHA-256(purpose in UTF-8 ‖ one zero byte ‖ secret)`.
    pub fn of(purpose: &str, secret: &[u8]) -> Self {
        let mut sha = Sha256::new();
        sha.update(purpose.as_bytes());
        sha.update([0]);
        sha.update(secret);
        Self(Hash(sha.finalize().into()))
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        Hash::parse(text).map(Self)
    }
}

/// Compares every byte, whatever the first ones say: the time it takes tells nothing.
impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        let difference = self.0.0.iter().zip(other.0.0).fold(0, |all, (a, b)| all | (a ^ b));
        core::hint::black_box(difference) == 0
    }
}

impl Eq for SecretHash {}

impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_hash_is_sha_256_over_the_documented_bytes() {
        let expected: [u8; 32] = Sha256::digest(b"invitation\0secret").into();
        assert_eq!(SecretHash::of("invitation", b"secret"), SecretHash(Hash(expected)));
        assert_ne!(SecretHash::of("api_key", b"secret"), SecretHash(Hash(expected)));
    }

    proptest! {
        #[test]
        fn the_text_form_round_trips(secret: [u8; 32]) {
            let hash = SecretHash::of("x", &secret);
            prop_assert_eq!(SecretHash::parse(&hash.to_string()), Some(hash));
        }

        #[test]
        fn one_flipped_bit_is_another_hash(bytes: [u8; 32], bit in 0_usize..256) {
            let mut other = bytes;
            other[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(SecretHash(Hash(bytes)), SecretHash(Hash(other)));
        }
    }
}
