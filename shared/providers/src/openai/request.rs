//! The client's body with the few members changed that are Tollgate's business.

use crate::dispatch::{Endpoint, UpstreamRequest};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::members::{Members, quoted};
use crate::model::{ModelRef, Provider};
use crate::request::{ChatRequest, InvalidRequest, allowed};
use crate::schema::Ordered;
use crate::{conversation, schema};

pub(crate) fn encode(
    request: &ChatRequest,
    model: &ModelRef,
    endpoint: &Endpoint,
    max_output_tokens: Option<u64>,
) -> Result<UpstreamRequest, InvalidRequest> {
    conversation::check_tools(request, Provider::OpenAi)?;
    let mut changes = vec![("model", Some(quoted(&model.model)))];
    if request.stream() {
        // The usage of a stream is only sent on request, and it is what gets metered.
        let options = request.members.get("stream_options").and_then(Members::parse).unwrap_or_default();
        changes.push(("stream_options", Some(options.with(&[("include_usage", Some("true".to_owned()))]))));
    }
    changes.extend(limit(request, model, max_output_tokens));
    changes.extend(stop(request)?);
    changes.extend(tools(request)?);
    changes.extend(response_format(request)?);
    changes.extend(allowed::dropped().map(|name| (name, None)));
    if let Some(end_user) = &request.end_user {
        // `safety_identifier` is its newer name, which few compatible servers know.
        changes.retain(|(name, _)| *name != "user");
        changes.push(("user", Some(quoted(end_user))));
    }
    Ok(UpstreamRequest {
        url: endpoint.url("/chat/completions"),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("authorization", format!("Bearer {}", endpoint.api_key)),
        ],
        body: request.members.with(&changes),
    })
}

/// A member of the body and what it becomes; `None` for one that is left out.
type Change = (&'static str, Option<String>);

/// Most stop sequences (<https://platform.openai.com/docs/api-reference/chat/create#chat-create-stop>).
const MOST_STOPS: usize = 4;

/// Empty stop sequences stop nothing, and are refused.
fn stop(request: &ChatRequest) -> Result<Option<Change>, InvalidRequest> {
    let said: Vec<&String> = request.stop.iter().filter(|stop| !stop.is_empty()).collect();
    if said.len() > MOST_STOPS {
        return Err(InvalidRequest::out_of_range("stop", "of at most 4 sequences"));
    }
    if said.len() == request.stop.len() && !said.is_empty() {
        return Ok(None);
    }
    Ok(request.members.get("stop").map(|_| ("stop", (!said.is_empty()).then(|| serde_json::json!(said).to_string()))))
}

/// Without tools what is said about their use is refused, and so is an empty list. With them, `strict` demands closed objects.
fn tools(request: &ChatRequest) -> Result<Vec<Change>, InvalidRequest> {
    if request.tools.is_empty() {
        return Ok(vec![("tools", None), ("tool_choice", None), ("parallel_tool_calls", None)]);
    }
    let raw = request.members.get("tools").unwrap_or_default();
    let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(raw) else {
        return Ok(Vec::new());
    };
    let mut changed = false;
    let mut out = Vec::with_capacity(list.len());
    for (index, tool) in list.iter().enumerate() {
        let closed = strict_tool(tool.get(), index)?;
        changed |= closed.is_some();
        out.push(closed.unwrap_or_else(|| tool.get().to_owned()));
    }
    Ok(if changed { vec![("tools", Some(format!("[{}]", out.join(","))))] } else { Vec::new() })
}

fn strict_tool(tool: &str, index: usize) -> Result<Option<String>, InvalidRequest> {
    let Some(mut tool) = Ordered::parse(tool) else { return Ok(None) };
    let Some(mut function) = tool.get("function").and_then(Ordered::parse) else { return Ok(None) };
    let (true, Some(parameters)) = (function.value("strict") == Some(Value::Bool(true)), function.get("parameters"))
    else {
        return Ok(None);
    };
    let closed = schema::OPENAI.closed(parameters, &format!("tools[{index}].function.parameters"))?;
    function.set("parameters", closed);
    tool.set("function", function.to_string());
    Ok(Some(tool.to_string()))
}

/// A schema that the answer must follow has closed objects.
fn response_format(request: &ChatRequest) -> Result<Option<Change>, InvalidRequest> {
    let Some(mut format) = request.members.get("response_format").and_then(Ordered::parse) else { return Ok(None) };
    let Some(mut wrapper) = format.get("json_schema").and_then(Ordered::parse) else { return Ok(None) };
    let (true, Some(schema)) = (wrapper.value("strict") == Some(Value::Bool(true)), wrapper.get("schema")) else {
        return Ok(None);
    };
    let closed = schema::OPENAI.closed(schema, "response_format.json_schema.schema")?;
    wrapper.set("schema", closed);
    format.set("json_schema", wrapper.to_string());
    Ok(Some(("response_format", Some(format.to_string()))))
}

/// The limit, once, under the name the client used: `max_tokens` is deprecated and refused by reasoning models, but the only
/// one that many compatible servers know. Where both were sent it is the newer one, and the other is taken out.
fn limit(request: &ChatRequest, model: &ModelRef, allowed: Option<u64>) -> Vec<Change> {
    let Some(limit) = request.clamped_max_tokens(allowed) else {
        return Vec::new();
    };
    let limit = Some(limit.to_string());
    // "not compatible with o-series models", nor with those after them.
    let knows_the_old_name = !["o1", "o3", "o4", "gpt-5", "gpt-6"].iter().any(|family| model.model.starts_with(family));
    if request.max_tokens.is_some() && request.max_completion_tokens.is_none() && knows_the_old_name {
        vec![("max_tokens", limit)]
    } else {
        vec![("max_completion_tokens", limit), ("max_tokens", None)]
    }
}
