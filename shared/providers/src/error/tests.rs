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

#[test]
fn the_operator_s_account_is_never_told_to_the_customer() {
    use Provider::{Anthropic, Gemini, OpenAi};

    let told = |provider, status, code: &str, message: &str| {
        let body = ErrorBody { code: Some(code.to_owned()), message: Some(message.to_owned()), ..ErrorBody::default() };
        let error = ProviderError::from_status(
            provider,
            status,
            None,
            ErrorBody { code: body.code.clone(), message: body.message.clone(), ..ErrorBody::default() },
        );
        let in_stream = ProviderError::in_stream(provider, body);
        assert_eq!(
            (error.kind, in_stream.kind),
            (ProviderErrorKind::Unauthorized, ProviderErrorKind::Unauthorized),
            "{message}"
        );
        for said in [error.client_message(), in_stream.client_message(), in_stream.to_frame()] {
            for secret in ["credit", "quota", "billing", "org-", "organization", "key", "country", "acme"] {
                assert!(!said.to_lowercase().contains(secret), "{said}");
            }
        }
    };
    told(
        OpenAi,
        429,
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    );
    told(OpenAi, 400, "billing_hard_limit_reached", "Billing hard limit has been reached");
    told(
        OpenAi,
        401,
        "invalid_api_key",
        "Incorrect API key provided: sk-1234. You can find your API key at https://platform.openai.com.",
    );
    told(OpenAi, 403, "unsupported_country_region_territory", "Country, region, or territory not supported");
    told(OpenAi, 400, "invalid_request_error", "Your organization must be verified to use the model `o3`. org-acme");
    told(
        OpenAi,
        403,
        "permission_denied",
        "Your account is not active, please check your billing details on our website.",
    );
    told(
        Anthropic,
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
    );
    told(Anthropic, 403, "permission_error", "Your API key does not have permission to use the specified resource.");
    told(Anthropic, 400, "invalid_request_error", "This organization has been disabled.");
    told(Anthropic, 402, "billing_error", "There is an issue with your billing or payment information.");
    told(
        Gemini,
        400,
        "FAILED_PRECONDITION",
        "User location is not supported for the API use without a billing account linked.",
    );
    told(Gemini, 403, "PERMISSION_DENIED", "Your API key was reported as leaked. Please use another API key.");
    told(Gemini, 400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.");
}

#[test]
fn what_the_caller_can_mend_is_told() {
    for (code, message) in [
        ("context_length_exceeded", "This model's maximum context length is 128000 tokens."),
        ("invalid_request_error", "messages.0.content: Input should be a valid string"),
        ("INVALID_ARGUMENT", "Unable to submit request because it has an empty text parameter."),
    ] {
        let body = ErrorBody { code: Some(code.to_owned()), message: Some(message.to_owned()), ..ErrorBody::default() };
        assert_eq!(ProviderError::from_status(Provider::OpenAi, 400, None, body).client_message(), message);
    }
}
