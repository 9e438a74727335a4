//! Whole answers and errors.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::completion::Completion;
use crate::error::{ErrorBody, ProviderError, code_text};
use crate::members::Members;
use crate::model::Provider;
use crate::request::ChatRequest;
use crate::tokens::TextTally;
use crate::usage::{Report, Tier, Usage};

/// What is looked at in an answer; the rest is passed on unread.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default, borrow)]
    service_tier: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    message: Said<'a>,
}

/// The text of a message or of a stream's delta. Everything is optional and untyped: a compatible server's oddity in a field that
/// is only counted must not break the answer.
#[derive(Default, Deserialize)]
pub(super) struct Said<'a> {
    #[serde(default, borrow)]
    content: Option<&'a RawValue>,
    #[serde(default, borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(default, borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) tool_calls: Option<&'a RawValue>,
}

impl Said<'_> {
    pub(super) fn tally(&self, tally: &mut TextTally) {
        for raw in [self.content, self.refusal, self.reasoning_content].into_iter().flatten() {
            match serde_json::from_str::<String>(raw.get()) {
                Ok(text) => tally.add(&text),
                Err(_) => tally.add(raw.get()),
            }
        }
        let calls: Vec<Value> =
            self.tool_calls.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        for call in &calls {
            for pointer in ["/function/name", "/function/arguments"] {
                tally.add(call.pointer(pointer).and_then(Value::as_str).unwrap_or_default());
            }
        }
    }
}

/// The provider's count, if it is one. Looking costs a tree, so it is looked at only where a count may stand.
pub(super) fn read_usage(answer: &str) -> Option<Report> {
    const NAMES: [&str; 2] = ["usage", "eval_count"];
    if !NAMES.iter().any(|name| answer.contains(name)) {
        return None;
    }
    Report::in_answer(&serde_json::from_str(answer).ok()?)
}

/// Whether a `usage` object says in OpenAI's words what is metered: then it is passed on as it came.
pub(super) fn says(raw: &RawValue, usage: Usage) -> bool {
    let Ok(wire) = serde_json::from_str::<Value>(raw.get()) else { return false };
    let is = |name: &str, count: u64| wire.get(name).and_then(Value::as_u64) == Some(count);
    is("prompt_tokens", usage.prompt_tokens)
        && is("completion_tokens", usage.completion_tokens)
        && wire.get("total_tokens").is_none_or(|total| total.as_u64() == Some(usage.total()))
}

pub(crate) fn decode(request: &ChatRequest, provider: Provider, body: &str) -> Result<Completion, ProviderError> {
    let bad = |what: &str| ProviderError::bad_answer(provider, what);
    let answer: Answer = serde_json::from_str(body).map_err(|error| bad(&format!("no completion: {error}")))?;
    if answer.choices.is_empty() {
        return Err(bad("a completion without choices"));
    }
    let prompt = request.prompt_tokens_estimate();
    let mut tally = TextTally::default();
    let usage = match read_usage(body).map(Report::usage) {
        // Counting the text of a long answer costs more than reading it: only when the provider did not.
        Some(usage) if usage.prompt_tokens > 0 && usage.completion_tokens > 0 => usage,
        reported => {
            answer.choices.iter().for_each(|choice| choice.message.tally(&mut tally));
            reported.map_or_else(
                || Usage::estimated(prompt, tally.tokens()),
                |usage| usage.repaired(prompt, tally.tokens()),
            )
        }
    };
    let usage = usage.served_as(answer.service_tier.map(Tier::said).unwrap_or_default());
    if answer.usage.is_some_and(|raw| says(raw, usage)) {
        return Ok(Completion { body: body.to_owned(), usage });
    }
    let members = Members::parse(body).ok_or_else(|| bad("a completion that is no object"))?;
    Ok(Completion { body: members.with(&[("usage", Some(usage.to_openai().to_string()))]), usage })
}

pub(crate) fn read_error(body: &[u8]) -> Option<ErrorBody> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(error_body(body.get("error").unwrap_or(&body)))
}

/// `{message, type, param, code}`; some compatible servers send a bare string.
pub(crate) fn error_body(error: &Value) -> ErrorBody {
    let kind = error.get("type").and_then(Value::as_str);
    ErrorBody {
        message: error.as_str().or_else(|| error.get("message")?.as_str()).map(ToOwned::to_owned),
        code: code_text(error.get("code")).or_else(|| kind.map(ToOwned::to_owned)),
        names: ["code", "type", "status"].iter().filter_map(|name| code_text(error.get(*name))).collect(),
        retry_after_seconds: None,
    }
}
