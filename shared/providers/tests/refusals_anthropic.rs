//! What Anthropic refuses, with its sources, as rules that no request of ours breaks.
//!
//! - M: <https://platform.claude.com/docs/en/api/messages>
//! - T: <https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use>
//! - S: <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>
//! - V: <https://platform.claude.com/docs/en/build-with-claude/vision>
//! - refusals quoted in <https://github.com/BerriAI/litellm/issues/3286> (stop sequences),
//!   <https://github.com/home-assistant/core/issues/175637> (blank text), <https://github.com/tailcallhq/forgecode/issues/1872>
//!   (trailing blanks), <https://github.com/BerriAI/litellm/issues/15097> (temperature and nucleus sampling),
//!   <https://github.com/agentjido/req_llm/issues/302> (keywords of schemas)
#![expect(clippy::unwrap_used, reason = "clippy knows #[test] functions, not their helpers")]

mod generated;

use std::collections::BTreeSet;

use generated::{schemas, sent, sent_with, unclosed};
use proptest::prelude::*;
use serde_json::{Value, json};

const MODEL: &str = "anthropic/claude-sonnet-4-5";

fn is_blank(text: &Value) -> bool {
    text.as_str().is_none_or(|text| text.trim().is_empty())
}

fn is_name(name: &Value, most: usize) -> bool {
    name.as_str().is_some_and(|name| {
        (1..=most).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    })
}

/// The rules that a body breaks.
#[expect(clippy::too_many_lines, reason = "a list of rules")]
fn broken(body: &Value) -> Vec<String> {
    let mut out = Vec::new();
    let mut rule = |holds: bool, what: &str| {
        if !holds {
            out.push(what.to_owned());
        }
    };
    rule(
        body["max_tokens"].as_u64().is_some_and(|most| (1..=64_000).contains(&most)),
        "M: max_tokens is required, at most the model's",
    );
    rule(body.get("system").is_none_or(|system| !is_blank(system)), "system: text content blocks must be non-empty");
    let messages = body["messages"].as_array().unwrap();
    rule(!messages.is_empty(), "M: messages: at least one message is required");
    rule(messages.first().is_none_or(|message| message["role"] == "user"), "M: first message must use the user role");
    rule(messages.windows(2).all(|pair| pair[0]["role"] != pair[1]["role"]), "M: roles must alternate");
    let mut ids = BTreeSet::new();
    let mut waiting = BTreeSet::new();
    for message in messages {
        let blocks = message["content"].as_array().unwrap();
        rule(!blocks.is_empty(), "all messages must have non-empty content");
        let (mut answered, mut is_text_before) = (BTreeSet::new(), false);
        for block in blocks {
            match block["type"].as_str().unwrap() {
                "text" => {
                    rule(!is_blank(&block["text"]), "text content blocks must contain non-whitespace text");
                    is_text_before = true;
                }
                "image" => {
                    rule(message["role"] == "user", "images are the user's");
                    let taken = ["image/jpeg", "image/png", "image/gif", "image/webp"];
                    let media_type = block["source"]["media_type"].as_str().unwrap_or("image/png");
                    rule(taken.contains(&media_type), "V: media_type is one of four");
                    is_text_before = true;
                }
                "tool_use" => {
                    rule(
                        message["role"] == "assistant" && is_name(&block["id"], 1_000),
                        "T: tool_use.id: ^[a-zA-Z0-9_-]+$",
                    );
                    rule(is_name(&block["name"], 64), "T: tool_use.name: ^[a-zA-Z0-9_-]{1,64}$");
                    rule(block["input"].is_object(), "T: tool_use.input is an object");
                    rule(ids.insert(block["id"].to_string()), "tool_use ids must be unique");
                }
                "tool_result" => {
                    rule(!is_text_before, "T: tool_result blocks come first");
                    rule(answered.insert(block["tool_use_id"].to_string()), "one tool_result for each tool_use");
                    rule(
                        block.get("content").is_none_or(|content| content.is_array() || !is_blank(content)),
                        "no blank results",
                    );
                }
                other => rule(false, other),
            }
        }
        rule(
            answered == waiting,
            "T: each tool_use has its tool_result in the next message, each tool_result its tool_use before it",
        );
        waiting =
            blocks.iter().filter(|block| block["type"] == "tool_use").map(|block| block["id"].to_string()).collect();
    }
    rule(waiting.is_empty(), "T: tool_use ids were found without tool_result blocks");
    if let Some(last) = messages.last().filter(|message| message["role"] == "assistant") {
        let text = last["content"].as_array().unwrap().last().unwrap()["text"].as_str().unwrap_or_default();
        rule(text.trim_end() == text, "final assistant content cannot end with trailing whitespace");
    }
    let temperature = body.get("temperature").map(|value| value.as_f64().unwrap());
    rule(temperature.is_none_or(|it| (0.0..=1.0).contains(&it)), "M: temperature ranges from 0 to 1");
    rule(temperature.is_none() || body.get("top_p").is_none(), "temperature and top_p cannot both be specified");
    let stops = body["stop_sequences"].as_array().map_or(&[][..], Vec::as_slice);
    rule(stops.iter().all(|stop| !is_blank(stop)), "stop_sequences: each stop sequence must contain non-whitespace");
    let tools = body["tools"].as_array().map_or(&[][..], Vec::as_slice);
    let names: BTreeSet<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    rule(names.len() == tools.len(), "T: tool names must be unique");
    for tool in tools {
        rule(is_name(&tool["name"], 64), "T: tools.name: ^[a-zA-Z0-9_-]{1,64}$");
        let schema = &tool["input_schema"];
        rule(schema["type"] == "object", "T: input_schema.type: must be object");
        rule(
            ["anyOf", "oneOf", "allOf"].iter().all(|name| schema.get(name).is_none()),
            "input_schema: no union at the top",
        );
    }
    let calls = messages
        .iter()
        .flat_map(|message| message["content"].as_array().unwrap())
        .any(|block| block["type"] == "tool_use");
    rule(!calls || !tools.is_empty(), "requests with tool blocks must define tools");
    if let Some(choice) = body.get("tool_choice") {
        rule(!tools.is_empty(), "T: tool_choice may only be specified while providing tools");
        rule(choice.get("name").is_none_or(|name| names.contains(name.as_str().unwrap())), "tool_choice names a tool");
    }
    if let Some(schema) = body.pointer("/output_config/format/schema") {
        rule(unclosed(schema).is_none(), "S: additionalProperties must be false for all objects");
        let refused = ["minimum", "maximum", "multipleOf", "minLength", "maxLength", "maxItems", "oneOf", "not"];
        rule(
            schemas(schema).iter().all(|it| refused.iter().all(|name| it.get(name).is_none())),
            "S: keywords not supported",
        );
    }
    if let Some(effort) = body.pointer("/output_config/effort") {
        rule(["low", "medium", "high", "xhigh", "max"].contains(&effort.as_str().unwrap()), "effort");
    }
    let known = [
        "model",
        "max_tokens",
        "system",
        "messages",
        "temperature",
        "top_p",
        "stop_sequences",
        "tools",
        "tool_choice",
        "output_config",
        "thinking",
        "stream",
        "metadata",
    ];
    rule(body.as_object().unwrap().keys().all(|name| known.contains(&name.as_str())), "extra inputs are not permitted");
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6_000))]
    #[test]
    fn no_request_of_ours_breaks_a_rule_of_anthropic_s(request in generated::request()) {
        if let Ok(body) = sent(MODEL, &request) {
            let broken = broken(&body);
            prop_assert!(broken.is_empty(), "{broken:?}\n{request}\n{body}");
        }
    }
}

#[test]
fn blanks_are_left_out_and_neighbours_become_one_turn() {
    let body = sent(
        MODEL,
        &json!({"stop": ["\n", "", " \t", "END"], "messages": [
        {"role": "system", "content": "  "},
        {"role": "user", "content": "One."},
        {"role": "assistant", "content": " \n"},
        {"role": "user", "content": [{"type": "text", "text": "\t"}, {"type": "text", "text": "Two."}]},
        {"role": "assistant", "content": "Three: "}]}),
    )
    .unwrap();
    assert_eq!(
        body["messages"],
        json!([
        {"role": "user", "content": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Three:"}]}])
    );
    assert_eq!(body["stop_sequences"], json!(["END"]));
    assert!(body.get("system").is_none());
    assert!(sent(MODEL, &json!({"stop": ["\n"]})).unwrap().get("stop_sequences").is_none());
}

#[test]
fn ids_are_anthropic_s_and_each_once() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let body = sent(
        MODEL,
        &json!({"tools": [{"type": "function", "function": {"name": "f"}}], "messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": [call("a.b"), call("a b")]},
        {"role": "user", "content": "wait"},
        {"role": "tool", "tool_call_id": "a b", "content": "2"},
        {"role": "tool", "tool_call_id": "a.b", "content": ""},
        {"role": "assistant", "tool_calls": [call("a.b")]},
        {"role": "tool", "tool_call_id": "a.b", "content": "3"}]}),
    )
    .unwrap();
    let ids: Vec<&str> = ["/1/content/0/id", "/1/content/1/id", "/3/content/0/id"]
        .iter()
        .map(|place| body["messages"].pointer(place).unwrap().as_str().unwrap())
        .collect();
    assert_eq!(ids, ["a_b", "a_b_2", "a_b_3"]);
    assert_eq!(
        body["messages"][2]["content"],
        json!([
        {"type": "tool_result", "tool_use_id": "a_b_2", "content": "2"},
        {"type": "tool_result", "tool_use_id": "a_b"},
        {"type": "text", "text": "wait"}])
    );
    assert_eq!(body["messages"][4]["content"][0]["tool_use_id"], "a_b_3");
}

#[test]
fn schemas_are_objects_and_closed() {
    let parameters = json!({"properties": {"a": {"type": "string"}}, "required": ["a"]});
    let body = sent(MODEL, &json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}, {"type": "function", "function": {"name": "g", "parameters": {}}}]})).unwrap();
    assert_eq!(body["tools"][0]["input_schema"]["type"], "object");
    assert_eq!(body["tools"][1]["input_schema"], json!({"type": "object", "properties": {}}));
    let format = |schema: Value| json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}});
    let body = sent(MODEL, &format(json!({"type": "object", "properties": {"list": {"type": "array", "items": {"properties": {"b": {"type": "integer"}}}}}}))).unwrap();
    assert_eq!(
        body["output_config"]["format"]["schema"],
        json!({"type": "object", "additionalProperties": false, "properties": {
        "list": {"type": "array", "items": {"type": "object", "additionalProperties": false, "properties": {"b": {"type": "integer"}}}}}})
    );
    let at = "response_format.json_schema.schema";
    for (schema, field) in [
        (json!({"type": "object", "additionalProperties": true}), "additionalProperties"),
        (
            json!({"type": "object", "properties": {"a": {"type": "object", "additionalProperties": {"type": "string"}}}}),
            "properties.a.additionalProperties",
        ),
        (json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}}}), "properties.a.minimum"),
        (json!({"anyOf": [{"type": "string", "maxLength": 3}]}), "anyOf[0].maxLength"),
        (json!({"type": "array", "items": {"type": "string"}, "minItems": 2}), "minItems"),
        (json!({"type": "object", "properties": {"a": {"$ref": "https://example.com/s.json"}}}), "properties.a.$ref"),
    ] {
        assert_eq!(sent(MODEL, &format(schema)).unwrap_err().field, format!("{at}.{field}"));
    }
}

#[test]
fn what_cannot_be_said_is_refused_by_name() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let image = |url: &str| json!([{"type": "image_url", "image_url": {"url": url}}]);
    for (request, field) in [
        (json!({"temperature": 0.5, "top_p": 0.5}), "top_p"),
        (json!({"tool_choice": "required"}), "tool_choice"),
        (json!({"tool_choice": {"type": "function", "function": {"name": "f"}}}), "tool_choice.function.name"),
        (json!({"tools": [tool("a.b")]}), "tools[0].function.name"),
        (json!({"tools": [tool("f"), tool("f")]}), "tools[1].function.name"),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}]}),
            "tools[0].function.parameters.type",
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"anyOf": []}}}]}),
            "tools[0].function.parameters.anyOf",
        ),
        (json!({"messages": [{"role": "assistant", "content": "I"}, {"role": "user", "content": "x"}]}), "messages[0]"),
        (
            json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]}]}),
            "messages[1].tool_calls[0].id",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": "c", "content": "x"}]}),
            "messages[1].tool_call_id",
        ),
        (
            json!({"messages": [{"role": "user", "content": image("data:image/tiff;base64,AAAA")}]}),
            "messages[0].content[0].image_url.url",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": image("https://h/a.png")}]}),
            "messages[1].content[0].type",
        ),
        (json!({"reasoning_effort": "odd"}), "reasoning_effort"),
        (json!({"n": 2}), "n"),
    ] {
        assert_eq!(sent(MODEL, &request).unwrap_err().field, field, "{request}");
    }
    let body =
        sent(MODEL, &json!({"tool_choice": "auto", "parallel_tool_calls": false, "temperature": 1, "top_p": 0.9}))
            .unwrap();
    assert!(body.get("tool_choice").is_none() && body.get("temperature").is_none());
    assert_eq!(sent_with(MODEL, &json!({"max_tokens": 200_000}), None).unwrap()["max_tokens"], 64_000);
}
