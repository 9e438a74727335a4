//! OpenAI's flat list of messages as Anthropic's turns of content blocks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

use crate::conversation;
use crate::image::{self, Image};
use crate::operations;
use crate::request::{InvalidRequest, InvalidRequestKind, Message, Part, Role, ToolCall};

/// The types of images Anthropic takes (<https://platform.claude.com/docs/en/build-with-claude/vision>).
const IMAGES: &[&str] = &["image/jpeg", "image/png", "image/gif", "image/webp"];
/// How many images one request may have (the same page).
const MOST_IMAGES: usize = 100;

/// The system texts and the turns. System messages go to the top wherever they were (the Messages API has no such role), and
/// neighbours of one role become one turn, so that the results of parallel tool calls follow their calls in one message, as required.
pub(super) fn translate(messages: &[Message]) -> Result<(Vec<String>, Vec<Value>), InvalidRequest> {
    let mut ids = Ids::default();
    let mut system = Vec::new();
    let mut turns: Vec<Turn> = Vec::new();
    let mut images = 0;
    for (index, message) in messages.iter().enumerate() {
        let at = format!("messages[{index}]");
        let (role, blocks) = match message.role {
            Role::System => {
                system.extend(Some(message.text()).filter(|text| !is_blank(text)));
                continue;
            }
            Role::Assistant => ("assistant", assistant_blocks(message, &mut ids, &at)?),
            Role::Tool => ("user", vec![tool_result(message, &mut ids, &at)?]),
            Role::User | Role::Function => ("user", content_blocks(message, &at)?),
        };
        images += message.parts.iter().filter(|part| matches!(part, Part::Image { .. })).count();
        if images > MOST_IMAGES {
            return Err(InvalidRequest::out_of_range("messages", "of at most 100 images for Anthropic"));
        }
        // What was blank is no turn, and its neighbours become one.
        match turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some(last) if last.role == role => last.blocks.extend(blocks),
            None if role == "assistant" => {
                let message = "must come after a user message that is not empty for Anthropic.";
                return Err(InvalidRequest::new(InvalidRequestKind::OutOfRange, at, message));
            }
            _ => turns.push(Turn { role, blocks }),
        }
    }
    if turns.is_empty() {
        let message = "must have a user message that is not empty.";
        return Err(InvalidRequest::new(InvalidRequestKind::Missing, "messages", message));
    }
    conversation::check_results(messages, false)?;
    trim_last_words(&mut turns);
    Ok((system, turns.into_iter().map(Turn::into_json).collect()))
}

/// Anthropic takes no text of nothing but blanks, OpenAI does.
pub(super) fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

struct Turn {
    role: &'static str,
    blocks: Vec<Value>,
}

impl Turn {
    fn into_json(self) -> Value {
        // Results come before anything else that is said in their turn.
        let (mut blocks, rest): (Vec<Value>, Vec<Value>) =
            self.blocks.into_iter().partition(|block| block["type"] == "tool_result");
        blocks.extend(rest);
        json!({"role": self.role, "content": blocks})
    }
}

/// A last turn of the assistant's is the beginning of the answer, and must not end with a blank.
fn trim_last_words(turns: &mut [Turn]) {
    if let Some(turn) = turns.last_mut().filter(|turn| turn.role == "assistant")
        && let Some(last) = turn.blocks.last_mut()
        && let Some(text) = last.get("text").and_then(Value::as_str).map(|text| text.trim_end().to_owned())
    {
        last["text"] = json!(text);
    }
}

fn assistant_blocks(message: &Message, ids: &mut Ids, at: &str) -> Result<Vec<Value>, InvalidRequest> {
    if let Some(index) = message.parts.iter().position(|part| matches!(part, Part::Image { .. })) {
        let field = format!("{at}.content[{index}].type");
        return Err(InvalidRequest::unsupported(field, "must be text in an assistant's message for Anthropic."));
    }
    let mut blocks = content_blocks(message, at)?;
    ids.next_turn();
    for (index, call) in message.tool_calls.iter().enumerate() {
        blocks.push(tool_use(call, ids, &format!("{at}.tool_calls[{index}]"))?);
    }
    Ok(blocks)
}

fn tool_use(call: &ToolCall, ids: &mut Ids, at: &str) -> Result<Value, InvalidRequest> {
    let input = match serde_json::from_str(&call.arguments) {
        Ok(input @ Value::Object(_)) => input,
        _ if call.arguments.trim().is_empty() => json!({}),
        _ => {
            return Err(InvalidRequest::wrong_type(format!("{at}.function.arguments"), "a JSON object as text"));
        }
    };
    Ok(json!({"type": "tool_use", "id": ids.of_call(&call.id), "name": call.name, "input": input}))
}

fn tool_result(message: &Message, ids: &mut Ids, at: &str) -> Result<Value, InvalidRequest> {
    let id = ids.of_result(message.tool_call_id.as_deref().unwrap_or_default());
    let content = match message.parts.as_slice() {
        [Part::Text(text)] if is_blank(text) => None,
        [Part::Text(text)] => Some(json!(text)),
        _ => Some(Value::Array(content_blocks(message, at)?)).filter(|blocks| blocks != &json!([])),
    };
    let mut result = Map::new();
    result.insert("type".into(), json!("tool_result"));
    result.insert("tool_use_id".into(), json!(id));
    result.extend(content.map(|content| ("content".to_owned(), content)));
    Ok(Value::Object(result))
}

/// Text and images.
fn content_blocks(message: &Message, at: &str) -> Result<Vec<Value>, InvalidRequest> {
    let mut blocks = Vec::new();
    for (index, part) in message.parts.iter().enumerate() {
        match part {
            Part::Text(text) if is_blank(text) => {}
            Part::Text(text) => blocks.push(json!({"type": "text", "text": text})),
            Part::Image { url, .. } => {
                let source = match image::read(url, IMAGES, || format!("{at}.content[{index}].image_url.url"))? {
                    Image::Inline { media_type, base64 } => {
                        json!({"type": "base64", "media_type": media_type, "data": base64})
                    }
                    Image::Remote(url) => json!({"type": "url", "url": url}),
                };
                blocks.push(json!({"type": "image", "source": source}));
            }
            Part::Attached(_) => {
                return Err(InvalidRequest::unsupported(
                    format!("{at}.content[{index}].type"),
                    "is not supported by Anthropic.",
                ));
            }
        }
    }
    Ok(blocks)
}

/// The ids of calls as Anthropic takes them: of letters, digits, `_` and `-`, and each once in a conversation. One that began with
/// another provider may have others.
#[derive(Default)]
struct Ids {
    taken: BTreeSet<String>,
    /// The number behind an id that was taken already: it only grows, so that what was tried once is not tried again.
    number: usize,
    /// The calls of the last turn of the assistant's that wait for their result: Anthropic's ids by the client's, in their order.
    waiting: BTreeMap<String, VecDeque<String>>,
}

impl Ids {
    fn next_turn(&mut self) {
        self.waiting.clear();
    }

    fn of_call(&mut self, id: &str) -> String {
        let plain: String =
            id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' }).collect();
        let plain = if plain.is_empty() { "call".to_owned() } else { plain };
        let mut unique = plain.clone();
        // The number of ids so far is free, or one soon after it: no search from the beginning.
        self.number = self.number.max(self.taken.len());
        while !self.taken.insert(unique.clone()) {
            operations::count(1);
            self.number += 1;
            unique = format!("{plain}_{}", self.number);
        }
        self.waiting.entry(id.to_owned()).or_default().push_back(unique.clone());
        unique
    }

    /// Several calls of one id are answered in their order.
    fn of_result(&mut self, id: &str) -> String {
        self.waiting.get_mut(id).and_then(VecDeque::pop_front).unwrap_or_default()
    }
}
