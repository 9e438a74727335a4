use super::*;

#[test]
fn seconds_are_read_in_three_forms_and_rounded_up() {
    for (text, seconds) in [
        ("12", Some(12)),
        (" 0 ", Some(0)),
        ("1.2", Some(2)),
        ("34.074824224s", Some(35)),
        ("5.0s", Some(5)),
        ("7s", Some(7)),
    ] {
        assert_eq!(parse_seconds(text), seconds, "{text}");
    }
    for text in ["", "s", "-1", "1,5", "1.x", "99999999999", "Wed, 21 Oct 2026 07:28:00 GMT"] {
        assert_eq!(parse_seconds(text), None, "{text}");
    }
}

#[test]
fn messages_are_one_short_line() {
    assert_eq!(safe_line("  a\r\n\tb\u{0}c  "), "a b c");
    let long = safe_line(&"wörter und ".repeat(1000));
    assert_eq!(long.chars().count(), 300);
    assert!(long.ends_with("..."));
}

#[test]
fn what_looks_like_a_key_is_redacted() {
    for secret in [
        "sk-proj-abcdefgh1234",
        "sk-ant-api03-x",
        "AIzaSyD-1234567890abcdefghij",
        "sk-ab***********wxyz",
        "tg_live_0123456789",
        "abcd1***wxyz",
        "0123456789abcdef0123456789abcdef",
        "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2ln",
    ] {
        let line = safe_line(&format!(
            "Incorrect API key provided: {secret}. Find yours at https://platform.openai.com/account."
        ));
        assert!(!line.contains(&secret[..8]), "{line}");
        assert!(
            line.contains("[redacted]") && line.contains("Find yours at https://platform.openai.com/account."),
            "{line}"
        );
    }
    let harmless = "max_tokens: 8192 > 4096, the maximum for claude-sonnet-4-5-20250929 (req_011CSHoEeqs5C35K2UUqR7Fy)";
    assert_eq!(safe_line(harmless), harmless);
}

#[test]
fn only_rejections_speak_in_the_provider_s_words() {
    for kind in [
        ProviderErrorKind::Rejected,
        ProviderErrorKind::Unauthorized,
        ProviderErrorKind::RateLimited,
        ProviderErrorKind::Overloaded,
        ProviderErrorKind::BadAnswer,
        ProviderErrorKind::Cut,
    ] {
        let error = ProviderError::new(Provider::Anthropic, kind, "organisation 42 is over its limit");
        let shown = kind == ProviderErrorKind::Rejected;
        assert_eq!(error.client_message().contains("organisation 42"), shown, "{kind:?}");
        assert_eq!(error.to_frame().contains("organisation 42"), shown, "{kind:?}");
        assert_eq!(kind.is_temporary(), !matches!(kind, ProviderErrorKind::Rejected | ProviderErrorKind::Unauthorized));
    }
}
