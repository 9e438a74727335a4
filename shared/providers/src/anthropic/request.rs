//! A chat-completions request as a Messages request.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::message;
use crate::dispatch::{Endpoint, UpstreamRequest};
use crate::model::{ModelRef, Provider};
use crate::request::{ChatRequest, InvalidRequest, ResponseFormat, Tool, ToolChoice};
use crate::{conversation, price, schema, untranslatable};

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
    check_limits(request, model)?;
    conversation::check_tools(request, Provider::Anthropic)?;
    let (mut system, messages) = message::translate(&request.messages)?;
    if request.response_format == ResponseFormat::JsonObject {
        system.push(JSON_OBJECT_INSTRUCTION.to_owned());
    }
    let mut body = Map::new();
    body.insert("model".into(), json!(model.model));
    body.insert(
        "max_tokens".into(),
        // A limit above what the model can answer says nothing, and is refused.
        json!(
            request
                .clamped_max_tokens(max_output_tokens)
                .unwrap_or(DEFAULT_MAX_TOKENS)
                .min(price::max_output_tokens(model).unwrap_or(u64::MAX))
        ),
    );
    if !system.is_empty() {
        body.insert("system".into(), json!(system.join("\n\n")));
    }
    body.insert("messages".into(), Value::Array(messages));
    let (temperature, top_p) = sampling(request);
    body.extend(temperature.map(|temperature| ("temperature".to_owned(), json!(temperature))));
    body.extend(top_p.map(|top_p| ("top_p".to_owned(), json!(top_p))));
    // "each stop sequence must contain non-whitespace" (<https://github.com/BerriAI/litellm/issues/3286>). A blank one cannot be said
    // to Anthropic; without it the answer is the same or longer, never another.
    let stop: Vec<&String> = request.stop.iter().filter(|stop| !message::is_blank(stop)).collect();
    if !stop.is_empty() {
        body.insert("stop_sequences".into(), json!(stop));
    }
    let tools = tools(request)?;
    if !tools.is_empty() {
        body.insert("tools".into(), Value::Array(tools));
        if let Some(choice) = tool_choice(request) {
            body.insert("tool_choice".into(), choice);
        }
    }
    let output = output_config(request)?;
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

fn check_limits(request: &ChatRequest, model: &ModelRef) -> Result<(), InvalidRequest> {
    if request.choices() > 1 {
        return Err(untranslatable::unsupported("n", Provider::Anthropic));
    }
    if request.temperature.is_some_and(|temperature| temperature > 1.0) {
        return Err(InvalidRequest::out_of_range("temperature", "between 0 and 1 for Anthropic"));
    }
    // "`temperature` and `top_p` cannot both be specified for this model" since Claude Opus 4.1
    // (<https://platform.claude.com/docs/en/api/messages>); Claude 3 takes both.
    if let (Some(_), Some(_)) = sampling(request)
        && !model.model.starts_with("claude-3")
    {
        let message = "cannot be combined with temperature for Anthropic: send one of them.";
        return Err(InvalidRequest::unsupported("top_p", message));
    }
    for name in ["frequency_penalty", "presence_penalty"] {
        if request.member(name).is_some_and(|penalty| penalty.as_f64() != Some(0.0)) {
            return Err(untranslatable::unsupported(name, Provider::Anthropic));
        }
    }
    Ok(())
}

/// What is left of `temperature` and `top_p`: where both are set, one that says what is so anyway (1) is not sent.
fn sampling(request: &ChatRequest) -> (Option<f64>, Option<f64>) {
    let is_one = |number: f64| (number - 1.0).abs() < f64::EPSILON;
    match (request.temperature, request.top_p) {
        (temperature @ Some(_), Some(top_p)) if is_one(top_p) => (temperature, None),
        (Some(temperature), top_p @ Some(_)) if is_one(temperature) => (None, top_p),
        both => both,
    }
}

/// The tools, and where the conversation has calls of tools that are not offered any more, those too: blocks of calls need their
/// tools' definitions. They cannot be called then, see [`tool_choice`].
fn tools(request: &ChatRequest) -> Result<Vec<Value>, InvalidRequest> {
    if !request.tools.is_empty() {
        return request.tools.iter().enumerate().map(|(index, of)| tool(of, index)).collect();
    }
    let called: BTreeSet<&str> =
        request.messages.iter().flat_map(|message| &message.tool_calls).map(|call| call.name.as_str()).collect();
    Ok(called
        .into_iter()
        .map(|name| json!({"name": name, "input_schema": {"type": "object", "properties": {}}}))
        .collect())
}

fn tool(tool: &Tool, index: usize) -> Result<Value, InvalidRequest> {
    let Tool::Function { name, description, parameters } = tool else {
        return Ok(Value::Null);
    };
    let at = format!("tools[{index}].function.parameters");
    let mut out = Map::new();
    out.insert("name".into(), json!(name));
    if let Some(description) = description {
        out.insert("description".into(), json!(description));
    }
    // `input_schema` is required; OpenAI's `parameters` is not, and stands for "takes nothing" when it is left out.
    let schema = schema::of_input(parameters.as_ref(), &at)?;
    // "input_schema does not support oneOf, allOf, or anyOf at the top level"
    if let Some(name) = ["anyOf", "oneOf", "allOf"].into_iter().find(|name| schema.get(name).is_some()) {
        return Err(untranslatable::unsupported(format!("{at}.{name}"), Provider::Anthropic));
    }
    out.insert("input_schema".into(), schema);
    Ok(Value::Object(out))
}

fn tool_choice(request: &ChatRequest) -> Option<Value> {
    if request.tools.is_empty() {
        return Some(json!({"type": "none"}));
    }
    let one_at_a_time = request.member("parallel_tool_calls") == Some(Value::Bool(false));
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
fn output_config(request: &ChatRequest) -> Result<Map<String, Value>, InvalidRequest> {
    let mut out = Map::new();
    if let ResponseFormat::JsonSchema(schema) = &request.response_format {
        let closed = schema::ANTHROPIC.closed(&schema.to_string(), "response_format.json_schema.schema")?;
        let schema: Value = serde_json::from_str(&closed).unwrap_or_default();
        out.insert("format".into(), json!({"type": "json_schema", "schema": schema}));
    }
    match request.member("reasoning_effort").as_ref().and_then(Value::as_str) {
        None | Some("none") => {}
        Some("minimal") => drop(out.insert("effort".into(), json!("low"))),
        Some(effort @ ("low" | "medium" | "high" | "xhigh" | "max")) => {
            drop(out.insert("effort".into(), json!(effort)));
        }
        Some(_) => {
            let allowed = "one of none, minimal, low, medium, high, xhigh and max";
            return Err(InvalidRequest::out_of_range("reasoning_effort", allowed));
        }
    }
    Ok(out)
}
