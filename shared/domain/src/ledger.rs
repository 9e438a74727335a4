//! The ledger: append-only, each entry hashing the one before it (SHA-256), so that a row that was changed,
//! removed or slipped in is found by walking the chain.
//!
//! ```text
//! hash(0) = 32 zero bytes
//! hash(n) = SHA-256( hash(n-1) ‖ seq as 8 bytes big-endian ‖ at as 8 bytes big-endian ‖ body in UTF-8 )
//! ```

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};

use crate::time::Timestamp;

/// A link of the chain. Its text form is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Hash(pub(crate) [u8; 32]);

impl Hash {
    /// What the first entry is chained to.
    pub const GENESIS: Self = Self([0; 32]);

    /// The hash of an entry that follows this one.
    #[must_use]
    pub fn next(&self, seq: u64, at: Timestamp, body: &str) -> Self {
        let mut sha = Sha256::new();
        sha.update(self.0);
        sha.update(seq.to_be_bytes());
        sha.update(at.as_millis().to_be_bytes());
        sha.update(body.as_bytes());
        Self(sha.finalize().into())
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let &[high, low] = pair else { return None };
            *byte = hex_digit(high)? * 16 + hex_digit(low)?;
        }
        Some(Self(bytes))
    }
}

const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0_u8; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            if let [high, low] = pair {
                *high = DIGITS[usize::from(byte >> 4)];
                *low = DIGITS[usize::from(byte & 15)];
            }
        }
        f.write_str(core::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not 64 hexadecimal digits"))
    }
}

/// One row as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its number; the first is 1.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The event, as JSON.
    pub body: &'a str,
    /// The stored hash.
    pub hash: Hash,
}

/// Walks a chain row by row.
#[derive(Debug, Clone, Default)]
pub struct Verifier {
    rows: u64,
    head: Hash,
    broken_at: Option<u64>,
}

impl Verifier {
    /// A walk that goes on after `rows` rows that are known to be good and end in `head`.
    pub const fn after(rows: u64, head: Hash) -> Self {
        Self { rows, head, broken_at: None }
    }

    /// Takes the next row.
    pub fn push(&mut self, row: &Row<'_>) {
        self.rows += 1;
        let expected = self.head.next(self.rows, row.at, row.body);
        if self.broken_at.is_none() && (row.seq != self.rows || row.hash != expected) {
            self.broken_at = Some(self.rows);
        }
        self.head = row.hash;
    }

    /// Rows seen, the last hash, and the first row that does not fit.
    pub const fn finish(self) -> (u64, Hash, Option<u64>) {
        (self.rows, self.head, self.broken_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chain(bodies: &[String]) -> Vec<(u64, Timestamp, String, Hash)> {
        let mut head = Hash::GENESIS;
        bodies
            .iter()
            .enumerate()
            .map(|(index, body)| {
                let seq = index as u64 + 1;
                let at = Timestamp::from_millis(seq.cast_signed() * 10);
                head = head.next(seq, at, body);
                (seq, at, body.clone(), head)
            })
            .collect()
    }

    fn verify(rows: &[(u64, Timestamp, String, Hash)]) -> (u64, Hash, Option<u64>) {
        let mut verifier = Verifier::default();
        for (seq, at, body, hash) in rows {
            verifier.push(&Row { seq: *seq, at: *at, body, hash: *hash });
        }
        verifier.finish()
    }

    #[test]
    fn the_hash_is_sha_256_over_the_documented_bytes() {
        // `printf '\0..(32)' '\0\0\0\0\0\0\0\1' '\0\0\0\0\0\0\0\2' 'x' | sha256sum`
        let mut bytes = vec![0_u8; 32];
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, b'x']);
        let expected: [u8; 32] = Sha256::digest(&bytes).into();
        assert_eq!(Hash::GENESIS.next(1, Timestamp::from_millis(2), "x"), Hash(expected));
    }

    #[test]
    fn an_empty_chain_is_sound() {
        assert_eq!(verify(&[]), (0, Hash::GENESIS, None));
    }

    #[test]
    fn the_text_form_is_64_lower_case_digits_and_nothing_else_is_read() {
        let digits = "0123456789abcdef".repeat(4);
        let hash = Hash::parse(&digits).unwrap();
        assert_eq!((hash.0[0], hash.0[7]), (0x01, 0xef));
        assert_eq!(
            (format!("{hash:?}"), serde_json::to_string(&hash).unwrap()),
            (digits.clone(), format!("\"{digits}\""))
        );
        assert_eq!(serde_json::from_str::<Hash>(&format!("\"{digits}\"")).unwrap(), hash);
        for wrong in [&digits[1..], &digits.to_uppercase(), &format!("{digits}0"), &digits.replace('0', "g")] {
            assert_eq!(Hash::parse(wrong), None, "{wrong}");
            assert!(serde_json::from_str::<Hash>(&format!("\"{wrong}\"")).is_err());
        }
    }

    #[test]
    fn a_row_with_another_number_is_found_and_the_first_wrong_one_is_told() {
        let mut rows = chain(&["a".into(), "b".into(), "c".into()]);
        rows[1].0 = 7;
        assert_eq!(verify(&rows).2, Some(2));
        rows[2].2.push('!');
        assert_eq!(verify(&rows).2, Some(2));
    }

    #[test]
    fn a_walk_goes_on_where_a_base_ends() {
        let rows = chain(&["a".into(), "b".into(), "c".into()]);
        let mut verifier = Verifier::after(1, rows[0].3);
        for (seq, at, body, hash) in &rows[1..] {
            verifier.push(&Row { seq: *seq, at: *at, body, hash: *hash });
        }
        assert_eq!(verifier.finish(), (3, rows[2].3, None));
    }

    proptest! {
        #[test]
        fn text_form_round_trips(bytes: [u8; 32]) {
            prop_assert_eq!(Hash::parse(&Hash(bytes).to_string()), Some(Hash(bytes)));
        }

        #[test]
        fn a_change_anywhere_is_found(bodies in proptest::collection::vec(".{0,12}", 1..20), at: prop::sample::Index, what in 0..4) {
            let mut rows = chain(&bodies);
            prop_assert_eq!(verify(&rows).2, None);
            let index = at.index(rows.len());
            match what {
                0 => rows[index].2.push('!'),
                1 => rows[index].1 = rows[index].1.plus_millis(1),
                2 => rows[index].3 = rows[index].3.next(9, Timestamp::default(), ""),
                // A removed row is found by its successor; the last one by comparing the count and the head.
                _ => { rows.remove(index); }
            }
            let (count, _, broken) = verify(&rows);
            if what == 3 && index == rows.len() {
                prop_assert_eq!(count, bodies.len() as u64 - 1);
            } else {
                prop_assert_eq!(broken, Some(index as u64 + 1));
            }
        }
    }
}
