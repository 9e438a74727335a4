//! Half a surrogate pair in a provider's JSON: `"\ud83d"` without its other half, as comes out where a model's text was cut in
//! the middle of a character. JSON's grammar allows it, Rust's strings do not: it costs that character, not the answer.

use std::borrow::Cow;

/// The replacement character, as JSON escapes it.
const REPLACEMENT: &str = "\\ufffd";

/// The text with each half pair replaced by U+FFFD. One pass; a text without escaped surrogates is only looked through.
pub fn mended(json: &str) -> Cow<'_, str> {
    if !json.contains("\\ud") && !json.contains("\\uD") {
        return Cow::Borrowed(json);
    }
    let bytes = json.as_bytes();
    let mut out = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(offset) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        at += offset;
        match unit(bytes, at) {
            Some(0xD800..=0xDBFF) if matches!(unit(bytes, at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => {
                out.push_str(json.get(copied..at).unwrap_or_default());
                out.push_str(REPLACEMENT);
                at += 6;
                copied = at;
            }
            Some(_) => at += 6,
            // Another escape: what follows the backslash is no beginning of one.
            None => at += 2,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(json.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// The code unit that is escaped at a place: `\uXXXX`.
fn unit(bytes: &[u8], at: usize) -> Option<u32> {
    let escape = bytes.get(at..at.checked_add(6)?)?;
    let digits = escape.strip_prefix(b"\\u")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn half_a_pair_is_a_character_and_a_whole_one_stays() {
        for (json, text) in [
            (r#""a\ud83d""#, "a\u{fffd}"),
            (r#""\ude00b""#, "\u{fffd}b"),
            (r#""\uD83D\uDE00""#, "😀"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83dx\ude00""#, "\u{fffd}x\u{fffd}"),
            (r#""\\ud83d""#, "\\ud83d"),
            (r#""\\\ud83d""#, "\\\u{fffd}"),
            (r#""\n\ud83d\n""#, "\n\u{fffd}\n"),
            (r#""é\ud83dé""#, "é\u{fffd}é"),
        ] {
            assert_eq!(serde_json::from_str::<String>(&mended(json)).unwrap(), text, "{json}");
        }
        for broken in [r#""\ud8"#, r#""\u"#, "\\", r#""\uZZZZ""#, r"\ud83d"] {
            let _ = mended(broken);
        }
    }

    #[test]
    fn what_has_none_is_not_copied() {
        for json in [r#"{"a":"b"}"#, r#""\u00e9""#, r#""\ud83d\ude00""#] {
            assert!(matches!(mended(json), Cow::Borrowed(_)), "{json}");
        }
    }

    proptest! {
        #[test]
        fn whatever_units_there_are_it_is_read(units in proptest::collection::vec(prop_oneof![0xD7F0_u16..0xE010, 0_u16..0x100], 0..40)) {
            let escaped: Vec<String> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let json = escaped.concat();
            let json = format!("\"{json}\"");
            let read: String = serde_json::from_str(&mended(&json)).unwrap();
            prop_assert_eq!(read, String::from_utf16_lossy(&units));
            let once = mended(&json).into_owned();
            prop_assert_eq!(mended(&once), once.as_str());
        }
    }
}
