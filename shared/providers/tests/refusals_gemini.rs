//! What Gemini refuses, with its sources, as rules that no request of ours breaks.
//!
//! - G: <https://ai.google.dev/api/generate-content>
//! - F: <https://ai.google.dev/gemini-api/docs/function-calling>
//! - T: <https://ai.google.dev/gemini-api/docs/thinking>
//! - I: <https://ai.google.dev/gemini-api/docs/image-understanding>
//! - refusals quoted in <https://github.com/kaitranntt/ccs/issues/25> (names of functions),
//!   <https://github.com/AstrBotDevs/AstrBot/issues/5416> (calls and responses)
#![expect(clippy::unwrap_used, reason = "clippy knows #[test] functions, not their helpers")]

mod generated;

use std::collections::BTreeSet;

use generated::sent;
use proptest::prelude::*;
use serde_json::{Value, json};

const MODEL: &str = "gemini/gemini-2.5-flash";

fn is_name(name: &Value) -> bool {
    name.as_str().is_some_and(|name| {
        name.len() <= 64
            && name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b))
    })
}

/// The rules that a body breaks.
fn broken(body: &Value) -> Vec<String> {
    let mut out = Vec::new();
    let mut rule = |holds: bool, what: &str| {
        if !holds {
            out.push(what.to_owned());
        }
    };
    let contents = body["contents"].as_array().unwrap();
    rule(!contents.is_empty(), "G: contents is not specified");
    rule(contents.windows(2).all(|pair| pair[0]["role"] != pair[1]["role"]), "roles alternate");
    let mut waiting: Vec<String> = Vec::new();
    for (index, content) in contents.iter().enumerate() {
        let parts = content["parts"].as_array().unwrap();
        rule(!parts.is_empty(), "G: contents.parts must not be empty");
        let count = |name: &str| parts.iter().filter(|part| part.get(name).is_some()).count();
        let mut answered: Vec<String> = Vec::new();
        let mut others = false;
        for part in parts {
            if let Some(text) = part.get("text") {
                rule(!text.as_str().unwrap().trim().is_empty(), "G: empty text parameter");
            }
            if let Some(call) = part.get("functionCall") {
                rule(
                    content["role"] == "model" && is_name(&call["name"]) && call["args"].is_object(),
                    "F: functionCall",
                );
            }
            if let Some(media_type) = part.pointer("/inlineData/mimeType") {
                let taken = ["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"];
                rule(taken.contains(&media_type.as_str().unwrap()), "I: unsupported MIME type");
            }
            if let Some(response) = part.get("functionResponse") {
                rule(
                    !others && is_name(&response["name"]) && response["response"].is_object(),
                    "F: functionResponse first",
                );
                answered.push(response["id"].to_string());
            } else {
                others = true;
            }
        }
        answered.sort();
        rule(answered == waiting, "F: as many function responses as function calls, in the turn right after them");
        rule(index > 0 || count("functionCall") == 0, "F: function call turn comes immediately after a user turn");
        waiting = parts.iter().filter_map(|part| Some(part.get("functionCall")?["id"].to_string())).collect();
        waiting.sort();
    }
    let config = &body["generationConfig"];
    let in_range = |name: &str, least: f64, most: f64| {
        config.get(name).is_none_or(|it| it.as_f64().is_some_and(|it| (least..=most).contains(&it)))
    };
    rule(in_range("temperature", 0.0, 2.0) && in_range("topP", 0.0, 1.0), "G: temperature 0 to 2, topP 0 to 1");
    rule(
        in_range("maxOutputTokens", 1.0, 65_536.0),
        "G: maxOutputTokens: supported range is from 1 (inclusive) to 65537 (exclusive)",
    );
    rule(in_range("candidateCount", 1.0, 8.0), "G: candidateCount");
    rule(in_range("presencePenalty", -2.0, 1.999_999_999), "penalties are below 2");
    rule(
        config.get("seed").is_none_or(|seed| seed.as_i64().is_some_and(|seed| i32::try_from(seed).is_ok())),
        "G: seed: TYPE_INT32",
    );
    let stops = config["stopSequences"].as_array().map_or(&[][..], Vec::as_slice);
    rule(stops.len() <= 5 && stops.iter().all(|stop| stop != ""), "G: up to 5 stopSequences");
    let tools = body.pointer("/tools/0/functionDeclarations").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let names: BTreeSet<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    rule(names.len() == tools.len(), "F: duplicate function declaration");
    for tool in tools {
        rule(is_name(&tool["name"]) && tool["description"].is_string(), "F: invalid function name");
        rule(tool.get("parameters").is_none(), "F: `parameters` takes a subset only: parametersJsonSchema is sent");
        rule(
            tool.get("parametersJsonSchema").is_none_or(|schema| schema["type"] == "object"),
            "F: parameters are of type object",
        );
    }
    rule(body.get("toolConfig").is_none() || !tools.is_empty(), "F: toolConfig without functionDeclarations");
    let chosen = body.pointer("/toolConfig/functionCallingConfig/allowedFunctionNames/0");
    rule(chosen.is_none_or(|name| names.contains(name.as_str().unwrap())), "F: allowedFunctionNames are declared");
    rule(
        tools.is_empty() || config.get("responseMimeType").is_none(),
        "function calling with application/json is unsupported",
    );
    rule(
        config
            .pointer("/thinkingConfig/thinkingBudget")
            .is_none_or(|budget| budget.as_u64().is_some_and(|it| it <= 24_576)),
        "T: thinkingBudget",
    );
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]
    #[test]
    fn no_request_of_ours_breaks_a_rule_of_gemini_s(request in generated::request()) {
        if let Ok(body) = sent(MODEL, &request) {
            let broken = broken(&body);
            prop_assert!(broken.is_empty(), "{broken:?}\n{request}\n{body}");
        }
    }
}

#[test]
fn seeds_of_64_bits_are_folded_and_small_ones_are_kept() {
    let seed = |seed: Value| sent(MODEL, &json!({"seed": seed})).map(|body| body["generationConfig"]["seed"].clone());
    assert_eq!(seed(json!(7)).unwrap(), 7);
    assert_eq!(seed(json!(-7)).unwrap(), -7);
    assert_eq!(seed(json!(i32::MAX)).unwrap(), i32::MAX);
    for large in
        [json!(i64::MAX), json!(i64::MIN), json!(u64::MAX), json!(1_u64 << 31), json!(9_007_199_254_740_993_u64)]
    {
        let folded = seed(large.clone()).unwrap();
        assert!(i32::try_from(folded.as_i64().unwrap()).is_ok(), "{large}: {folded}");
        assert_eq!(seed(large).unwrap(), folded);
    }
    for wrong in [json!(1.5), json!("7"), json!(1e30)] {
        assert_eq!(seed(wrong).unwrap_err().field, "seed");
    }
}

#[test]
fn what_cannot_be_said_is_refused_by_name() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    for (request, field) in [
        (json!({"stop": ["a", "b", "c", "d", "e", "f"]}), "stop"),
        (json!({"presence_penalty": 2}), "presence_penalty"),
        (json!({"tool_choice": "required"}), "tool_choice"),
        (json!({"tools": [tool("9")]}), "tools[0].function.name"),
        (json!({"tools": [tool("f")], "response_format": {"type": "json_object"}}), "response_format"),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [call("c")]}, {"role": "tool", "tool_call_id": "c", "content": "x"}]}),
            "messages[0]",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call("c"), call("d")]},
            {"role": "tool", "tool_call_id": "c", "content": "x"}, {"role": "assistant", "content": "so"}]}),
            "messages[1].tool_calls[1].id",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lG"}}]}]}),
            "messages[0].content[0].image_url.url",
        ),
        (json!({"reasoning_effort": "odd"}), "reasoning_effort"),
    ] {
        assert_eq!(sent(MODEL, &request).unwrap_err().field, field, "{request}");
    }
    assert!(
        sent("gemini/gemini-3.8-flash", &json!({"tools": [tool("f")], "response_format": {"type": "json_object"}}))
            .is_ok()
    );
    let thinking = |model: &str, effort: &str| {
        sent(model, &json!({"reasoning_effort": effort})).unwrap()["generationConfig"]["thinkingConfig"].clone()
    };
    assert_eq!(thinking("gemini/gemini-2.5-pro", "none"), json!({"thinkingBudget": 128}), "it cannot but think");
    assert_eq!(thinking("gemini/gemini-3.1-pro-preview", "minimal"), json!({"thinkingLevel": "low"}));
    assert_eq!(sent(MODEL, &json!({"stop": ["\n", ""]})).unwrap()["generationConfig"]["stopSequences"], json!(["\n"]));
}
