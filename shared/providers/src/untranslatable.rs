//! What only OpenAI has. A field that would change the answer and cannot be carried over is refused by name, so that nobody gets
//! less than was asked for without being told. Hints that do not change what an answer means (`seed`, `service_tier`,
//! `prompt_cache_key`, `prediction`, `verbosity`) are left out; what is unknown was refused before (`request::allowed`).

use serde_json::Value;

use crate::model::Provider;
use crate::request::{ChatRequest, InvalidRequest, Part, ResponseFormat, Role, Tool, ToolChoice};

/// Refuses what neither Anthropic nor Gemini can do.
pub(crate) fn check(request: &ChatRequest, provider: Provider) -> Result<(), InvalidRequest> {
    let refuse = |field: String| Err(unsupported(field, provider));
    for (name, harmless) in FIELDS {
        if request.member(name).is_some_and(|value| !harmless(&value)) {
            return refuse((*name).to_owned());
        }
    }
    if request.response_format == ResponseFormat::Other {
        return refuse("response_format.type".into());
    }
    if request.tool_choice == Some(ToolChoice::Other) {
        return refuse("tool_choice.type".into());
    }
    if let Some(index) = request.tools.iter().position(|tool| matches!(tool, Tool::Other)) {
        return refuse(format!("tools[{index}].type"));
    }
    for (index, message) in request.messages.iter().enumerate() {
        if message.role == Role::Function {
            return refuse(format!("messages[{index}].role"));
        }
        if let Some(call) = message.tool_calls.iter().position(|call| !call.is_function) {
            return refuse(format!("messages[{index}].tool_calls[{call}].type"));
        }
        if let Some(part) = message.parts.iter().position(|part| matches!(part, Part::Attached(_))) {
            return refuse(format!("messages[{index}].content[{part}].type"));
        }
    }
    Ok(())
}

pub(crate) fn unsupported(field: impl Into<String>, provider: Provider) -> InvalidRequest {
    InvalidRequest::unsupported(field, format!("is not supported by {}.", provider.display_name()))
}

/// A field and the values of it that ask for nothing.
type Field = (&'static str, fn(&Value) -> bool);

const FIELDS: &[Field] = &[
    ("logprobs", |value| value == &Value::Bool(false)),
    ("top_logprobs", |value| value.as_u64() == Some(0)),
    ("logit_bias", is_empty),
    ("functions", is_empty),
    ("function_call", |_| false),
];

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}
