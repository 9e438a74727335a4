//! Names that somebody chose, in mails that somebody else reads.
//!
//! Whoever calls a team `Your account is locked: evil.example` has the platform write that to strangers, from an address that
//! they trust. So a name is cut short, and what a mail program would make a link of, or a reader take for an address, is left
//! out of it; and no mail's subject is a name alone.

/// The most characters of a name that a mail shows: enough for a person, a company or an API key, too few for a message.
pub const MAX_NAME_CHARS: usize = 40;

/// How much of a name is looked at.
const LOOKED_AT_CHARS: usize = 4 * MAX_NAME_CHARS;

/// A name as a mail shows it; `instead` when nothing is left of it.
pub fn shown_name(name: &str, instead: &str) -> String {
    // What is cut off in the end need not be looked at; some of it may be left out before.
    let all: Vec<char> = name.chars().take(LOOKED_AT_CHARS).collect();
    let around = |at: usize| (at.checked_sub(1).and_then(|before| all.get(before)), all.get(at + 1));
    let kept: String = all
        .iter()
        .enumerate()
        .map(|(at, c)| match c {
            // `J. R. Hartley` and `Acme Inc.`, but no `evil.example`: a dot stays where a word ends with it, and where it is the
            // only one of a number, as in the version of a program.
            '.' => match around(at) {
                (Some(before), None | Some(' ')) if before.is_alphanumeric() => '.',
                (Some(before), Some(after))
                    if before.is_ascii_digit() && after.is_ascii_digit() && dots_of_word(&all, at) == 1 =>
                {
                    '.'
                }
                _ => ' ',
            },
            '/' => match around(at) {
                (Some(before), Some(after)) if before.is_ascii_alphanumeric() && after.is_ascii_digit() => '/',
                _ => ' ',
            },
            c if is_of_a_name(*c) => *c,
            _ => ' ',
        })
        .collect();
    let words = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = words.chars().take(MAX_NAME_CHARS).collect();
    let cut = cut.trim_end();
    if cut.contains(char::is_alphanumeric) { cut.to_owned() } else { instead.to_owned() }
}

/// How many dots there are between the blanks around a place.
fn dots_of_word(all: &[char], at: usize) -> usize {
    let from = all.iter().take(at).rposition(|c| *c == ' ').map_or(0, |blank| blank + 1);
    all.iter().skip(from).take_while(|c| **c != ' ').filter(|c| **c == '.').count()
}

/// What names are written with: letters and digits of every script, the marks that belong to letters, and few signs.
fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '-' | '_' | '&' | ',' | '(' | ')' | '\'' | '’' | '·')
        // Marks over and under letters, of the scripts whose marks count as no letters.
        || matches!(c, '\u{300}'..='\u{36f}' | '\u{93c}' | '\u{94d}' | '\u{9bc}' | '\u{9cd}' | '\u{a4d}' | '\u{acd}'
            | '\u{bcd}' | '\u{c4d}' | '\u{ccd}' | '\u{d4d}' | '\u{e47}'..='\u{e4e}' | '\u{64b}'..='\u{65f}'
            | '\u{5b0}'..='\u{5c7}' | '\u{3099}' | '\u{309a}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_stay_what_they_are() {
        for name in [
            "Ada Lovelace",
            "J. R. Hartley",
            "Acme Inc.",
            "O'Neill & Söhne (Wien)",
            "Zoë",
            "jose\u{301}",
            "山田 太郎",
            "محمد",
            "Tablet/2.0",
            "Mozilla/5.0 (X11, Linux x86_64)",
            "हिन्दी",
            "team-42_x",
            "Jean-Luc, 3rd",
        ] {
            assert_eq!(shown_name(name, "-"), name);
        }
    }

    #[test]
    fn what_is_a_link_or_an_address_is_neither_any_more() {
        for (name, shown) in [
            ("https://evil.example/x", "https evil example x"),
            ("evil.example", "evil example"),
            ("www。evil．example", "www evil example"),
            ("evil\u{2024}example", "evil example"),
            ("a@evil.example", "a evil example"),
            ("a＠evil", "a evil"),
            ("x\r\nBcc: y@example.com", "x Bcc y example com"),
            ("\u{202e}gro.live\u{202c}", "gro live"),
            ("<b>hi</b>", "b hi b"),
            ("evil.\u{200b}example", "evil example"),
            ("javascript:alert(1)", "javascript alert(1)"),
            ("evil..example.", "evil example."),
            ("10.0.0.1", "10 0 0 1"),
        ] {
            assert_eq!(shown_name(name, "-"), shown);
        }
        for nothing in ["", " ", "...", "\u{202e}", "://", "🚧"] {
            assert_eq!(shown_name(nothing, "a team"), "a team");
        }
    }

    #[test]
    fn it_is_cut_short() {
        assert_eq!(shown_name(&"x".repeat(1_000), "-").len(), MAX_NAME_CHARS);
        assert_eq!(shown_name(&"your account is locked, ".repeat(9), "-"), "your account is locked, your account is");
    }

    proptest! {
        #[test]
        fn nothing_that_is_shown_can_be_followed(name in "(\\PC|[.@:/。．\r\n]|[a-z]){0,80}") {
            let shown = shown_name(&name, "a team");
            prop_assert!(shown.chars().count() <= MAX_NAME_CHARS && !shown.is_empty());
            prop_assert!(!shown.contains(['@', ':', '\\', '<', '>', '"', '\r', '\n', '。', '．', '｡']), "{shown}");
            for (at, _) in shown.match_indices('.') {
                prop_assert!(matches!(shown[at + 1..].chars().next(), None | Some(' ' | '0'..='9')), "{shown}");
            }
            for (at, _) in shown.match_indices('/') {
                prop_assert!(matches!(shown[at + 1..].chars().next(), None | Some('0'..='9')), "{shown}");
            }
            let is_unseen = |c: char| c.is_control() || matches!(u32::from(c), 0x200B..=0x200F | 0x202A..=0x202E | 0x2066..=0x2069);
            prop_assert!(!shown.chars().any(is_unseen), "unseen characters");

        }
    }
}
