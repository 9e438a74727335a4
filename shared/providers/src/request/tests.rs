use serde_json::json;

use super::*;

fn parse(body: &Value) -> Result<ChatRequest, InvalidRequest> {
    ChatRequest::parse(body.to_string().as_bytes())
}

/// A sound body with members replaced.
fn body(members: &Value) -> Value {
    let mut body = json!({"model": "openai/m", "messages": [{"role": "user", "content": "Hi"}]});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn fault(members: &Value) -> (String, InvalidRequestKind) {
    let error = parse(&body(members)).expect_err("to be refused");
    assert!(error.message.ends_with('.'), "{error}");
    (error.field, error.kind)
}

#[test]
fn what_was_asked_for_is_read() {
    let request =
        parse(&body(&json!({"stream": true, "stream_options": {"include_usage": true}, "n": 3, "max_tokens": 7})))
            .unwrap();
    assert_eq!((request.model(), request.stream(), request.include_usage()), ("openai/m", true, true));
    assert_eq!((request.choices(), request.requested_max_tokens()), (3, Some(7)));
    let newer = parse(&body(&json!({"max_tokens": 7, "max_completion_tokens": 5}))).unwrap();
    assert_eq!(newer.requested_max_tokens(), Some(7), "the larger is held");
    let plain =
        parse(&body(&json!({"stream": null, "n": null, "max_tokens": null, "stop": null, "tools": null}))).unwrap();
    assert_eq!(
        (plain.stream(), plain.include_usage(), plain.choices(), plain.requested_max_tokens()),
        (false, false, 1, None)
    );
}

#[test]
fn include_usage_without_a_stream_means_nothing() {
    assert!(!parse(&body(&json!({"stream_options": {"include_usage": true}}))).unwrap().include_usage());
}

#[test]
fn a_body_that_is_no_object_is_not_json() {
    for body in [&b""[..], b"{", b"[]", b"\"x\"", b"{\"model\":1,}", b"{\"model\":\"\xFF\"}"] {
        let error = ChatRequest::parse(body).unwrap_err();
        assert_eq!((error.kind, error.field.as_str()), (InvalidRequestKind::NotJson, ""), "{body:?}");
    }
}

#[test]
fn missing_fields_are_named() {
    use InvalidRequestKind::Missing;
    for (members, field) in [
        (json!({"model": null}), "model"),
        (json!({"messages": null}), "messages"),
        (json!({"messages": [{"content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user"}]}), "messages[0].content"),
        (
            json!({"messages": [{"role": "user", "content": "x"}, {"role": "tool", "content": "x"}]}),
            "messages[1].tool_call_id",
        ),
        (json!({"messages": [{"role": "user", "content": [{"text": "x"}]}]}), "messages[0].content[0].type"),
        (json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}), "messages[0].content[0].text"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}),
            "messages[0].content[0].image_url.url",
        ),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"function": {}}]}]}),
            "messages[0].tool_calls[0].id",
        ),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "function": {}}]}]}),
            "messages[0].tool_calls[0].function.name",
        ),
        (json!({"tools": [{"type": "function", "function": {}}]}), "tools[0].function.name"),
        (json!({"tool_choice": {"type": "function"}}), "tool_choice.function"),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}),
            "response_format.json_schema.schema",
        ),
    ] {
        assert_eq!(fault(&members), (field.to_owned(), Missing), "{members}");
    }
}

#[test]
fn wrong_types_are_named() {
    use InvalidRequestKind::WrongType;
    for (members, field) in [
        (json!({"model": 5}), "model"),
        (json!({"messages": {}}), "messages"),
        (json!({"messages": ["x"]}), "messages[0]"),
        (json!({"messages": [{"role": 1, "content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user", "content": 7}]}), "messages[0].content"),
        (json!({"messages": [{"role": "user", "content": ["x"]}]}), "messages[0].content[0]"),
        (json!({"stream": "yes"}), "stream"),
        (json!({"stream": true, "stream_options": []}), "stream_options"),
        (json!({"stream": true, "stream_options": {"include_usage": 1}}), "stream_options.include_usage"),
        (json!({"n": "2"}), "n"),
        (json!({"max_tokens": 1.5}), "max_tokens"),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"stop": 1}), "stop"),
        (json!({"stop": ["a", 1]}), "stop[1]"),
        (json!({"tools": {}}), "tools"),
        (json!({"tools": [1]}), "tools[0]"),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": 1}}]}),
            "tools[0].function.parameters",
        ),
        (json!({"tool_choice": 1}), "tool_choice"),
        (json!({"response_format": "json"}), "response_format"),
    ] {
        assert_eq!(fault(&members), (field.to_owned(), WrongType), "{members}");
    }
}

#[test]
fn values_out_of_range_are_named() {
    use InvalidRequestKind::OutOfRange;
    for (members, field) in [
        (json!({"messages": []}), "messages"),
        (json!({"messages": [{"role": "robot", "content": "x"}]}), "messages[0].role"),
        (json!({"n": 0}), "n"),
        (json!({"n": 9}), "n"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"max_tokens": -5}), "max_tokens"),
        (json!({"max_completion_tokens": 100_000_001}), "max_completion_tokens"),
        (json!({"temperature": 2.1}), "temperature"),
        (json!({"top_p": -0.1}), "top_p"),
        (json!({"tool_choice": "maybe"}), "tool_choice"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}]}),
            "messages[0].content[0].image_url.url",
        ),
    ] {
        assert_eq!(fault(&members), (field.to_owned(), OutOfRange), "{members}");
    }
}

#[test]
fn nesting_without_end_is_refused_and_not_followed() {
    let deep = format!(r#"{{"model":"m","messages":[{}1{}]}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(ChatRequest::parse(deep.as_bytes()).is_err());
}

#[test]
fn prompts_are_estimated_from_their_parts() {
    let estimate = |members: Value| parse(&body(&members)).unwrap().prompt_tokens_estimate();
    // 3 for the answer's opening, 4 for the message, 1 for "Hi".
    assert_eq!(estimate(json!({})), 8);
    assert_eq!(estimate(json!({"messages": [{"role": "user", "content": "x".repeat(4_000)}]})), 508);
    assert_eq!(estimate(json!({"messages": [{"role": "user", "content": "世".repeat(1_000)}]})), 847);
    let image = |detail: &str| {
        json!({"messages": [{"role": "user", "content": [{"type": "image_url",
        "image_url": {"url": format!("data:image/png;base64,{}", "A".repeat(100_000)), "detail": detail}}]}]})
    };
    // Its header is none, so it takes as much as any: of a model that is not known, 10,000 patches at 1.2 tokens.
    assert_eq!(estimate(image("auto")), 12_007);
    assert_eq!(estimate(image("low")), 4_923);
    assert_eq!(estimate(json!({"messages": [{"role": "assistant", "content": null}]})), 7);
    let tools = json!([{"type": "function", "function": {"name": "f", "description": "d".repeat(400)}}]);
    assert_eq!(estimate(json!({"tools": tools})), 8 + tokens::estimate(&tools.to_string()));
    let call =
        json!({"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "ffff", "arguments": "{}  "}}]});
    assert_eq!(estimate(json!({"messages": [call]})), 3 + 4 + 3);
    // What only OpenAI knows is passed on, so it counts: a prompt cannot hide in a name.
    let text = "word ".repeat(1_000);
    for hidden in [json!({"name": text}), json!({"function_call": {"arguments": text}}), json!({"refusal": [text]})] {
        let mut message = json!({"role": "assistant", "content": null});
        message.as_object_mut().unwrap().extend(hidden.as_object().unwrap().clone());
        assert!(estimate(json!({"messages": [message]})) > 1_000, "{hidden}");
    }
    assert!(estimate(json!({"prediction": {"type": "content", "content": text}})) > 1_000);
}

#[test]
fn what_leads_to_what_cannot_be_counted_is_refused() {
    let content = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
    for (members, field) in [
        (
            content(json!({"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}})),
            "messages[0].content[0].type",
        ),
        (content(json!({"type": "file", "file": {"file_id": "file-1"}})), "messages[0].content[0].file.file_id"),
        (content(json!({"type": "file"})), "messages[0].content[0].file"),
        (content(json!({"type": "input_audio", "input_audio": {}})), "messages[0].content[0].input_audio.data"),
        (
            content(json!({"type": "image_url", "image_url": {"url": "data:application/pdf;base64,JVBERi0"}})),
            "messages[0].content[0].image_url.url",
        ),
        (json!({"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}), "messages[0].audio"),
    ] {
        assert_eq!(fault(&members).0, field, "{members}");
    }
    assert!(parse(&body(&json!({"messages": [{"role": "assistant", "content": "x", "audio": null}]}))).is_ok());
}

#[test]
fn what_no_value_can_hold_is_not_called_too_deep() {
    let raw = r#"{"model":"m","messages":[{"role":"user","content":"\ud800"}]}"#;
    let message = ChatRequest::parse(raw.as_bytes()).unwrap_err().message;
    assert!(message.contains("lone surrogates"), "{message}");
}

#[test]
fn limits_are_clamped_to_what_is_allowed() {
    let limit = |members: Value, allowed| parse(&body(&members)).unwrap().clamped_max_tokens(allowed);
    assert_eq!(limit(json!({}), None), None);
    assert_eq!(limit(json!({}), Some(5)), Some(5));
    assert_eq!(limit(json!({"max_tokens": 9}), Some(5)), Some(5));
    assert_eq!(limit(json!({"max_tokens": 4}), Some(5)), Some(4));
    assert_eq!(limit(json!({"max_tokens": 4}), None), Some(4));
}
