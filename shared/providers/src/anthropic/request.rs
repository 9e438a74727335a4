//! A chat-completions request as a Messages request.

use serde_json::{Map, Value, json};

use super::message;
use crate::dispatch::{Endpoint, UpstreamRequest};
use crate::model::{ModelRef, Provider};
use crate::request::{ChatRequest, InvalidRequest, ResponseFormat, Tool, ToolChoice};
use crate::untranslatable;

/// The version of the wire format this codec was written for.
const VERSION: &str = "2023-06-01";
/// `max_tokens` is required; this is what is sent when neither the client nor the plan set one.
const DEFAULT_MAX_TOKENS: u64 = 4_096;
/// Anthropic has no JSON mode without a schema.
const JSON_OBJECT_INSTRUCTION: &str = "Answer with one valid JSON object and nothing else.";

pub(crate) fn encode(
    request: &ChatRequest,
    model: &ModelRef,
    endpoint: &Endpoint,
    max_output_tokens: Option<u64>,
) -> Result<UpstreamRequest, InvalidRequest> {
    untranslatable::check(request, Provider::Anthropic)?;
    check_limits(request)?;
    let (mut system, messages) = message::translate(&request.messages)?;
    if request.response_format == ResponseFormat::JsonObject {
        system.push(JSON_OBJECT_INSTRUCTION.to_owned());
    }
    let mut body = Map::new();
    body.insert("model".into(), json!(model.model));
    body.insert(
        "max_tokens".into(),
        json!(request.clamped_max_tokens(max_output_tokens).unwrap_or(DEFAULT_MAX_TOKENS)),
    );
    if !system.is_empty() {
        body.insert("system".into(), json!(system.join("\n\n")));
    }
    body.insert("messages".into(), Value::Array(messages));
    if let Some(temperature) = request.temperature {
        body.insert("temperature".into(), json!(temperature));
    }
    if let Some(top_p) = request.top_p {
        body.insert("top_p".into(), json!(top_p));
    }
    if !request.stop.is_empty() {
        body.insert("stop_sequences".into(), json!(request.stop));
    }
    if !request.tools.is_empty() {
        body.insert("tools".into(), request.tools.iter().map(tool).collect());
    }
    if let Some(choice) = tool_choice(request) {
        body.insert("tool_choice".into(), choice);
    }
    let output = output_config(request);
    if !output.is_empty() {
        body.insert("output_config".into(), Value::Object(output));
    }
    if request.member("reasoning_effort").is_some_and(|effort| effort == "none") {
        body.insert("thinking".into(), json!({"type": "disabled"}));
    }
    if request.stream() {
        body.insert("stream".into(), json!(true));
    }
    if let Some(end_user) = &request.end_user {
        body.insert("metadata".into(), json!({"user_id": end_user}));
    }
    Ok(UpstreamRequest {
        url: endpoint.url("/v1/messages"),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("x-api-key", endpoint.api_key.clone()),
            ("anthropic-version", VERSION.to_owned()),
        ],
        body: Value::Object(body).to_string(),
    })
}

fn check_limits(request: &ChatRequest) -> Result<(), InvalidRequest> {
    if request.choices() > 1 {
        return Err(untranslatable::unsupported("n", Provider::Anthropic));
    }
    if request.temperature.is_some_and(|temperature| temperature > 1.0) {
        return Err(InvalidRequest::out_of_range("temperature", "between 0 and 1 for Anthropic"));
    }
    for name in ["frequency_penalty", "presence_penalty"] {
        if request.member(name).is_some_and(|penalty| penalty.as_f64() != Some(0.0)) {
            return Err(untranslatable::unsupported(name, Provider::Anthropic));
        }
    }
    Ok(())
}

fn tool(tool: &Tool) -> Value {
    let Tool::Function { name, description, parameters } = tool else {
        return Value::Null;
    };
    let mut out = Map::new();
    out.insert("name".into(), json!(name));
    if let Some(description) = description {
        out.insert("description".into(), json!(description));
    }
    // `input_schema` is required; OpenAI's `parameters` is not, and stands for "takes nothing" when it is left out.
    let schema = parameters.clone().unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    out.insert("input_schema".into(), schema);
    Value::Object(out)
}

fn tool_choice(request: &ChatRequest) -> Option<Value> {
    let one_at_a_time = request.member("parallel_tool_calls") == Some(Value::Bool(false)) && !request.tools.is_empty();
    let mut choice = match &request.tool_choice {
        Some(ToolChoice::Auto) => json!({"type": "auto"}),
        Some(ToolChoice::None) => return Some(json!({"type": "none"})),
        Some(ToolChoice::Required) => json!({"type": "any"}),
        Some(ToolChoice::Function(name)) => json!({"type": "tool", "name": name}),
        Some(ToolChoice::Other) | None if one_at_a_time => json!({"type": "auto"}),
        Some(ToolChoice::Other) | None => return None,
    };
    if one_at_a_time {
        choice["disable_parallel_tool_use"] = json!(true);
    }
    Some(choice)
}

/// `output_config`: the form of the answer and how hard to think. Older models know neither and say so.
fn output_config(request: &ChatRequest) -> Map<String, Value> {
    let mut out = Map::new();
    if let ResponseFormat::JsonSchema(schema) = &request.response_format {
        out.insert("format".into(), json!({"type": "json_schema", "schema": schema}));
    }
    match request.member("reasoning_effort").as_ref().and_then(Value::as_str) {
        None | Some("none") => {}
        Some("minimal") => drop(out.insert("effort".into(), json!("low"))),
        Some(effort) => drop(out.insert("effort".into(), json!(effort))),
    }
    out
}
