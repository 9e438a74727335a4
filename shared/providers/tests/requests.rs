//! What is sent upstream for what a client asked.
#![expect(clippy::unwrap_used, reason = "clippy knows #[test] functions, not their helpers")]

mod common;

use common::encode;
use serde_json::{Value, json};
use tollgate_providers::{ChatRequest, Endpoint, InvalidRequestKind, ModelRef, encode_request};

fn body(model: &str, members: &Value) -> Value {
    limited(model, members, None)
}

fn limited(model: &str, members: &Value, allowed: Option<u64>) -> Value {
    serde_json::from_str(&encode(model, members, allowed).unwrap().body).unwrap()
}

const OPENAI: &str = "openai/gpt-x";
const ANTHROPIC: &str = "anthropic/claude-x";
const GEMINI: &str = "gemini/gemini-3-x";

/// A conversation with everything in it.
fn conversation() -> Value {
    json!({
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Use metres."}]},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}},
                {"type": "image_url", "image_url": {"url": "https://example.com/cat.jpg", "detail": "low"}}]},
            {"role": "assistant", "content": "Looking.", "tool_calls": [
                {"id": "call.1", "type": "function", "function": {"name": "look", "arguments": "{\"at\": \"cat\"}"},
                 "extra_content": {"google": {"thought_signature": "SIG"}}},
                {"id": "call_2", "type": "function", "function": {"name": "measure", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "call.1", "content": "{\"seen\": \"a cat\"}"},
            {"role": "tool", "tool_call_id": "call_2", "content": "0.4 m"},
            {"role": "user", "content": ""},
            {"role": "user", "content": "So?"}],
        "tools": [
            {"type": "function", "function": {"name": "look", "description": "Looks.", "strict": true,
                "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "additionalProperties": false}}},
            {"type": "function", "function": {"name": "measure"}}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "temperature": 0.5, "top_p": 0.9, "stop": ["END"], "max_completion_tokens": 300, "user": "u1", "seed": 7,
    })
}

#[test]
fn openai_gets_the_body_as_it_is_with_its_own_model_name() {
    let members = json!({"prediction": {"deep": [1.50, 12_345_678_901_234_567_890_u64]}, "logprobs": true, "n": 2});
    let sent = encode(OPENAI, &members, None).unwrap();
    assert_eq!(sent.url, "http://h/v1/chat/completions");
    assert!(sent.headers.contains(&("authorization", "Bearer k1".to_owned())));
    let body: Value = serde_json::from_str(&sent.body).unwrap();
    let mut expected = members.clone();
    expected["model"] = json!("gpt-x");
    expected["messages"] = json!([{"role": "user", "content": "Hi"}]);
    assert_eq!(body, expected);
}

#[test]
fn openai_s_numbers_and_spaces_are_not_touched() {
    let body = br#"{"messages":[{"role":"user","content":"a\u00e9"}],"prediction":{"big":12345678901234567890123}, "model":"openai/m","seed":1.50}"#;
    let request = ChatRequest::parse(body).unwrap();
    let endpoint = Endpoint { base_url: "http://h/v1".into(), api_key: "k".into() };
    let sent = encode_request(&request, &ModelRef::parse("openai/m").unwrap(), &endpoint, None).unwrap();
    assert_eq!(
        sent.body,
        r#"{"messages":[{"role":"user","content":"a\u00e9"}],"prediction":{"big":12345678901234567890123},"model":"m","seed":1.50}"#
    );
}

#[test]
fn a_second_max_tokens_cannot_slip_past_the_limit() {
    let request = ChatRequest::parse(
        br#"{"model":"openai/m","max_tokens":5,"messages":[{"role":"user","content":"x"}],"max_tokens":9999}"#,
    )
    .unwrap();
    let endpoint = Endpoint { base_url: "http://h/v1".into(), api_key: "k".into() };
    let sent = encode_request(&request, &ModelRef::parse("openai/m").unwrap(), &endpoint, Some(50)).unwrap();
    assert_eq!(sent.body.matches("max_tokens").count(), 1);
    assert!(sent.body.contains("\"max_tokens\":50"));
}

#[test]
fn what_costs_apart_or_acts_on_the_operator_s_account_is_refused_by_name() {
    for (members, field) in [
        (json!({"service_tier": "priority"}), "service_tier"),
        (json!({"service_tier": "flex"}), "service_tier"),
        (json!({"modalities": ["text", "audio"]}), "modalities"),
        (json!({"audio": {"voice": "alloy", "format": "wav"}}), "audio"),
        (json!({"web_search_options": {}}), "web_search_options"),
        (json!({"best_of": 5}), "best_of"),
        (json!({"store": true}), "store"),
        (json!({"metadata": {"a": "b"}}), "metadata"),
        (json!({"prompt_cache_retention": "24h"}), "prompt_cache_retention"),
        (json!({"a_member_of_tomorrow": 1}), "a_member_of_tomorrow"),
        (json!({"tools": [{"type": "web_search"}]}), "tools[0].type"),
    ] {
        for model in [OPENAI, ANTHROPIC, GEMINI] {
            let mut body = json!({"model": model, "messages": [{"role": "user", "content": "x"}]});
            body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            let error = ChatRequest::parse(body.to_string().as_bytes()).unwrap_err();
            assert_eq!((error.field.as_str(), error.kind), (field, InvalidRequestKind::Unsupported), "{members}");
        }
    }
    let harmless = json!({"service_tier": "auto", "modalities": ["text"], "best_of": 1, "store": false, "metadata": {}, "audio": null, "made_up": null});
    let sent = body(OPENAI, &harmless);
    assert!(sent.get("made_up").is_none());
    assert_eq!((&sent["service_tier"], sent.get("audio")), (&json!("auto"), None), "what says nothing is not sent");
}

#[test]
fn the_provider_is_told_who_asks_under_our_name_for_them_alone() {
    let sent = |model: &str, members: Value| -> Value {
        let mut asked = json!({"model": model, "messages": [{"role": "user", "content": "x"}]});
        asked.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let request = ChatRequest::parse(asked.to_string().as_bytes()).unwrap().on_behalf_of("tg_pseudonym".into());
        let endpoint = Endpoint { base_url: "http://h/v1".into(), api_key: "k".into() };
        let model = ModelRef::parse(model).unwrap();
        serde_json::from_str(&encode_request(&request, &model, &endpoint, None).unwrap().body).unwrap()
    };
    let named = json!({"user": "ada@example.com", "safety_identifier": "ada"});
    for members in [json!({}), named.clone()] {
        let openai = sent(OPENAI, members.clone());
        assert_eq!((&openai["user"], openai.get("safety_identifier")), (&json!("tg_pseudonym"), None));
        assert_eq!(sent(ANTHROPIC, members.clone())["metadata"], json!({"user_id": "tg_pseudonym"}));
        assert!(!sent(GEMINI, members).to_string().contains("ada"));
    }
    assert!(body(OPENAI, &named).get("user").is_none(), "the client's own word never leaves");
}

#[test]
fn openai_streams_always_report_usage_and_keep_other_options() {
    assert_eq!(body(OPENAI, &json!({"stream": true}))["stream_options"], json!({"include_usage": true}));
    let options = json!({"include_usage": false, "include_obfuscation": false});
    let sent = body(OPENAI, &json!({"stream": true, "stream_options": options}));
    assert_eq!(sent["stream_options"], json!({"include_usage": true, "include_obfuscation": false}));
    assert!(body(OPENAI, &json!({})).get("stream_options").is_none());
}

#[test]
fn the_limit_is_sent_under_the_name_the_client_used() {
    let sent = |members: Value, allowed| {
        let body = limited(OPENAI, &members, allowed);
        (body.get("max_tokens").and_then(Value::as_u64), body.get("max_completion_tokens").and_then(Value::as_u64))
    };
    assert_eq!(sent(json!({}), None), (None, None));
    assert_eq!(sent(json!({}), Some(9)), (None, Some(9)));
    assert_eq!(sent(json!({"max_tokens": 20}), Some(9)), (Some(9), None));
    assert_eq!(sent(json!({"max_tokens": 5}), Some(9)), (Some(5), None));
    assert_eq!(sent(json!({"max_completion_tokens": 20}), Some(9)), (None, Some(9)));
    assert_eq!(sent(json!({"max_completion_tokens": null}), Some(9)), (None, Some(9)));
    // Both names: the larger counts, and one is sent.
    assert_eq!(sent(json!({"max_completion_tokens": 20, "max_tokens": 5}), Some(9)), (None, Some(9)));
    assert_eq!(sent(json!({"max_completion_tokens": 1, "max_tokens": 200_000}), None), (None, Some(200_000)));
    assert_eq!(sent(json!({"max_completion_tokens": 7, "max_tokens": 5}), None), (None, Some(7)));
    for (allowed, requested, expected) in
        [(None, None, 4_096), (Some(9), None, 9), (Some(9), Some(20), 9), (Some(9), Some(5), 5)]
    {
        assert_eq!(limited(ANTHROPIC, &json!({"max_tokens": requested}), allowed)["max_tokens"], expected);
    }
    assert_eq!(limited(GEMINI, &json!({"max_tokens": 20}), Some(9))["generationConfig"]["maxOutputTokens"], 9);
    assert!(body(GEMINI, &json!({})).get("generationConfig").is_none());
}

#[test]
fn anthropic_gets_turns_of_blocks() {
    let mut conversation = conversation();
    // Anthropic takes one of it and temperature.
    conversation["top_p"] = json!(null);
    let sent = encode(ANTHROPIC, &conversation, Some(200)).unwrap();
    assert_eq!(sent.url, "http://h/v1/messages");
    assert!(sent.headers.contains(&("x-api-key", "k1".to_owned())));
    assert!(sent.headers.contains(&("anthropic-version", "2023-06-01".to_owned())));
    let body: Value = serde_json::from_str(&sent.body).unwrap();
    assert_eq!(
        body,
        json!({
            "model": "claude-x",
            "max_tokens": 200,
            "system": "Be brief.\n\nUse metres.",
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}},
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.jpg"}}]},
                {"role": "assistant", "content": [
                    {"type": "text", "text": "Looking."},
                    {"type": "tool_use", "id": "call_1", "name": "look", "input": {"at": "cat"}},
                    {"type": "tool_use", "id": "call_2", "name": "measure", "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "{\"seen\": \"a cat\"}"},
                    {"type": "tool_result", "tool_use_id": "call_2", "content": "0.4 m"},
                    {"type": "text", "text": "So?"}]}],
            "temperature": 0.5,
            "stop_sequences": ["END"],
            "tools": [
                {"name": "look", "description": "Looks.",
                 "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}, "additionalProperties": false}},
                {"name": "measure", "input_schema": {"type": "object", "properties": {}}}],
            "tool_choice": {"type": "tool", "name": "look"},
        })
    );
}

#[test]
fn gemini_gets_contents_of_parts() {
    let sent = encode(GEMINI, &conversation(), Some(200)).unwrap();
    assert_eq!(sent.url, "http://h/v1beta/models/gemini-3-x:generateContent");
    assert!(sent.headers.contains(&("x-goog-api-key", "k1".to_owned())));
    let body: Value = serde_json::from_str(&sent.body).unwrap();
    assert_eq!(
        body,
        json!({
            "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Use metres."}]},
            "contents": [
                {"role": "user", "parts": [
                    {"text": "What is this?"},
                    {"inlineData": {"mimeType": "image/png", "data": "iVBORw0="}},
                    {"fileData": {"fileUri": "https://example.com/cat.jpg", "mimeType": "image/jpeg"}}]},
                {"role": "model", "parts": [
                    {"text": "Looking."},
                    {"functionCall": {"id": "call.1", "name": "look", "args": {"at": "cat"}}, "thoughtSignature": "SIG"},
                    {"functionCall": {"id": "call_2", "name": "measure", "args": {}}}]},
                {"role": "user", "parts": [
                    {"functionResponse": {"id": "call.1", "name": "look", "response": {"seen": "a cat"}}},
                    {"functionResponse": {"id": "call_2", "name": "measure", "response": {"result": "0.4 m"}}},
                    {"text": "So?"}]}],
            "tools": [{"functionDeclarations": [
                {"name": "look", "description": "Looks.", "parametersJsonSchema":
                    {"type": "object", "properties": {"at": {"type": "string"}}, "additionalProperties": false}},
                {"name": "measure", "description": ""}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}},
            "generationConfig": {"maxOutputTokens": 200, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"], "seed": 7},
        })
    );
}

#[test]
fn streams_are_asked_for_in_each_provider_s_way() {
    let stream = json!({"stream": true});
    assert_eq!(body(ANTHROPIC, &stream)["stream"], true);
    assert_eq!(
        encode(GEMINI, &stream, None).unwrap().url,
        "http://h/v1beta/models/gemini-3-x:streamGenerateContent?alt=sse"
    );
}

#[test]
fn a_model_name_cannot_leave_its_place_in_the_url() {
    let url = encode("gemini/../../x?key=1#", &json!({}), None).unwrap().url;
    assert_eq!(url, "http://h/v1beta/models/..%2F..%2Fx%3Fkey%3D1%23:generateContent");
}

#[test]
fn tool_choices_are_translated() {
    let with = |choice: &str| json!({"tools": conversation()["tools"], "tool_choice": choice});
    for (choice, anthropic, gemini) in [("auto", "auto", "AUTO"), ("none", "none", "NONE"), ("required", "any", "ANY")]
    {
        assert_eq!(body(ANTHROPIC, &with(choice))["tool_choice"], json!({"type": anthropic}));
        assert_eq!(body(GEMINI, &with(choice))["toolConfig"], json!({"functionCallingConfig": {"mode": gemini}}));
    }
    let one = json!({"tools": conversation()["tools"], "parallel_tool_calls": false});
    assert_eq!(body(ANTHROPIC, &one)["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}));
}

#[test]
fn response_formats_are_translated() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    let format = json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": true, "schema": schema}}});
    let mut closed = schema.clone();
    closed["additionalProperties"] = json!(false);
    assert_eq!(body(ANTHROPIC, &format)["output_config"], json!({"format": {"type": "json_schema", "schema": closed}}));
    assert_eq!(
        body(GEMINI, &format)["generationConfig"],
        json!({"responseMimeType": "application/json", "responseJsonSchema": schema})
    );
    let object = json!({"response_format": {"type": "json_object"}});
    assert!(body(ANTHROPIC, &object)["system"].as_str().unwrap().contains("JSON"));
    assert_eq!(body(GEMINI, &object)["generationConfig"], json!({"responseMimeType": "application/json"}));
}

#[test]
fn effort_is_translated() {
    let effort = |effort: &str| json!({"reasoning_effort": effort});
    assert_eq!(body(ANTHROPIC, &effort("high"))["output_config"], json!({"effort": "high"}));
    assert_eq!(body(ANTHROPIC, &effort("none"))["thinking"], json!({"type": "disabled"}));
    let thinking = |model: &str, word: &str| body(model, &effort(word))["generationConfig"]["thinkingConfig"].clone();
    assert_eq!(thinking(GEMINI, "medium"), json!({"thinkingLevel": "medium"}));
    assert_eq!(thinking("gemini/gemini-2.5-flash", "medium"), json!({"thinkingBudget": 8_192}));
    assert_eq!(thinking("gemini/gemini-2.5-flash", "none"), json!({"thinkingBudget": 0}));
}

#[test]
fn gemini_takes_several_choices_and_a_foreign_call_without_signature() {
    let calls = json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let members =
        json!({"n": 3, "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": calls}]});
    let sent = body(GEMINI, &members);
    assert_eq!(sent["generationConfig"]["candidateCount"], 3);
    assert_eq!(sent["contents"][1]["parts"][0]["thoughtSignature"], "skip_thought_signature_validator");
}

#[test]
fn nothing_that_is_printed_for_debugging_has_the_key_in_it() {
    let sent = encode(OPENAI, &json!({}), None).unwrap();
    assert!(!format!("{sent:?}").contains("k1"));
    assert!(!format!("{:?}", Endpoint { base_url: "b".into(), api_key: "k1".into() }).contains("k1"));
}
