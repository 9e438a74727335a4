//! What OpenAI refuses of what Tollgate writes or reads itself, with its sources, as rules that no request of ours breaks. What else is
//! in a body goes on as it came, and is OpenAI's to judge.
//!
//! - C: <https://platform.openai.com/docs/api-reference/chat/create>
//! - S: <https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>
#![expect(clippy::unwrap_used, reason = "clippy knows #[test] functions, not their helpers")]

mod generated;

use generated::{schemas, sent, unclosed};
use proptest::prelude::*;
use serde_json::{Value, json};
use tollgate_providers::{ChatRequest, Endpoint, ModelRef, encode_request};

const MODEL: &str = "openai/gpt-5-mini";

/// The rules that a body breaks.
fn broken(body: &Value) -> Vec<String> {
    let mut out = Vec::new();
    let mut rule = |holds: bool, what: &str| {
        if !holds {
            out.push(what.to_owned());
        }
    };
    let stops = body["stop"].as_array().map_or(&[][..], Vec::as_slice);
    rule(stops.len() <= 4 && stops.iter().all(|stop| stop != ""), "C: stop: up to 4 sequences, none empty");
    rule(body.get("stop").is_none_or(|stop| stop != &json!([])), "C: stop: [] is too short");
    let tools = body["tools"].as_array().map_or(&[][..], Vec::as_slice);
    rule(body.get("tools").is_none() || !tools.is_empty(), "C: tools: [] is too short");
    rule(
        !tools.is_empty() || body.get("tool_choice").is_none(),
        "C: tool_choice is only allowed when tools are specified",
    );
    rule(
        !tools.is_empty() || body.get("parallel_tool_calls").is_none(),
        "C: parallel_tool_calls is only allowed when tools are specified",
    );
    rule(body.get("max_tokens").is_none(), "C: max_tokens is not supported with this model, use max_completion_tokens");
    let mut strict: Vec<&Value> = Vec::new();
    for function in tools.iter().map(|tool| &tool["function"]) {
        let name = function["name"].as_str().unwrap();
        rule(
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)),
            "C: name",
        );
        strict.extend(function.get("parameters").filter(|_| function["strict"] == true));
    }
    let format = &body["response_format"]["json_schema"];
    strict.extend(format.get("schema").filter(|_| format["strict"] == true));
    for schema in strict {
        rule(unclosed(schema).is_none(), "S: additionalProperties: false must always be set in objects");
        for schema in schemas(schema) {
            let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
            let all = schema["properties"]
                .as_object()
                .is_none_or(|all| all.keys().all(|name| required.contains(&json!(name))));
            rule(all, "S: all fields must be required");
            rule(["allOf", "oneOf", "not"].iter().all(|name| schema.get(name).is_none()), "S: not supported");
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]
    #[test]
    fn no_request_of_ours_breaks_a_rule_of_openai_s(request in generated::request()) {
        if let Ok(body) = sent(MODEL, &request) {
            let broken = broken(&body);
            prop_assert!(broken.is_empty(), "{broken:?}\n{request}\n{body}");
        }
    }
}

#[test]
fn strict_schemas_are_closed_in_their_order() {
    let body = br#"{"model":"openai/gpt-5","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"object","properties":{}}},"required":["z","a"]}}}}"#;
    let request = ChatRequest::parse(body).unwrap();
    let endpoint = Endpoint { base_url: "http://h".into(), api_key: "k".into() };
    let sent = encode_request(&request, &ModelRef::parse("openai/gpt-5").unwrap(), &endpoint, None).unwrap().body;
    let schema = r#"{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"object","properties":{},"additionalProperties":false}},"required":["z","a"],"additionalProperties":false}"#;
    assert!(sent.contains(schema), "{sent}");
}

#[test]
fn what_cannot_be_said_is_refused_by_name() {
    let format = |schema: Value| json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": true, "schema": schema}}});
    let at = |field: &str| format!("response_format.json_schema.schema.{field}");
    for (request, field) in [
        (json!({"stop": ["a", "b", "c", "d", "e"]}), "stop".to_owned()),
        (json!({"tool_choice": "required"}), "tool_choice".to_owned()),
        (json!({"tools": [{"type": "function", "function": {"name": "a b"}}]}), "tools[0].function.name".to_owned()),
        (format(json!({"type": "object", "additionalProperties": true})), at("additionalProperties")),
        (format(json!({"type": "object", "properties": {"a": {"type": "string"}}})), at("required")),
        (format(json!({"allOf": []})), at("allOf")),
    ] {
        assert_eq!(sent(MODEL, &request).unwrap_err().field, field, "{request}");
    }
    let loose =
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}});
    assert_eq!(
        sent(MODEL, &loose).unwrap()["response_format"],
        loose["response_format"],
        "without strict it is OpenAI's to judge"
    );
    let body = sent(
        MODEL,
        &json!({"tools": [], "tool_choice": "auto", "parallel_tool_calls": true, "stop": "", "max_tokens": 5}),
    )
    .unwrap();
    for name in ["tools", "tool_choice", "parallel_tool_calls", "stop", "max_tokens"] {
        assert!(body.get(name).is_none(), "{name}");
    }
    assert_eq!(body["max_completion_tokens"], 5);
}
