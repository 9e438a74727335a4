//! Whole answers and errors, read.
#![expect(clippy::unwrap_used, reason = "clippy knows #[test] functions, not their helpers")]

mod common;

use common::{meta, model_of, recording, request};
use serde_json::{Value, json};
use tollgate_providers::{Completion, ProviderError, ProviderErrorKind, Usage, decode_completion};

fn decode(name: &str, status: u16, retry_after: Option<&str>, body: &[u8]) -> Result<Completion, ProviderError> {
    decode_completion(&request(json!({"stream": false})), &model_of(name), status, retry_after, body, &meta())
}

fn recorded(name: &str) -> (Value, Usage) {
    let completion = decode(name, 200, None, &recording(name)).unwrap();
    (serde_json::from_str(&completion.body).unwrap(), completion.usage)
}

#[test]
fn openai_s_answer_is_passed_on_byte_for_byte() {
    let body = recording("openai_completion.json");
    let completion = decode("openai_", 200, None, &body).unwrap();
    assert_eq!(completion.body.as_bytes(), body);
    let usage = Usage {
        prompt_tokens: 19,
        completion_tokens: 30,
        cached_tokens: 8,
        reasoning_tokens: 16,
        estimated: false,
        ..Usage::default()
    };
    assert_eq!(completion.usage, usage);
}

#[test]
fn openai_s_missing_usage_is_put_in_and_nothing_else_changes() {
    for usage in ["", ",\"usage\":null", ",\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0}", ",\"usage\":\"?\""]
    {
        let head = r#"{"object":"chat.completion","choices":[{"index":0,"message":{"content":"Grüße, 世界","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}],"big":12345678901234567890123"#;
        let completion = decode("openai_", 200, None, format!("{head}{usage}}}").as_bytes()).unwrap();
        assert!(completion.body.starts_with(head), "{}", completion.body);
        let body: Value = serde_json::from_str(&completion.body).unwrap();
        // "Grüße, 世界", "f" and "{}".
        assert_eq!(completion.usage.completion_tokens, 10, "{usage}");
        assert_eq!(completion.usage.prompt_tokens, request(json!({})).prompt_tokens_estimate());
        assert!(completion.usage.estimated);
        assert_eq!(body["usage"]["completion_tokens"], 10);
        assert_eq!(body["usage"]["total_tokens"], completion.usage.total());
    }
}

#[test]
fn anthropic_s_answer_becomes_a_completion() {
    let (body, usage) = recorded("anthropic_message.json");
    assert_eq!(
        usage,
        Usage {
            prompt_tokens: 127,
            completion_tokens: 64,
            cached_tokens: 100,
            cache_written_tokens: 7,
            ..Usage::default()
        }
    );
    assert_eq!(
        body,
        json!({
            "id": "chatcmpl-t1", "object": "chat.completion", "created": 1_763_694_000, "model": "p/m",
            "choices": [{"index": 0, "finish_reason": "tool_calls", "logprobs": null, "message": {
                "role": "assistant", "content": "Let me look.", "refusal": null, "reasoning_content": "Hm.",
                "tool_calls": [{"id": "toolu_01", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"Zürich\"}"}}]}}],
            "usage": {"prompt_tokens": 127, "completion_tokens": 64, "total_tokens": 191,
                "prompt_tokens_details": {"cached_tokens": 100}, "completion_tokens_details": {"reasoning_tokens": 0}},
        })
    );
}

#[test]
fn gemini_s_answer_becomes_a_completion() {
    let (body, usage) = recorded("gemini_response.json");
    assert_eq!(
        usage,
        Usage {
            prompt_tokens: 60,
            completion_tokens: 58,
            cached_tokens: 50,
            reasoning_tokens: 40,
            estimated: false,
            ..Usage::default()
        }
    );
    assert_eq!(
        body["choices"],
        json!([{"index": 0, "finish_reason": "tool_calls", "logprobs": null, "message": {
            "role": "assistant", "content": "Grüße 世界", "refusal": null, "reasoning_content": "Thinking it over.",
            "tool_calls": [{"id": "call_t1_0", "type": "function", "function": {"name": "get_time", "arguments": "{}"},
                "extra_content": {"google": {"thought_signature": "Cs=="}}}]}}])
    );
    assert_eq!(body["usage"]["total_tokens"], 118);
}

#[test]
fn what_was_left_out_is_estimated_or_empty() {
    let message = br#"{"content":[{"type":"text","text":"abcdefgh"},{"type":"server_tool_use","id":"x"}],"stop_reason":"refusal"}"#;
    let completion = decode("anthropic_", 200, None, message).unwrap();
    assert_eq!((completion.usage.completion_tokens, completion.usage.estimated), (3, true));
    assert!(completion.body.contains("\"finish_reason\":\"content_filter\""));

    let blocked =
        br#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5}}"#;
    let completion = decode("gemini_", 200, None, blocked).unwrap();
    assert_eq!(completion.usage, Usage { prompt_tokens: 5, ..Usage::default() });
    let body: Value = serde_json::from_str(&completion.body).unwrap();
    assert_eq!(body["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(body["choices"][0]["message"]["content"], "");
}

#[test]
fn several_candidates_are_several_choices() {
    let body = br#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"},{"index":1,"content":{"parts":[{"text":"b"}]},"finishReason":"MAX_TOKENS"}]}"#;
    let body: Value = serde_json::from_str(&decode("gemini_", 200, None, body).unwrap().body).unwrap();
    let read: Vec<(&Value, &Value)> =
        body["choices"].as_array().unwrap().iter().map(|c| (&c["message"]["content"], &c["finish_reason"])).collect();
    assert_eq!(read, [(&json!("a"), &json!("stop")), (&json!("b"), &json!("length"))]);
}

#[test]
fn an_unreadable_answer_is_a_bad_answer() {
    for name in ["openai_", "anthropic_", "gemini_"] {
        for body in [
            &b""[..],
            b"<html>",
            b"[]",
            b"{}",
            b"{\"choices\":[],\"candidates\":[],\"content\":5}",
            b"\xFF",
            b"{\"choices\":[{}]}",
        ] {
            let error = decode(name, 200, None, body).unwrap_err();
            assert_eq!((error.kind, error.status), (ProviderErrorKind::BadAnswer, None), "{name} {body:?}");
        }
        assert_eq!(decode(name, 302, None, b"").unwrap_err().kind, ProviderErrorKind::BadAnswer);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn errors_are_sorted_by_what_they_mean() {
    use ProviderErrorKind::{NoModel, Overloaded, RateLimited, Rejected, TooLarge, TooLong, Unauthorized};
    for (name, status, body, kind, code, message) in [
        (
            "openai_",
            400,
            r#"{"error":{"message":"too long","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            TooLong,
            Some("context_length_exceeded"),
            "too long",
        ),
        (
            "openai_",
            401,
            r#"{"error":{"message":"Incorrect API key provided: sk-abcdefghij.","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            Unauthorized,
            Some("invalid_api_key"),
            "Incorrect API key provided: [redacted].",
        ),
        (
            "openai_",
            404,
            r#"{"error":{"message":"no model","code":null,"type":"invalid_request_error"}}"#,
            NoModel,
            Some("invalid_request_error"),
            "no model",
        ),
        (
            "openai_",
            429,
            r#"{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}"#,
            RateLimited,
            Some("rate_limit_exceeded"),
            "slow down",
        ),
        ("openai_", 500, r#"{"error":"a bare string"}"#, Overloaded, None, "a bare string"),
        (
            "openai_",
            422,
            r#"{"object":"error","message":"vLLM says no","code":40001}"#,
            Rejected,
            Some("40001"),
            "vLLM says no",
        ),
        ("openai_", 502, "<html>\n<b>Bad Gateway</b>", Overloaded, None, "<html> <b>Bad Gateway</b>"),
        ("openai_", 503, "", Overloaded, None, "HTTP status 503 without a message"),
        (
            "anthropic_",
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"bad"}}"#,
            Rejected,
            Some("invalid_request_error"),
            "bad",
        ),
        (
            "anthropic_",
            403,
            r#"{"type":"error","error":{"type":"permission_error","message":"no"}}"#,
            Unauthorized,
            Some("permission_error"),
            "no",
        ),
        (
            "anthropic_",
            402,
            r#"{"type":"error","error":{"type":"billing_error","message":"pay"}}"#,
            Unauthorized,
            Some("billing_error"),
            "pay",
        ),
        (
            "anthropic_",
            413,
            r#"{"type":"error","error":{"type":"request_too_large","message":"big"}}"#,
            TooLarge,
            Some("request_too_large"),
            "big",
        ),
        (
            "anthropic_",
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Overloaded,
            Some("overloaded_error"),
            "Overloaded",
        ),
        (
            "gemini_",
            400,
            r#"{"error":{"code":400,"message":"bad arg","status":"INVALID_ARGUMENT"}}"#,
            Rejected,
            Some("INVALID_ARGUMENT"),
            "bad arg",
        ),
        (
            "gemini_",
            400,
            r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}"#,
            Unauthorized,
            Some("INVALID_ARGUMENT"),
            "API key not valid.",
        ),
        (
            "gemini_",
            503,
            r#"[{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}]"#,
            Overloaded,
            Some("UNAVAILABLE"),
            "busy",
        ),
    ] {
        let error = decode(name, status, None, body.as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.status), (kind, Some(status)), "{name} {body}");
        assert_eq!((error.code.as_deref(), error.message.as_str()), (code, message), "{name} {body}");
        assert_eq!(error.provider, model_of(name).provider);
    }
}

#[test]
fn when_to_try_again_comes_from_the_header_or_from_gemini_s_details() {
    assert_eq!(decode("openai_", 429, Some("1.5"), b"{}").unwrap_err().retry_after_seconds, Some(2));
    assert_eq!(decode("openai_", 429, None, b"{}").unwrap_err().retry_after_seconds, None);
    let body = br#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.07s"}]}}"#;
    let error = decode("gemini_", 429, None, body).unwrap_err();
    assert_eq!((error.kind, error.retry_after_seconds), (ProviderErrorKind::RateLimited, Some(35)));
    assert_eq!(decode("gemini_", 429, Some("3"), body).unwrap_err().retry_after_seconds, Some(3));
}
