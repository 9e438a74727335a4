//! What only OpenAI has is refused by name.

mod common;

use common::encode;
use serde_json::{Value, json};
use tollgate_providers::InvalidRequestKind;

const OPENAI: &str = "openai/gpt-x";
const ANTHROPIC: &str = "anthropic/claude-x";
const GEMINI: &str = "gemini/gemini-3-x";

fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "f"}}])
}

#[test]
fn what_cannot_be_translated_is_named() {
    let message = |message: Value| json!({"messages": [{"role": "user", "content": "x"}, message]});
    for (members, field) in [
        (json!({"logprobs": true}), "logprobs"),
        (json!({"logit_bias": {"5": 1}}), "logit_bias"),
        (json!({"functions": [{"name": "f"}]}), "functions"),
        (json!({"function_call": "auto"}), "function_call"),
        (json!({"top_logprobs": 2}), "top_logprobs"),
        (json!({"tools": [{"type": "custom", "custom": {"name": "x"}}]}), "tools[0].type"),
        (json!({"tool_choice": {"type": "allowed_tools"}}), "tool_choice.type"),
        (json!({"response_format": {"type": "grammar"}}), "response_format.type"),
        (message(json!({"role": "function", "name": "f", "content": "x"})), "messages[1].role"),
        (
            message(json!({"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "QUJD"}}]})),
            "messages[1].content[0].type",
        ),
        (
            message(json!({"role": "assistant", "tool_calls": [{"id": "1", "type": "custom"}]})),
            "messages[1].tool_calls[0].type",
        ),
        (
            message(
                json!({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/y.png"}}]}),
            ),
            "messages[1].content[0].image_url.url",
        ),
    ] {
        for model in [ANTHROPIC, GEMINI] {
            let error = encode(model, &members, None).unwrap_err();
            assert_eq!(
                (error.field.as_str(), error.kind),
                (field, InvalidRequestKind::Unsupported),
                "{model} {members}"
            );
        }
        assert!(encode(OPENAI, &members, None).is_ok(), "{members}");
    }
    for (model, members, field) in [
        (ANTHROPIC, json!({"n": 2}), "n"),
        (ANTHROPIC, json!({"temperature": 1.2}), "temperature"),
        (ANTHROPIC, json!({"presence_penalty": 0.5}), "presence_penalty"),
        (ANTHROPIC, json!({"messages": [{"role": "system", "content": "only"}]}), "messages"),
        (GEMINI, json!({"messages": [{"role": "user", "content": ""}]}), "messages"),
        (GEMINI, json!({"tools": tools(), "parallel_tool_calls": false}), "parallel_tool_calls"),
        (
            GEMINI,
            message(json!({"role": "tool", "tool_call_id": "unknown", "content": "x"})),
            "messages[1].tool_call_id",
        ),
        (
            ANTHROPIC,
            message(
                json!({"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "[]"}}]}),
            ),
            "messages[1].tool_calls[0].function.arguments",
        ),
        ("tollgate/extractive", json!({}), "model"),
    ] {
        assert_eq!(encode(model, &members, None).unwrap_err().field, field, "{model} {members}");
    }
    let harmless = json!({"n": 1, "logprobs": false, "top_logprobs": 0, "logit_bias": {}, "presence_penalty": 0, "modalities": ["text"]});
    assert!(encode(ANTHROPIC, &harmless, None).is_ok());
}
