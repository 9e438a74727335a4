//! `messages`: roles, text, images, tool calls and their results.

use serde_json::{Map, Value};

use super::tools::{ToolCall, read_tool_calls};
use super::{InvalidRequest, InvalidRequestKind};
use crate::attachment::{self, Attachment, Detail};
use crate::image;
use crate::model::ModelRef;
use crate::tokens::TextTally;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// `system`, and `developer`, its newer name.
    System,
    User,
    Assistant,
    Tool,
    /// The deprecated `function`: passed on to OpenAI, unknown to the others.
    Function,
}

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) role: Role,
    pub(crate) parts: Vec<Part>,
    pub(crate) tool_calls: Vec<ToolCall>,
    /// For [`Role::Tool`]: the call this is the result of.
    pub(crate) tool_call_id: Option<String>,
    /// Text in members that only OpenAI knows (`name`, `function_call`, …): it is passed on, so it counts.
    rest: TextTally,
}

/// One part of a message's content; a plain string is one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Image {
        url: String,
        detail: Detail,
    },
    /// A part only OpenAI knows: `input_audio`, `file`.
    Attached(Attachment),
}

impl Message {
    /// All text of the message, without a separator between parts (what OpenAI does).
    pub(crate) fn text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None })
            .collect()
    }

    pub(super) fn tokens_estimate(&self, model: Option<&ModelRef>) -> u64 {
        let mut text = self.rest;
        let mut other = 0_u64;
        for part in &self.parts {
            match part {
                Part::Text(part) => text.add(part),
                Part::Image { url, detail } => other += attachment::image_tokens(url, *detail, model),
                Part::Attached(attachment) => other = other.saturating_add(attachment.tokens(model)),
            }
            // No token reaches from one part into the next.
            text.gap();
        }
        for call in &self.tool_calls {
            text.add(&call.name);
            text.gap();
            text.add(&call.arguments);
            text.gap();
        }
        text.tokens().saturating_add(other)
    }
}

pub(super) fn read_messages(messages: Option<Value>) -> Result<Vec<Message>, InvalidRequest> {
    match messages {
        None => Err(InvalidRequest::missing("messages")),
        Some(Value::Array(items)) if items.is_empty() => {
            Err(InvalidRequest::out_of_range("messages", "an array of at least one message"))
        }
        Some(Value::Array(items)) => items
            .into_iter()
            .enumerate()
            .map(|(index, item)| read_message(item, &format!("messages[{index}]")))
            .collect(),
        Some(_) => Err(InvalidRequest::wrong_type("messages", "an array")),
    }
}

fn read_message(message: Value, at: &str) -> Result<Message, InvalidRequest> {
    let Value::Object(mut message) = message else {
        return Err(InvalidRequest::wrong_type(at, "an object"));
    };
    let role = match take_text(&mut message, "role", at)?.as_deref() {
        Some("system" | "developer") => Role::System,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("tool") => Role::Tool,
        Some("function") => Role::Function,
        Some(_) => {
            let allowed = "one of system, developer, user, assistant, tool and function";
            return Err(InvalidRequest::out_of_range(format!("{at}.role"), allowed));
        }
        None => return Err(InvalidRequest::missing(format!("{at}.role"))),
    };
    let tool_call_id = take_text(&mut message, "tool_call_id", at)?;
    if role == Role::Tool && tool_call_id.is_none() {
        return Err(InvalidRequest::missing(format!("{at}.tool_call_id")));
    }
    let tool_calls = read_tool_calls(message.remove("tool_calls"), &format!("{at}.tool_calls"))?;
    let parts = match message.remove("content") {
        None | Some(Value::Null) if role == Role::Assistant || role == Role::Function => Vec::new(),
        None | Some(Value::Null) => return Err(InvalidRequest::missing(format!("{at}.content"))),
        Some(content) => read_content(content, &format!("{at}.content"))?,
    };
    if message.get("audio").is_some_and(|audio| !audio.is_null()) {
        // The id of an answer that was spoken: there are none here, and on the operator's account they are somebody else's.
        return Err(InvalidRequest::unsupported(
            format!("{at}.audio"),
            "is not offered here: send what was said as content.",
        ));
    }
    let mut rest = TextTally::default();
    message.values().for_each(|value| add_strings(value, &mut rest));
    Ok(Message { role, parts, tool_calls, tool_call_id, rest })
}

/// Every text inside a value.
fn add_strings(value: &Value, tally: &mut TextTally) {
    match value {
        Value::String(text) => {
            tally.add(text);
            tally.gap();
        }
        Value::Array(items) => items.iter().for_each(|item| add_strings(item, tally)),
        Value::Object(members) => members.values().for_each(|member| add_strings(member, tally)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn read_content(content: Value, at: &str) -> Result<Vec<Part>, InvalidRequest> {
    match content {
        Value::String(text) => Ok(vec![Part::Text(text)]),
        Value::Array(parts) => {
            parts.into_iter().enumerate().map(|(index, part)| read_part(part, &format!("{at}[{index}]"))).collect()
        }
        _ => Err(InvalidRequest::wrong_type(at, "a string or an array of parts")),
    }
}

fn read_part(part: Value, at: &str) -> Result<Part, InvalidRequest> {
    let Value::Object(mut part) = part else {
        return Err(InvalidRequest::wrong_type(at, "an object"));
    };
    let kind = take_text(&mut part, "type", at)?.ok_or_else(|| InvalidRequest::missing(format!("{at}.type")))?;
    match kind.as_str() {
        "text" | "refusal" => take_text(&mut part, &kind, at)?
            .map(Part::Text)
            .ok_or_else(|| InvalidRequest::missing(format!("{at}.{kind}"))),
        "image_url" => read_image(part.remove("image_url"), &format!("{at}.image_url")),
        "file" => Ok(Part::Attached(attachment::read_file(
            &mut object(part.remove(&kind), at, &kind)?,
            &format!("{at}.file"),
        )?)),
        "input_audio" => {
            let mut audio = object(part.remove(&kind), at, &kind)?;
            Ok(Part::Attached(attachment::read_audio(&mut audio, &format!("{at}.input_audio"))?))
        }
        _ => {
            let message =
                "must be text, image_url, input_audio or file: of others nobody can say before what they take.";
            Err(InvalidRequest::unsupported(format!("{at}.type"), message))
        }
    }
}

fn read_image(image: Option<Value>, at: &str) -> Result<Part, InvalidRequest> {
    let mut image = match image {
        None | Some(Value::Null) => return Err(InvalidRequest::missing(at)),
        Some(Value::Object(image)) => image,
        Some(_) => return Err(InvalidRequest::wrong_type(at, "an object with a url")),
    };
    let url = take_text(&mut image, "url", at)?.ok_or_else(|| InvalidRequest::missing(format!("{at}.url")))?;
    if !["data:", "https://", "http://"].iter().any(|scheme| image::begins_with(&url, scheme)) {
        return Err(InvalidRequest::new(
            InvalidRequestKind::OutOfRange,
            format!("{at}.url"),
            "must be an https: or a data: URL.",
        ));
    }
    let media_type = url.get("data:".len()..).filter(|_| image::begins_with(&url, "data:"));
    if media_type.is_some_and(|media_type| !image::begins_with(media_type.trim_start(), "image/")) {
        // Some servers take documents and films here, which are counted otherwise.
        return Err(InvalidRequest::out_of_range(format!("{at}.url"), "of an image: data:image/<type>;base64,<data>"));
    }
    let detail = match take_text(&mut image, "detail", at)?.as_deref() {
        Some("low") => Detail::Low,
        Some("high") => Detail::High,
        _ => Detail::Original,
    };
    Ok(Part::Image { url, detail })
}

fn object(value: Option<Value>, at: &str, name: &str) -> Result<Map<String, Value>, InvalidRequest> {
    match value {
        None | Some(Value::Null) => Err(InvalidRequest::missing(format!("{at}.{name}"))),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(InvalidRequest::wrong_type(format!("{at}.{name}"), "an object")),
    }
}

/// Takes a string member out of an object; null counts as absent.
pub(super) fn take_text(
    object: &mut Map<String, Value>,
    name: &str,
    at: &str,
) -> Result<Option<String>, InvalidRequest> {
    match object.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(InvalidRequest::wrong_type(format!("{at}.{name}"), "a string")),
    }
}
