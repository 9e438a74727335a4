//! Base64 that can be looked into without decoding all of it.

use std::borrow::Cow;

use crate::image::plain_base64;

/// Base64 text, padding taken off.
pub(super) struct Base64<'a>(Cow<'a, str>);

impl<'a> Base64<'a> {
    /// `None` for what is no base64, in either alphabet.
    pub(super) fn new(text: &'a str) -> Option<Self> {
        let plain = match plain_base64(text) {
            Cow::Borrowed(plain) => Cow::Borrowed(plain.trim_end_matches('=')),
            Cow::Owned(plain) => Cow::Owned(plain.trim_end_matches('=').to_owned()),
        };
        plain.bytes().all(|byte| value(byte).is_some()).then_some(Self(plain))
    }

    /// How many bytes it stands for.
    pub(super) fn len(&self) -> usize {
        self.0.len() / 4 * 3 + (self.0.len() % 4).saturating_sub(1)
    }

    /// The byte at a place.
    pub(super) fn get(&self, index: usize) -> Option<u8> {
        if index >= self.len() {
            return None;
        }
        let four = &self.0.as_bytes()[index / 3 * 4..];
        let bits = |at: usize| four.get(at).and_then(|byte| value(*byte)).map_or(0, u32::from);
        let group = bits(0) << 18 | bits(1) << 12 | bits(2) << 6 | bits(3);
        Some(group.to_be_bytes()[1 + index % 3])
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        (0..self.len()).filter_map(|index| self.get(index)).collect()
    }
}

const fn value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}
