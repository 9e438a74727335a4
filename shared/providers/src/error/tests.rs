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
fn only_what_is_the_caller_s_is_told_in_the_provider_s_words() {
    for kind in ProviderErrorKind::ALL {
        let error = ProviderError::new(Provider::Anthropic, kind, "organisation 42 is over its limit");
        let shown = kind.is_of_the_request() && kind != ProviderErrorKind::NoModel;
        assert_eq!(error.client_message().contains("organisation 42"), shown, "{kind:?}");
        assert_eq!(error.to_frame().contains("organisation 42"), shown, "{kind:?}");
    }
}

/// One table says what a kind means; here is what must hold for each of its rows.
#[test]
fn what_a_kind_means_agrees_with_whose_fault_it_is() {
    for kind in ProviderErrorKind::ALL {
        let Meaning { status, should_retry, logged, .. } = kind.meaning();
        assert!(!(should_retry && kind.is_of_the_request()), "{kind:?}: the same request is as wrong again");
        assert_eq!(
            logged == Logged::Error,
            kind == ProviderErrorKind::Unauthorized,
            "{kind:?}: the operator's to mend"
        );
        assert!(kind.is_of_the_request() || logged != Logged::Nothing, "{kind:?}: somebody wants to know");
        // OpenAI's clients ask again at 408, 409, 429 and from 500 on, unless they are told not to.
        assert!(matches!(status, 400 | 404 | 413 | 502 | 503), "{kind:?}: {status}");
    }
}

/// Errors as the providers document them, or as their users have reported them in public: status, name, text.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn documented_errors_are_whose_they_are() {
    use Provider::{Anthropic, Gemini, OpenAi};
    use ProviderErrorKind::{NoModel, Overloaded, RateLimited, Refused, Rejected, TooLarge, TooLong, Unauthorized};

    for (provider, status, name, text, kind) in [
        // https://platform.openai.com/docs/guides/error-codes
        (OpenAi, 401, "invalid_api_key", "Incorrect API key provided: sk-x.", Unauthorized),
        (OpenAi, 401, "invalid_request_error", "You must be a member of an organization to use the API", Unauthorized),
        (OpenAi, 401, "ip_not_authorized", "Your request IP does not match the configured IP allowlist", Unauthorized),
        (
            OpenAi,
            403,
            "unsupported_country_region_territory",
            "Country, region, or territory not supported",
            Unauthorized,
        ),
        (OpenAi, 403, "model_not_found", "Project `proj_x` does not have access to model `gpt-5`", Unauthorized),
        (OpenAi, 404, "model_not_found", "The model `gpt-9` does not exist or you do not have access to it.", NoModel),
        (OpenAi, 404, "model_not_found", "The model `gpt-4-32k` has been deprecated, learn more here", NoModel),
        (
            OpenAi,
            429,
            "rate_limit_exceeded",
            "Rate limit reached for gpt-5 in organization org-x on tokens per min",
            RateLimited,
        ),
        (
            OpenAi,
            429,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.",
            Unauthorized,
        ),
        (OpenAi, 400, "billing_hard_limit_reached", "Billing hard limit has been reached", Unauthorized),
        (OpenAi, 500, "server_error", "The server had an error while processing your request", Overloaded),
        (OpenAi, 503, "server_error", "The engine is currently overloaded, please try again later", Overloaded),
        (OpenAi, 503, "slow_down", "Slow Down", Overloaded),
        (OpenAi, 400, "context_length_exceeded", "This model's maximum context length is 128000 tokens.", TooLong),
        (
            OpenAi,
            400,
            "invalid_prompt",
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
            Refused,
        ),
        (OpenAi, 400, "content_policy_violation", "Your request was rejected by the safety system.", Refused),
        (
            OpenAi,
            400,
            "content_filter",
            "The response was filtered due to the prompt triggering content management policy.",
            Refused,
        ),
        (OpenAi, 400, "unsupported_value", "'temperature' does not support 0.2 with this model.", Rejected),
        (OpenAi, 400, "invalid_image_url", "Error while downloading the image.", Rejected),
        (OpenAi, 413, "invalid_request_error", "Maximum content size limit exceeded", TooLarge),
        // https://platform.claude.com/docs/en/api/errors
        (Anthropic, 400, "invalid_request_error", "messages: at least one message is required", Rejected),
        (Anthropic, 400, "invalid_request_error", "prompt is too long: 215000 tokens > 200000 maximum", TooLong),
        (
            Anthropic,
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 199000 + 8000 > 200000",
            TooLong,
        ),
        (Anthropic, 400, "invalid_request_error", "Output blocked by content filtering policy", Refused),
        (
            Anthropic,
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
            Unauthorized,
        ),
        (
            Anthropic,
            400,
            "invalid_request_error",
            "You have reached your specified API usage limits. You will regain access on 2026-12-01.",
            Unauthorized,
        ),
        (Anthropic, 401, "authentication_error", "invalid x-api-key", Unauthorized),
        (Anthropic, 402, "billing_error", "There is an issue with your billing or payment information.", Unauthorized),
        (
            Anthropic,
            403,
            "permission_error",
            "Your API key does not have permission to use the specified resource.",
            Unauthorized,
        ),
        (Anthropic, 404, "not_found_error", "model: claude-9", NoModel),
        (Anthropic, 413, "request_too_large", "Request exceeds the maximum size", TooLarge),
        (
            Anthropic,
            429,
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 50,000 input tokens per minute",
            RateLimited,
        ),
        (Anthropic, 500, "api_error", "Internal server error", Overloaded),
        (Anthropic, 504, "timeout_error", "Request timed out", Overloaded),
        (Anthropic, 529, "overloaded_error", "Overloaded", Overloaded),
        // https://ai.google.dev/gemini-api/docs/troubleshooting
        (
            Gemini,
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            TooLong,
        ),
        (Gemini, 400, "INVALID_ARGUMENT", "Request contains an invalid argument.", Rejected),
        (Gemini, 400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", Unauthorized),
        (Gemini, 400, "FAILED_PRECONDITION", "User location is not supported for the API use.", Unauthorized),
        (Gemini, 403, "PERMISSION_DENIED", "Your API key was reported as leaked.", Unauthorized),
        (Gemini, 404, "NOT_FOUND", "models/gemini-0 is not found for API version v1beta", NoModel),
        (Gemini, 429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", RateLimited),
        (
            Gemini,
            429,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota, please check your plan and billing details.",
            Unauthorized,
        ),
        (Gemini, 500, "INTERNAL", "An internal error has occurred.", Overloaded),
        (Gemini, 503, "UNAVAILABLE", "The model is overloaded. Please try again later.", Overloaded),
        (
            Gemini,
            504,
            "DEADLINE_EXCEEDED",
            "The service is unable to finish processing within the deadline.",
            Overloaded,
        ),
        // What nobody documents goes by its status.
        (OpenAi, 418, "teapot", "x", Rejected),
        (OpenAi, 403, "strange", "x", Unauthorized),
        (OpenAi, 429, "strange", "x", RateLimited),
    ] {
        let body = || ErrorBody {
            code: Some(name.to_owned()),
            names: vec![name.to_owned()],
            message: Some(text.to_owned()),
            retry_after_seconds: None,
        };
        let error = ProviderError::from_status(provider, status, None, body());
        assert_eq!(error.kind, kind, "{provider} {status} {name}: {text}");
        // In a stream the name and the text have to do.
        let in_stream = ProviderError::in_stream(provider, body());
        let by_status_alone = ["strange", "teapot", "unsupported_value", "invalid_image_url"].contains(&name)
            || (kind == TooLarge && name == "invalid_request_error")
            || text.starts_with("You must be a member");
        if !by_status_alone {
            let expected = if name == "slow_down" { RateLimited } else { kind };
            assert_eq!(in_stream.kind, expected, "{provider} in a stream, {name}: {text}");
        }
        for said in [error.client_message(), in_stream.to_frame()] {
            assert!(!said.contains("org-x") && !said.contains("proj_x") && !said.contains("sk-x"), "{said}");
        }
    }
    // Gemini's minute: the same words, and when to ask again.
    let minute = ErrorBody {
        names: vec!["RESOURCE_EXHAUSTED".to_owned()],
        message: Some("You exceeded your current quota, please check your plan and billing details.".to_owned()),
        retry_after_seconds: Some(34),
        ..ErrorBody::default()
    };
    assert_eq!(ProviderError::from_status(Gemini, 429, None, minute).kind, RateLimited);
}

#[test]
fn the_documents_say_what_each_becomes() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/SDKS.md")).unwrap();
    for row in table::ROWS {
        let Meaning { status, code, should_retry, logged } = row.kind.meaning();
        let again = if should_retry { "yes" } else { "no" };
        let log = match logged {
            Logged::Nothing => "nothing",
            Logged::Warning => "a warning",
            Logged::Error => "an error",
        };
        let line = format!("| {} | {status} `{code}` | {again} | {log} |", row.what);
        assert!(page.contains(&line), "docs/SDKS.md lacks: {line}");
    }
}

#[test]
fn the_operator_s_account_is_never_told_to_the_customer() {
    use Provider::{Anthropic, Gemini, OpenAi};

    let told = |provider, status, code: &str, message: &str| {
        let body = ErrorBody {
            code: Some(code.to_owned()),
            names: vec![code.to_owned()],
            message: Some(message.to_owned()),
            ..ErrorBody::default()
        };
        let error = ProviderError::from_status(
            provider,
            status,
            None,
            ErrorBody {
                code: body.code.clone(),
                names: body.names.clone(),
                message: body.message.clone(),
                ..ErrorBody::default()
            },
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
fn no_page_of_the_operator_s_is_shown() {
    for text in [
        "Invalid model. See https://platform.openai.com/settings/organization/billing for more.",
        "Invalid model. See platform.openai.com/account/limits for more.",
    ] {
        let error = ProviderError::new(Provider::OpenAi, ProviderErrorKind::Rejected, text);
        assert_eq!(error.client_message(), "Invalid model. See for more.");
    }
    for text in ["You have insufficient funds; top up your prepaid balance", "projects/123456789 has no permission"] {
        let body = ErrorBody { message: Some(text.to_owned()), ..ErrorBody::default() };
        let error = ProviderError::from_status(Provider::OpenAi, 400, None, body);
        assert_eq!(error.kind, ProviderErrorKind::Unauthorized, "{text}");
    }
}

#[test]
fn what_the_caller_can_mend_is_told() {
    for (code, message) in [
        ("context_length_exceeded", "This model's maximum context length is 128000 tokens."),
        ("invalid_request_error", "messages.0.content: Input should be a valid string"),
        ("INVALID_ARGUMENT", "Unable to submit request because it has an empty text parameter."),
    ] {
        let body = ErrorBody {
            code: Some(code.to_owned()),
            names: vec![code.to_owned()],
            message: Some(message.to_owned()),
            ..ErrorBody::default()
        };
        assert_eq!(ProviderError::from_status(Provider::OpenAi, 400, None, body).client_message(), message);
    }
}
