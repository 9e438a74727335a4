//! Numbers in base 62 (0-9, A-Z, a-z), of fixed width and with one spelling each: no character that a double click, a
//! shell or an address treats specially.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Digits of 128 bits: an id.
pub const ID_DIGITS: usize = 22;

/// Digits of 256 bits: a secret.
pub const SECRET_DIGITS: usize = 43;

/// Appends big-endian bytes as that many digits; the width must be enough for them.
pub fn encode(bytes: &[u8], width: usize, text: &mut String) {
    let mut number = bytes.to_vec();
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0_u16;
        for byte in &mut number {
            let value = rest << 8 | u16::from(*byte);
            // Below 256: the rest of the step before is below 62.
            *byte = (value / 62).to_le_bytes()[0];
            rest = value % 62;
        }
        *digit = DIGITS[usize::from(rest)];
    }
    text.extend(digits.into_iter().map(char::from));
}

/// Reads digits into big-endian bytes; `None` for another character and for a number that is too large.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut number = [0; N];
    read(text, &mut number).then_some(number)
}

fn read(text: &str, number: &mut [u8]) -> bool {
    for digit in text.bytes() {
        let Some(value) = value(digit) else { return false };
        let mut carry = u16::from(value);
        for byte in number.iter_mut().rev() {
            let value = u16::from(*byte) * 62 + carry;
            let [low, high] = value.to_le_bytes();
            *byte = low;
            carry = u16::from(high);
        }
        if carry != 0 {
            return false;
        }
    }
    true
}

const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'Z' => Some(digit - b'A' + 10),
        b'a'..=b'z' => Some(digit - b'a' + 36),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(bytes: &[u8], width: usize) -> String {
        let mut text = String::new();
        encode(bytes, width, &mut text);
        text
    }

    #[test]
    fn known_numbers() {
        assert_eq!(encoded(&[0, 0, 0, 61], 6), "00000z");
        assert_eq!(encoded(&[0, 0, 0, 62], 6), "000010");
        assert_eq!(encoded(&[255; 4], 6), "4gfFC3");
        assert_eq!(decode::<4>("4gfFC3"), Some([255; 4]));
        assert_eq!(decode::<4>("4gfFC4"), None);
        assert_eq!(decode::<4>("zzzzzz"), None);
        assert_eq!(decode::<4>("00000-"), None);
    }

    proptest! {
        #[test]
        fn bytes_round_trip(id: [u8; 16], secret: [u8; 32]) {
            prop_assert_eq!(decode::<16>(&encoded(&id, 22)), Some(id));
            prop_assert_eq!(decode::<32>(&encoded(&secret, 43)), Some(secret));
        }

        #[test]
        fn digits_have_one_meaning(text in "[0-9A-Za-z]{22}") {
            if let Some(bytes) = decode::<16>(&text) {
                prop_assert_eq!(encoded(&bytes, 22), text);
            }
        }
    }
}
