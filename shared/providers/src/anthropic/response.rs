//! Whole answers, errors, usage and stop reasons.

use serde::Deserialize;
use serde_json::Value;

use crate::completion::{ChoiceOut, Completion, CompletionMeta, completion_body, tool_call};
use crate::error::{ErrorBody, ProviderError};
use crate::model::Provider;
use crate::request::ChatRequest;
use crate::tokens::TextTally;
use crate::usage::{Report, Usage};

#[derive(Deserialize)]
struct Answer {
    content: Vec<Block>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Option<Value>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    Thinking {
        #[serde(default)]
        thinking: String,
    },
    ToolUse {
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    #[serde(other)]
    Other,
}

/// OpenAI's finish reason for a stop reason. `refusal` is the model's own safety stop.
pub(super) fn finish_reason(stop_reason: Option<&str>) -> &'static str {
    match stop_reason {
        Some("max_tokens" | "model_context_window_exceeded") => "length",
        Some("tool_use") => "tool_calls",
        Some("refusal") => "content_filter",
        _ => "stop",
    }
}

pub(crate) fn decode(request: &ChatRequest, body: &str, meta: &CompletionMeta) -> Result<Completion, ProviderError> {
    let answer: Answer = serde_json::from_str(body)
        .map_err(|error| ProviderError::bad_answer(Provider::Anthropic, &format!("no message: {error}")))?;
    let mut choice = ChoiceOut { finish_reason: finish_reason(answer.stop_reason.as_deref()), ..ChoiceOut::default() };
    let mut tally = TextTally::default();
    for block in answer.content {
        match block {
            Block::Text { text } => {
                tally.add(&text);
                choice.text.get_or_insert_default().push_str(&text);
            }
            Block::Thinking { thinking } => {
                tally.add(&thinking);
                choice.reasoning.push_str(&thinking);
            }
            Block::ToolUse { id, name, input } => {
                let arguments = if input.is_null() { "{}".to_owned() } else { input.to_string() };
                tally.add(&name);
                tally.add(&arguments);
                choice.tool_calls.push(tool_call(&id, &name, &arguments));
            }
            Block::Other => {}
        }
    }
    let prompt = request.prompt_tokens_estimate();
    let usage = match answer.usage.as_ref().and_then(Report::of) {
        Some(report) => report.usage().repaired(prompt, tally.tokens()),
        None => Usage::estimated(prompt, tally.tokens()),
    };
    Ok(Completion { body: completion_body(meta, vec![choice], usage), usage })
}

/// `{"type":"error","error":{"type":"...","message":"..."}}`, as a body or as an event.
/// Types: <https://platform.claude.com/docs/en/api/errors>.
pub(crate) fn read_error(body: &[u8]) -> Option<ErrorBody> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error")?;
    let code = error.get("type").and_then(Value::as_str);
    Some(ErrorBody {
        message: error.get("message").and_then(Value::as_str).map(ToOwned::to_owned),
        code: code.map(ToOwned::to_owned),
        names: code.map(ToOwned::to_owned).into_iter().collect(),
        retry_after_seconds: None,
    })
}
