//! OpenAI's flat list of messages as Anthropic's turns of content blocks.

use serde_json::{Value, json};

use crate::image::{self, Image};
use crate::request::{InvalidRequest, InvalidRequestKind, Message, Part, Role, ToolCall};

/// The system texts and the turns. System messages go to the top wherever they were (the Messages API has no such role), and
/// neighbours of one role become one turn, so that the results of parallel tool calls follow their calls in one message, as required.
pub(super) fn translate(messages: &[Message]) -> Result<(Vec<String>, Vec<Value>), InvalidRequest> {
    let mut system = Vec::new();
    let mut turns: Vec<(&'static str, Vec<Value>)> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let at = format!("messages[{index}]");
        let (role, blocks) = match message.role {
            Role::System => {
                system.extend(Some(message.text()).filter(|text| !text.is_empty()));
                continue;
            }
            Role::Assistant => ("assistant", assistant_blocks(message, &at)?),
            Role::Tool => ("user", vec![tool_result(message, &at)?]),
            Role::User | Role::Function => ("user", content_blocks(message, &at)?),
        };
        match turns.last_mut() {
            Some((last, known)) if *last == role => known.extend(blocks),
            _ => turns.push((role, blocks)),
        }
    }
    let turns: Vec<Value> = turns
        .into_iter()
        .filter(|(_, blocks)| !blocks.is_empty())
        .map(|(role, blocks)| json!({"role": role, "content": blocks}))
        .collect();
    if turns.is_empty() {
        let message = "must have a user message that is not empty.";
        return Err(InvalidRequest::new(InvalidRequestKind::Missing, "messages", message));
    }
    Ok((system, turns))
}

fn assistant_blocks(message: &Message, at: &str) -> Result<Vec<Value>, InvalidRequest> {
    let mut blocks = content_blocks(message, at)?;
    for (index, call) in message.tool_calls.iter().enumerate() {
        blocks.push(tool_use(call, &format!("{at}.tool_calls[{index}]"))?);
    }
    Ok(blocks)
}

fn tool_use(call: &ToolCall, at: &str) -> Result<Value, InvalidRequest> {
    let input = match serde_json::from_str(&call.arguments) {
        Ok(input @ Value::Object(_)) => input,
        _ if call.arguments.trim().is_empty() => json!({}),
        _ => {
            return Err(InvalidRequest::wrong_type(format!("{at}.function.arguments"), "a JSON object as text"));
        }
    };
    Ok(json!({"type": "tool_use", "id": tool_id(&call.id), "name": call.name, "input": input}))
}

fn tool_result(message: &Message, at: &str) -> Result<Value, InvalidRequest> {
    let id = tool_id(message.tool_call_id.as_deref().unwrap_or_default());
    let content = match message.parts.as_slice() {
        [Part::Text(text)] => json!(text),
        _ => Value::Array(content_blocks(message, at)?),
    };
    Ok(json!({"type": "tool_result", "tool_use_id": id, "content": content}))
}

/// Text and images. Empty texts are left out: Anthropic refuses them, OpenAI does not.
fn content_blocks(message: &Message, at: &str) -> Result<Vec<Value>, InvalidRequest> {
    let mut blocks = Vec::new();
    for (index, part) in message.parts.iter().enumerate() {
        match part {
            Part::Text(text) if text.is_empty() => {}
            Part::Text(text) => blocks.push(json!({"type": "text", "text": text})),
            Part::Image { url, .. } => {
                let source = match image::read(url, || format!("{at}.content[{index}].image_url.url"))? {
                    Image::Inline { media_type, base64 } => {
                        json!({"type": "base64", "media_type": media_type, "data": base64})
                    }
                    Image::Remote(url) => json!({"type": "url", "url": url}),
                };
                blocks.push(json!({"type": "image", "source": source}));
            }
            Part::Other { .. } => {
                return Err(InvalidRequest::unsupported(
                    format!("{at}.content[{index}].type"),
                    "is not supported by Anthropic.",
                ));
            }
        }
    }
    Ok(blocks)
}

/// Anthropic takes only letters, digits, `_` and `-` in ids; a conversation that began with another provider may have others.
fn tool_id(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' }).collect()
}
