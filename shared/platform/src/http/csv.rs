//! Fields of CSV files.

/// A text as a field (RFC 4180). What a spreadsheet would run as a formula gets an apostrophe: names of models and devices
/// are the client's to choose. Spreadsheets pass over blanks before the sign, and read its full-width forms alike.
pub fn csv_text(text: &str) -> String {
    let is_passed_over = |c: char| c.is_whitespace() || c.is_control() || is_invisible(c);
    let begins_formula = text.trim_start_matches(is_passed_over).starts_with(FORMULA_SIGNS);
    let begins_blank = text.starts_with(['\t', '\r', '\n']);
    let guarded = if begins_formula || begins_blank { format!("'{text}") } else { text.to_owned() };
    if guarded.contains([',', '"', '\r', '\n']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

/// What begins a formula: ASCII, small and full-width forms, and the minus sign of mathematics.
const FORMULA_SIGNS: [char; 14] = [
    '=', '+', '-', '@', '\u{FE66}', '\u{FE62}', '\u{FE63}', '\u{FE6B}', '\u{FF1D}', '\u{FF0B}', '\u{FF0D}', '\u{FF20}',
    '\u{2212}', '|',
];

/// Characters of no width, and those that turn the direction of writing.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::csv_text;

    #[test]
    fn a_field_is_a_field_and_no_formula() {
        assert_eq!(csv_text("openai/gpt"), "openai/gpt");
        assert_eq!(csv_text("account.sign_in"), "account.sign_in");
        assert_eq!(csv_text("a,b\"c"), "\"a,b\"\"c\"");
        assert_eq!(csv_text("{\"a\":1}"), "\"{\"\"a\"\":1}\"");
        assert_eq!(csv_text("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(csv_text("a\nb"), "\"a\nb\"");
        for blank in
            ["", " ", "\t", "\r", "\n", "\u{A0}", "\u{3000}", "\u{200B}", "\u{FEFF}", "\u{202E}", " \u{200B}\t"]
        {
            for sign in super::FORMULA_SIGNS {
                let cell = format!("{blank}{sign}1+1");
                assert!(csv_text(&cell).trim_start_matches('"').starts_with('\''), "{cell:?}");
            }
            let harmless = format!("{}a=1", blank.trim_matches(['\t', '\r', '\n']));
            assert_eq!(csv_text(&harmless), harmless, "{blank:?}");
        }
    }
}
