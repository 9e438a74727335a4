//! Tools, their choice, their calls, and the response format.

use serde_json::{Map, Value};

use super::InvalidRequest;
use super::message::take_text;

/// A tool the model may call.
#[derive(Debug, Clone)]
pub(crate) enum Tool {
    Function {
        name: String,
        description: Option<String>,
        parameters: Option<Value>,
    },
    /// A tool only OpenAI knows (`custom`).
    Other,
}

/// Which tool the model shall call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToolChoice {
    Auto,
    None,
    Required,
    Function(String),
    /// A choice only OpenAI knows (`allowed_tools`, `custom`).
    Other,
}

/// A call the assistant made earlier in the conversation.
#[derive(Debug, Clone)]
pub(crate) struct ToolCall {
    pub(crate) id: String,
    pub(crate) name: String,
    /// JSON text, as the model wrote it.
    pub(crate) arguments: String,
    /// Gemini's signature of the thinking behind the call, which it wants back (`extra_content.google.thought_signature`,
    /// as in its OpenAI compatibility layer).
    pub(crate) thought_signature: Option<String>,
    /// Whether this is a call of a function, the only kind the other providers know.
    pub(crate) is_function: bool,
}

/// The form the answer shall have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ResponseFormat {
    Text,
    JsonObject,
    JsonSchema(Value),
    /// A form only OpenAI knows.
    Other,
}

pub(super) fn read_tools(tools: Option<Value>) -> Result<Vec<Tool>, InvalidRequest> {
    match tools {
        None => Ok(Vec::new()),
        Some(Value::Array(tools)) => {
            tools.into_iter().enumerate().map(|(index, tool)| read_tool(tool, &format!("tools[{index}]"))).collect()
        }
        Some(_) => Err(InvalidRequest::wrong_type("tools", "an array")),
    }
}

fn read_tool(tool: Value, at: &str) -> Result<Tool, InvalidRequest> {
    let mut tool = object(Some(tool), at)?;
    let kind = required_text(&mut tool, "type", at)?;
    if kind == "custom" {
        return Ok(Tool::Other);
    }
    if kind != "function" {
        // Tools that a provider carries out itself (a search, a sandbox) are billed by the call.
        let message = "must be function or custom: what the provider carries out itself costs apart from tokens.";
        return Err(InvalidRequest::unsupported(format!("{at}.type"), message));
    }
    let at = format!("{at}.function");
    let mut function = object(tool.remove("function"), &at)?;
    let parameters = match function.remove("parameters") {
        None | Some(Value::Null) => None,
        Some(parameters @ Value::Object(_)) => Some(parameters),
        Some(_) => {
            return Err(InvalidRequest::wrong_type(format!("{at}.parameters"), "a JSON schema object"));
        }
    };
    Ok(Tool::Function {
        name: required_text(&mut function, "name", &at)?,
        description: take_text(&mut function, "description", &at)?,
        parameters,
    })
}

pub(super) fn read_tool_choice(choice: Option<Value>) -> Result<Option<ToolChoice>, InvalidRequest> {
    let at = "tool_choice";
    match choice {
        None => Ok(None),
        Some(Value::String(word)) => match word.as_str() {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" => Ok(Some(ToolChoice::Required)),
            _ => Err(InvalidRequest::out_of_range(at, "auto, none, required or an object")),
        },
        Some(choice) => {
            let mut choice = object(Some(choice), at)?;
            let kind = required_text(&mut choice, "type", at)?;
            if kind != "function" {
                return Ok(Some(ToolChoice::Other));
            }
            let at = "tool_choice.function";
            let mut function = object(choice.remove("function"), at)?;
            Ok(Some(ToolChoice::Function(required_text(&mut function, "name", at)?)))
        }
    }
}

pub(super) fn read_tool_calls(calls: Option<Value>, at: &str) -> Result<Vec<ToolCall>, InvalidRequest> {
    match calls {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(calls)) => {
            calls.into_iter().enumerate().map(|(index, call)| read_tool_call(call, &format!("{at}[{index}]"))).collect()
        }
        Some(_) => Err(InvalidRequest::wrong_type(at, "an array")),
    }
}

fn read_tool_call(call: Value, at: &str) -> Result<ToolCall, InvalidRequest> {
    let thought_signature =
        call.pointer("/extra_content/google/thought_signature").and_then(Value::as_str).map(ToOwned::to_owned);
    let mut call = object(Some(call), at)?;
    let id = required_text(&mut call, "id", at)?;
    let kind = take_text(&mut call, "type", at)?;
    if kind.as_deref().is_some_and(|kind| kind != "function") {
        let arguments = Value::Object(call).to_string();
        return Ok(ToolCall { id, name: String::new(), arguments, thought_signature, is_function: false });
    }
    let at = format!("{at}.function");
    let mut function = object(call.remove("function"), &at)?;
    let name = required_text(&mut function, "name", &at)?;
    let arguments = take_text(&mut function, "arguments", &at)?.unwrap_or_default();
    Ok(ToolCall { id, name, arguments, thought_signature, is_function: true })
}

pub(super) fn read_response_format(format: Option<Value>) -> Result<ResponseFormat, InvalidRequest> {
    let at = "response_format";
    let Some(format) = format else {
        return Ok(ResponseFormat::Text);
    };
    let mut format = object(Some(format), at)?;
    let kind = required_text(&mut format, "type", at)?;
    match kind.as_str() {
        "text" => Ok(ResponseFormat::Text),
        "json_object" => Ok(ResponseFormat::JsonObject),
        "json_schema" => {
            let at = "response_format.json_schema";
            let mut wrapper = object(format.remove("json_schema"), at)?;
            let schema = object(wrapper.remove("schema"), &format!("{at}.schema"))?;
            Ok(ResponseFormat::JsonSchema(Value::Object(schema)))
        }
        _ => Ok(ResponseFormat::Other),
    }
}

fn object(value: Option<Value>, at: &str) -> Result<Map<String, Value>, InvalidRequest> {
    match value {
        None | Some(Value::Null) => Err(InvalidRequest::missing(at)),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(InvalidRequest::wrong_type(at, "an object")),
    }
}

fn required_text(object: &mut Map<String, Value>, name: &str, at: &str) -> Result<String, InvalidRequest> {
    take_text(object, name, at)?.ok_or_else(|| InvalidRequest::missing(format!("{at}.{name}")))
}
