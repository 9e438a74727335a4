//! Bytes as letters, five for four: how some programs write every stream.

use super::objects::is_blank;

/// The bytes; `None` for what is not written as it must be, of which readers make different things.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let letters: Vec<u8> = text.iter().copied().filter(|byte| !is_blank(*byte)).collect();
    let letters = letters.strip_prefix(b"<~").unwrap_or(&letters);
    let letters = letters.strip_suffix(b"~>")?;
    let mut bytes = Vec::with_capacity(letters.len());
    let mut group = Vec::with_capacity(5);
    for letter in letters {
        match letter {
            b'z' if group.is_empty() => bytes.extend([0; 4]),
            b'!'..=b'u' => group.push(letter - b'!'),
            _ => return None,
        }
        if group.len() == 5 {
            bytes.extend(four(&group)?);
            group.clear();
        }
    }
    // The last group may be shorter: it is filled up, and so many bytes fewer are meant.
    match group.len() {
        0 => Some(bytes),
        1 => None,
        length => {
            group.resize(5, 84);
            bytes.extend(&four(&group)?[..length - 1]);
            Some(bytes)
        }
    }
}

fn four(group: &[u8]) -> Option<[u8; 4]> {
    let number =
        group.iter().try_fold(0_u32, |number, digit| number.checked_mul(85)?.checked_add(u32::from(*digit)))?;
    Some(number.to_be_bytes())
}
