//! What the content of a page, or of a form that is drawn on pages, shows and draws; and what its fonts make of it.

use std::collections::HashMap;

use super::objects::{is_blank, is_regular, name};

/// A content.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Bytes of text that it shows.
    pub(super) shown: u64,
    /// What it draws by name, and how often; without a name what it could not be told of.
    pub(super) drawn: HashMap<Vec<u8>, u64>,
}

impl Content {
    pub(super) fn read(bytes: &[u8]) -> Self {
        Self { shown: shown(bytes), drawn: drawn(bytes) }
    }
}

/// Bytes of all its strings. Whether they are shown between `BT` and `ET` is not looked at: readers show them elsewhere too, and a font
/// may be called ET. What looks like a string and is none counts as well.
fn shown(content: &[u8]) -> u64 {
    let (mut depth, mut escaped) = (0_u32, false);
    // Digits since the bracket they stand in.
    let mut digits: Option<u64> = None;
    let mut bytes = 0;
    for byte in content {
        if depth > 0 {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            bytes += u64::from(depth > 0);
            continue;
        }
        match byte {
            // Two of them begin a dictionary.
            b'<' => digits = if digits == Some(0) { None } else { Some(0) },
            b'>' => bytes += digits.take().unwrap_or(0).div_ceil(2),
            b'(' => (depth, digits) = (1, None),
            byte if byte.is_ascii_hexdigit() => digits = digits.map(|digits| digits + 1),
            // Readers pass over what is no digit.
            _ => {}
        }
    }
    bytes + digits.unwrap_or(0).div_ceil(2)
}

/// Every `/Name Do`, wherever it stands.
fn drawn(content: &[u8]) -> HashMap<Vec<u8>, u64> {
    let mut drawn = HashMap::new();
    for (at, two) in content.windows(2).enumerate() {
        let is_word = two == b"Do"
            && !(at > 0 && is_regular(content[at - 1]))
            && !content.get(at + 2).is_some_and(|byte| is_regular(*byte));
        if is_word {
            *drawn.entry(name_before(&content[..at])).or_default() += 1;
        }
    }
    drawn
}

/// Longest name that is looked for: no name has more than 127 characters, each of which may be written as three.
const LONGEST: usize = 400;

/// The name that stands before; empty where something else does.
fn name_before(content: &[u8]) -> Vec<u8> {
    let near = &content[content.len().saturating_sub(LONGEST)..];
    let near = &near[..near.len() - near.iter().rev().take_while(|byte| is_blank(**byte)).count()];
    let begin = near.len() - near.iter().rev().take_while(|byte| is_regular(**byte)).count();
    if begin > 0 && near[begin - 1] == b'/' { name(&near[begin..]).0 } else { Vec::new() }
}

/// What a font's table says that its codes stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    /// About a letter each, ligatures among them.
    Few,
    /// Letters of which each may be a token, or more.
    Wide,
    /// Whole texts.
    Many,
}

/// Most digits of what a code stands for: four letters, as many as a ligature has.
const MOST_DIGITS: usize = 16;

/// Reads a table `ToUnicode`.
pub(super) fn letters(table: &[u8]) -> Letters {
    let mut letters = Letters::Few;
    let mut is_space = false;
    let mut digits: Option<Vec<u8>> = None;
    for (at, byte) in table.iter().enumerate() {
        match byte {
            // What codes there are, and not what they stand for.
            b'b' if table[at..].starts_with(b"begincodespacerange") => is_space = true,
            b'e' if table[at..].starts_with(b"endcodespacerange") => is_space = false,
            b'b' if table[at..].starts_with(b"beginbf") => is_space = false,
            b'<' => digits = if table[..at].ends_with(b"<") { None } else { Some(Vec::new()) },
            b'>' => {
                let text = digits.take().unwrap_or_default();
                let unit = |unit: &[u8]| u32::from_str_radix(std::str::from_utf8(unit).ok()?, 16).ok();
                let units: Vec<u32> = text.chunks(4).filter_map(unit).collect();
                // One sign of its own, or the two halves of one.
                let is_wide = units.iter().any(|unit| (0x2e80..0xd800).contains(unit));
                let is_pair = units.iter().any(|unit| (0xd800..0xe000).contains(unit));
                let is_many = text.len() > MOST_DIGITS || is_wide && units.len() > 1 || is_pair && units.len() > 2;
                if is_many && !is_space {
                    return Letters::Many;
                }
                if is_wide && !is_space {
                    letters = Letters::Wide;
                }
                continue;
            }
            _ => {}
        }
        if let Some(digits) = digits.as_mut().filter(|digits| byte.is_ascii_hexdigit() && digits.len() <= MOST_DIGITS) {
            digits.push(*byte);
        }
    }
    letters
}
