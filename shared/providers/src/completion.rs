//! A whole answer in OpenAI's `chat.completion` shape, as the other providers' decoders build it.

use serde_json::{Map, Value, json};

use crate::usage::Usage;

/// What the platform decides about an answer: codecs have no clock and no randomness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletionMeta {
    /// `chatcmpl-...`, unique.
    pub id: String,
    /// Unix time in seconds.
    pub created: i64,
    /// `provider/model`, as the client sent it.
    pub model: String,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// OpenAI `chat.completion` JSON; `usage` is always present.
    pub body: String,
    /// What it took, for the meter.
    pub usage: Usage,
}

/// One choice of an answer that is being translated.
#[derive(Debug, Default)]
pub(crate) struct ChoiceOut {
    pub(crate) text: Option<String>,
    pub(crate) reasoning: String,
    pub(crate) tool_calls: Vec<Value>,
    pub(crate) finish_reason: &'static str,
}

/// The `chat.completion` object. Like OpenAI, `content` is null when there are only tool calls, and an empty string when there is nothing.
pub(crate) fn completion_body(meta: &CompletionMeta, choices: Vec<ChoiceOut>, usage: Usage) -> String {
    let choices: Vec<Value> = choices
        .into_iter()
        .enumerate()
        .map(|(index, choice)| {
            let mut message = Map::new();
            message.insert("role".into(), json!("assistant"));
            let content = match choice.text {
                None if choice.tool_calls.is_empty() => Value::from(""),
                text => Value::from(text),
            };
            message.insert("content".into(), content);
            message.insert("refusal".into(), Value::Null);
            if !choice.reasoning.is_empty() {
                // Not OpenAI's: the name DeepSeek introduced and most clients that show thinking read.
                message.insert("reasoning_content".into(), choice.reasoning.into());
            }
            if !choice.tool_calls.is_empty() {
                message.insert("tool_calls".into(), choice.tool_calls.into());
            }
            json!({"index": index, "message": message, "logprobs": null, "finish_reason": choice.finish_reason})
        })
        .collect();
    json!({
        "id": meta.id,
        "object": "chat.completion",
        "created": meta.created,
        "model": meta.model,
        "choices": choices,
        "usage": usage.to_openai(),
    })
    .to_string()
}

/// One entry of `tool_calls` in a whole answer.
pub(crate) fn tool_call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}
