//! Whether a password was seen in a breach, asked without telling which password: k-anonymity, as the range search of Have I
//! Been Pwned has it. <https://haveibeenpwned.com/API/v3#SearchingPwnedPasswordsByRange>
//!
//! Of the SHA-1 of a password the first five hexadecimal digits are sent. The answer lists the rest of every known hash that
//! begins so, some hundreds, and it is looked up here. SHA-1 is what the list is made of; it protects nothing.

use sha1::{Digest, Sha1};

/// How many digits are told.
const PREFIX: usize = 5;

/// A password, as the list names it.
#[derive(Clone, PartialEq, Eq)]
pub struct ListedAs(String);

impl ListedAs {
    /// How a password is listed, if it is.
    pub fn of(password: &str) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let digest: [u8; 20] = Sha1::digest(password.as_bytes()).into();
        let nibbles = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        Self(nibbles.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect())
    }

    /// What is told: five digits, in upper case.
    pub fn prefix(&self) -> &str {
        self.0.get(..PREFIX).unwrap_or_default()
    }

    /// Whether it is in the answer: lines of `<the other 35 digits>:<how often it was seen>`. Lines that were seen no times
    /// are padding, which hides how long the answer is.
    pub fn is_in(&self, answer: &str) -> bool {
        let rest = self.0.get(PREFIX..).unwrap_or_default();
        let was_seen = |times: &str| times.bytes().any(|digit| (b'1'..=b'9').contains(&digit));
        let mut lines = answer.lines().filter_map(|line| line.trim().split_once(':'));
        lines.any(|(listed, times)| listed.eq_ignore_ascii_case(rest) && was_seen(times))
    }
}

impl core::fmt::Debug for ListedAs {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ListedAs(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_password_is_listed_by_the_sha_1_of_its_bytes() {
        // FIPS 180-2, appendix A.1: SHA-1 of "abc".
        let abc = ListedAs::of("abc");
        assert_eq!(abc.prefix(), "A9993");
        let rest = "E364706816ABA3E25717850C26C9CD0D89D";
        for answer in [
            format!("{rest}:1"),
            format!("00000000000000000000000000000000000:3\r\n{rest}:10434004\r\n"),
            format!("{}:2\n", rest.to_lowercase()),
            format!("{rest}:100"),
        ] {
            assert!(abc.is_in(&answer), "{answer}");
        }
        for answer in
            ["", "\r\n", ":", "1:1", rest, &format!("{rest}:0"), &format!("{rest}:"), &format!("{}:1", &rest[1..])]
        {
            assert!(!abc.is_in(answer), "{answer}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics_and_what_is_told_is_five_digits(password: String, answer: String) {
            let listed = ListedAs::of(&password);
            prop_assert_eq!(listed.prefix().len(), 5);
            prop_assert!(listed.prefix().bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)));
            let _ = listed.is_in(&answer);
        }
    }
}
