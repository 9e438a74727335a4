//! OpenAI's flat list of messages as Gemini's contents of parts.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::conversation;
use crate::image::{self, Image};
use crate::request::{InvalidRequest, InvalidRequestKind, Message, Part, Role, ToolCall};

/// What Gemini accepts in place of a signature it did not get back
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>): for conversations that began with another provider.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// The types of images Gemini takes (<https://ai.google.dev/gemini-api/docs/image-understanding>).
const IMAGES: &[&str] = &["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"];

/// The system texts and the contents. Neighbours of one role become one content.
pub(super) fn translate(messages: &[Message]) -> Result<(Vec<String>, Vec<Value>), InvalidRequest> {
    let mut names = BTreeMap::new();
    let mut system = Vec::new();
    let mut contents: Vec<(&'static str, Vec<Value>)> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let at = format!("messages[{index}]");
        let (role, parts) = match message.role {
            Role::System => {
                system.extend(Some(message.text()).filter(|text| !text.trim().is_empty()));
                continue;
            }
            Role::Assistant => {
                names.extend(message.tool_calls.iter().map(|call| (call.id.as_str(), call.name.as_str())));
                ("model", model_parts(message, &at)?)
            }
            Role::Tool => ("user", vec![function_response(message, &names, &at)?]),
            Role::User | Role::Function => ("user", content_parts(message, &at)?),
        };
        let user_has_spoken = contents.iter().take(2).any(|(role, _)| *role == "user");
        match contents.last_mut() {
            _ if parts.is_empty() => {}
            // A call before anybody has spoken: "function call turn comes immediately after a user turn or after a function response turn"
            _ if !user_has_spoken && !message.tool_calls.is_empty() => {
                let message = "must come after a user message that is not empty for Google Gemini.";
                return Err(InvalidRequest::new(InvalidRequestKind::OutOfRange, at, message));
            }
            Some((last, known)) if *last == role => known.extend(parts),
            _ => contents.push((role, parts)),
        }
    }
    let contents: Vec<Value> = contents
        .into_iter()
        .map(|(role, parts)| {
            // Responses come before anything else that is said in their turn.
            let (mut ordered, rest): (Vec<Value>, Vec<Value>) =
                parts.into_iter().partition(|part| part.get("functionResponse").is_some());
            ordered.extend(rest);
            json!({"role": role, "parts": ordered})
        })
        .collect();
    conversation::check_results(messages, true)?;
    if contents.is_empty() {
        let message = "must have a user message that is not empty.";
        return Err(InvalidRequest::new(InvalidRequestKind::Missing, "messages", message));
    }
    Ok((system, contents))
}

fn model_parts(message: &Message, at: &str) -> Result<Vec<Value>, InvalidRequest> {
    let mut parts = content_parts(message, at)?;
    for (index, call) in message.tool_calls.iter().enumerate() {
        parts.push(function_call(call, index == 0, &format!("{at}.tool_calls[{index}]"))?);
    }
    Ok(parts)
}

/// The first call of a turn must carry a signature for Gemini 3 and later; the parallel ones after it have none.
fn function_call(call: &ToolCall, first: bool, at: &str) -> Result<Value, InvalidRequest> {
    let arguments: Value = match serde_json::from_str(&call.arguments) {
        Ok(arguments @ Value::Object(_)) => arguments,
        _ if call.arguments.trim().is_empty() => json!({}),
        _ => {
            return Err(InvalidRequest::wrong_type(format!("{at}.function.arguments"), "a JSON object as text"));
        }
    };
    let mut part = json!({"functionCall": {"id": call.id, "name": call.name, "args": arguments}});
    if let Some(signature) = call.thought_signature.as_deref().or(first.then_some(NO_SIGNATURE)) {
        part["thoughtSignature"] = json!(signature);
    }
    Ok(part)
}

/// Gemini wants the function's name with its result; OpenAI's clients send only the id of the call.
fn function_response(message: &Message, names: &BTreeMap<&str, &str>, at: &str) -> Result<Value, InvalidRequest> {
    let id = message.tool_call_id.as_deref().unwrap_or_default();
    let name = names.get(id).copied().unwrap_or_default();
    if let Some(index) = message.parts.iter().position(|part| !matches!(part, Part::Text(_))) {
        let field = format!("{at}.content[{index}].type");
        return Err(InvalidRequest::unsupported(field, "must be text in a tool's result for Gemini."));
    }
    let text = message.text();
    let response = match serde_json::from_str(&text) {
        Ok(response @ Value::Object(_)) => response,
        Ok(other) => json!({"result": other}),
        Err(_) => json!({"result": text}),
    };
    Ok(json!({"functionResponse": {"id": id, "name": name, "response": response}}))
}

fn content_parts(message: &Message, at: &str) -> Result<Vec<Value>, InvalidRequest> {
    let mut parts = Vec::new();
    for (index, part) in message.parts.iter().enumerate() {
        match part {
            Part::Text(text) if text.trim().is_empty() => {}
            Part::Text(text) => parts.push(json!({"text": text})),
            Part::Image { url, .. } => {
                parts.push(match image::read(url, IMAGES, || format!("{at}.content[{index}].image_url.url"))? {
                    Image::Inline { media_type, base64 } => {
                        json!({"inlineData": {"mimeType": media_type, "data": base64}})
                    }
                    Image::Remote(url) => json!({"fileData": file(url)}),
                });
            }
            Part::Attached(_) => {
                let field = format!("{at}.content[{index}].type");
                return Err(InvalidRequest::unsupported(field, "is not supported by Google Gemini."));
            }
        }
    }
    Ok(parts)
}

fn file(url: &str) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("fileUri".into(), json!(url));
    if let Some(media_type) = image::media_type_of(url) {
        out.insert("mimeType".into(), json!(media_type));
    }
    out
}
