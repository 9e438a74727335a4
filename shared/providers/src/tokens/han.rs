//! Chinese characters: which of them are one token.
//!
//! A rare one takes two, so a text of them takes more than twice what the usual ones take, who mostly are one and often join.

use super::TOKEN;

/// A bit for each of U+4E00 to U+9FFF: whether it is a single token of `o200k_base` (2,515 of 20,992 are).
const ONE_TOKEN: &[u8; 2_624] = include_bytes!("han.bits");

/// What such a character adds where it joins nothing; `None` for any other.
pub(super) fn first(c: char) -> Option<u64> {
    matches!(c, '\u{4e00}'..='\u{9fff}').then(|| if is_one_token(c) { TOKEN } else { 2 * TOKEN })
}

pub(super) fn is_one_token(c: char) -> bool {
    let index = (c as usize).wrapping_sub(0x4e00);
    ONE_TOKEN.get(index / 8).is_some_and(|bits| bits >> (index % 8) & 1 == 1)
}
