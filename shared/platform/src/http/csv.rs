//! Fields of CSV files.

/// A text as a field (RFC 4180). What a spreadsheet would run as a formula gets an apostrophe: names of models and devices
/// are the client's to choose.
pub fn csv_text(text: &str) -> String {
    let guarded = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if guarded.contains([',', '"', '\r', '\n']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
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
    }
}
