//! A chat-completions request as a `generateContent` request.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::message;
use crate::dispatch::{Endpoint, UpstreamRequest};
use crate::model::{ModelRef, Provider};
use crate::request::{ChatRequest, InvalidRequest, ResponseFormat, Tool, ToolChoice};
use crate::untranslatable;

pub(crate) fn encode(
    request: &ChatRequest,
    model: &ModelRef,
    endpoint: &Endpoint,
    max_output_tokens: Option<u64>,
) -> Result<UpstreamRequest, InvalidRequest> {
    untranslatable::check(request, Provider::Gemini)?;
    if request.member("parallel_tool_calls") == Some(Value::Bool(false)) && !request.tools.is_empty() {
        return Err(untranslatable::unsupported("parallel_tool_calls", Provider::Gemini));
    }
    let (system, contents) = message::translate(&request.messages)?;
    let mut body = Map::new();
    if !system.is_empty() {
        let parts: Vec<Value> = system.iter().map(|text| json!({"text": text})).collect();
        body.insert("systemInstruction".into(), json!({"parts": parts}));
    }
    body.insert("contents".into(), Value::Array(contents));
    let tools: Vec<Value> = request.tools.iter().map(declaration).collect();
    if !tools.is_empty() {
        body.insert("tools".into(), json!([{"functionDeclarations": tools}]));
    }
    if let Some(config) = calling_config(request) {
        body.insert("toolConfig".into(), json!({"functionCallingConfig": config}));
    }
    let config = generation_config(request, model, max_output_tokens);
    if !config.is_empty() {
        body.insert("generationConfig".into(), Value::Object(config));
    }
    let method = if request.stream() { "streamGenerateContent?alt=sse" } else { "generateContent" };
    Ok(UpstreamRequest {
        url: endpoint.url(&format!("/v1beta/models/{}:{method}", path_segment(&model.model))),
        headers: vec![("content-type", "application/json".to_owned()), ("x-goog-api-key", endpoint.api_key.clone())],
        body: Value::Object(body).to_string(),
    })
}

/// A model name comes from the client and goes into a path: whatever is not plain is escaped, slashes and question marks first of all.
fn path_segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn declaration(tool: &Tool) -> Value {
    let Tool::Function { name, description, parameters } = tool else {
        return Value::Null;
    };
    let mut out = Map::new();
    out.insert("name".into(), json!(name));
    // Required here, optional there.
    out.insert("description".into(), json!(description.as_deref().unwrap_or_default()));
    if let Some(parameters) = parameters {
        // `parameters` takes only a subset of OpenAPI's schema and refuses what OpenAI's clients send (`additionalProperties`, `$ref`).
        out.insert("parametersJsonSchema".into(), parameters.clone());
    }
    Value::Object(out)
}

fn calling_config(request: &ChatRequest) -> Option<Value> {
    match request.tool_choice.as_ref()? {
        ToolChoice::Auto => Some(json!({"mode": "AUTO"})),
        ToolChoice::None => Some(json!({"mode": "NONE"})),
        ToolChoice::Required => Some(json!({"mode": "ANY"})),
        ToolChoice::Function(name) => Some(json!({"mode": "ANY", "allowedFunctionNames": [name]})),
        ToolChoice::Other => None,
    }
}

fn generation_config(request: &ChatRequest, model: &ModelRef, max_output_tokens: Option<u64>) -> Map<String, Value> {
    let mut out = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    };
    set("maxOutputTokens", request.clamped_max_tokens(max_output_tokens).map(Value::from));
    set("temperature", request.temperature.map(Value::from));
    set("topP", request.top_p.map(Value::from));
    set("stopSequences", (!request.stop.is_empty()).then(|| json!(request.stop)));
    set("candidateCount", (request.choices() > 1).then(|| json!(request.choices())));
    for (theirs, ours) in
        [("seed", "seed"), ("presencePenalty", "presence_penalty"), ("frequencyPenalty", "frequency_penalty")]
    {
        set(theirs, request.member(ours));
    }
    match &request.response_format {
        ResponseFormat::JsonObject => set("responseMimeType", Some(json!("application/json"))),
        ResponseFormat::JsonSchema(schema) => {
            set("responseMimeType", Some(json!("application/json")));
            set("responseJsonSchema", Some(schema.clone()));
        }
        ResponseFormat::Text | ResponseFormat::Other => {}
    }
    let effort = request.member("reasoning_effort");
    set("thinkingConfig", effort.as_ref().and_then(Value::as_str).map(|effort| thinking(effort, &model.model)));
    out
}

/// The mapping of Google's own OpenAI layer (<https://ai.google.dev/gemini-api/docs/openai#thinking>): Gemini 2.5 takes a budget in
/// tokens, later models a level.
fn thinking(effort: &str, model: &str) -> Value {
    if !model.starts_with("gemini-2") {
        let level = match effort {
            "none" => "minimal",
            "xhigh" | "max" => "high",
            other => other,
        };
        return json!({"thinkingLevel": level});
    }
    let budget = match effort {
        "none" => 0,
        "minimal" | "low" => 1_024,
        "medium" => 8_192,
        _ => 24_576,
    };
    json!({"thinkingBudget": budget})
}
