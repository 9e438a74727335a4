//! A chat-completions request as a `generateContent` request.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::message;
use crate::dispatch::{Endpoint, UpstreamRequest};
use crate::model::{ModelRef, Provider};
use crate::request::{ChatRequest, InvalidRequest, ResponseFormat, Tool, ToolChoice};
use crate::{conversation, price, schema, untranslatable};

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
    conversation::check_tools(request, Provider::Gemini)?;
    check_limits(request, model)?;
    let (system, contents) = message::translate(&request.messages)?;
    let mut body = Map::new();
    if !system.is_empty() {
        let parts: Vec<Value> = system.iter().map(|text| json!({"text": text})).collect();
        body.insert("systemInstruction".into(), json!({"parts": parts}));
    }
    body.insert("contents".into(), Value::Array(contents));
    let tools: Vec<Value> =
        request.tools.iter().enumerate().map(|(index, tool)| declaration(tool, index)).collect::<Result<_, _>>()?;
    if !tools.is_empty() {
        body.insert("tools".into(), json!([{"functionDeclarations": tools}]));
        if let Some(config) = calling_config(request) {
            body.insert("toolConfig".into(), json!({"functionCallingConfig": config}));
        }
    }
    let config = generation_config(request, model, max_output_tokens)?;
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

/// What no model of Gemini answers beyond, where its own limit is not known: more is refused.
const MOST_OUTPUT: u64 = 65_536;

/// Most stop sequences (<https://ai.google.dev/api/generate-content#generationconfig>).
const MOST_STOPS: usize = 5;

fn check_limits(request: &ChatRequest, model: &ModelRef) -> Result<(), InvalidRequest> {
    if request.stop.iter().filter(|stop| !stop.is_empty()).count() > MOST_STOPS {
        return Err(InvalidRequest::out_of_range("stop", "of at most 5 sequences for Google Gemini"));
    }
    for name in ["presence_penalty", "frequency_penalty"] {
        // The upper end is not part of the range.
        if request.member(name).is_some_and(|penalty| penalty.as_f64().is_none_or(|it| !(-2.0..2.0).contains(&it))) {
            return Err(InvalidRequest::out_of_range(name, "at least -2 and below 2 for Google Gemini"));
        }
    }
    let wants_json = matches!(request.response_format, ResponseFormat::JsonObject | ResponseFormat::JsonSchema(_));
    if wants_json && !request.tools.is_empty() && model.model.starts_with("gemini-2") {
        // "Function calling with a response mime type: 'application/json' is unsupported", before Gemini 3.
        let message = "cannot be combined with tools for this model of Google Gemini.";
        return Err(InvalidRequest::unsupported("response_format", message));
    }
    Ok(())
}

/// Gemini's seed has 32 bits, OpenAI's 64: both halves are folded into one. A seed is a name for "the same again", and the same one
/// is folded to the same.
fn seed(seed: &Value) -> Result<i32, InvalidRequest> {
    let bits = seed
        .as_i64()
        .map(i64::cast_unsigned)
        .or_else(|| seed.as_u64())
        .ok_or_else(|| InvalidRequest::wrong_type("seed", "an integer of 64 bits"))?;
    if let Some(small) = seed.as_i64().and_then(|seed| i32::try_from(seed).ok()) {
        return Ok(small);
    }
    #[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
    Ok(((bits >> 32) as u32 ^ bits as u32).cast_signed())
}

fn declaration(tool: &Tool, index: usize) -> Result<Value, InvalidRequest> {
    let Tool::Function { name, description, parameters } = tool else {
        return Ok(Value::Null);
    };
    let mut out = Map::new();
    out.insert("name".into(), json!(name));
    // Required here, optional there.
    out.insert("description".into(), json!(description.as_deref().unwrap_or_default()));
    if let Some(parameters) = parameters {
        // `parameters` takes only a subset of OpenAPI's schema and refuses what OpenAI's clients send (`additionalProperties`, `$ref`).
        let at = format!("tools[{index}].function.parameters");
        out.insert("parametersJsonSchema".into(), schema::of_input(Some(parameters), &at)?);
    }
    Ok(Value::Object(out))
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

fn generation_config(
    request: &ChatRequest,
    model: &ModelRef,
    max_output_tokens: Option<u64>,
) -> Result<Map<String, Value>, InvalidRequest> {
    let mut out = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    };
    set(
        "maxOutputTokens",
        request.clamped_max_tokens(max_output_tokens).map(|limit| {
            // A limit above what the model can answer says nothing, and is refused.
            Value::from(limit.min(price::max_output_tokens(model).unwrap_or(MOST_OUTPUT)))
        }),
    );
    set("temperature", request.temperature.map(Value::from));
    set("topP", request.top_p.map(Value::from));
    let stop: Vec<&String> = request.stop.iter().filter(|stop| !stop.is_empty()).collect();
    set("stopSequences", (!stop.is_empty()).then(|| json!(stop)));
    set("seed", request.member("seed").as_ref().map(seed).transpose()?.map(Value::from));
    set("candidateCount", (request.choices() > 1).then(|| json!(request.choices())));
    for (theirs, ours) in [("presencePenalty", "presence_penalty"), ("frequencyPenalty", "frequency_penalty")] {
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
    set("thinkingConfig", effort.as_ref().map(|effort| thinking(effort, &model.model)).transpose()?);
    Ok(out)
}

/// The mapping of Google's own OpenAI layer (<https://ai.google.dev/gemini-api/docs/openai#thinking>): Gemini 2.5 takes a budget in
/// tokens, later models a level.
fn thinking(effort: &Value, model: &str) -> Result<Value, InvalidRequest> {
    let effort = effort.as_str().unwrap_or_default();
    if !["none", "minimal", "low", "medium", "high", "xhigh", "max"].contains(&effort) {
        let allowed = "one of none, minimal, low, medium, high, xhigh and max";
        return Err(InvalidRequest::out_of_range("reasoning_effort", allowed));
    }
    // The Pro models cannot but think (<https://ai.google.dev/gemini-api/docs/thinking>).
    let always_thinks = model.contains("-pro");
    if !model.starts_with("gemini-2") {
        let level = match effort {
            "none" | "minimal" if always_thinks => "low",
            "none" => "minimal",
            "xhigh" | "max" => "high",
            other => other,
        };
        return Ok(json!({"thinkingLevel": level}));
    }
    let budget = match effort {
        "none" if always_thinks => 128,
        "none" => 0,
        "minimal" | "low" => 1_024,
        "medium" => 8_192,
        _ => 24_576,
    };
    Ok(json!({"thinkingBudget": budget}))
}
