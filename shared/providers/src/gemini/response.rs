//! Whole answers and errors.

use serde_json::Value;

use super::part::{Answer, Candidate, finish_reason, is_fault};
use crate::completion::{ChoiceOut, Completion, CompletionMeta, completion_body};
use crate::error::{ErrorBody, ProviderError, code_text, parse_seconds};
use crate::model::Provider;
use crate::request::ChatRequest;
use crate::tokens::TextTally;
use crate::usage::{Report, Usage};

pub(crate) fn decode(request: &ChatRequest, body: &str, meta: &CompletionMeta) -> Result<Completion, ProviderError> {
    let bad = |what: &str| ProviderError::bad_answer(Provider::Gemini, what);
    let answer: Answer = serde_json::from_str(body).map_err(|error| bad(&format!("no response: {error}")))?;
    let mut reasons = answer.candidates.iter().filter_map(|candidate| candidate.finish_reason.as_deref());
    if let Some(fault) = reasons.find(|reason| is_fault(reason)) {
        return Err(bad(&format!("the model's answer ended with {fault}")));
    }
    let mut tally = TextTally::default();
    let mut calls = 0;
    let choices: Vec<ChoiceOut> = if answer.is_blocked() {
        vec![ChoiceOut { finish_reason: "content_filter", ..ChoiceOut::default() }]
    } else {
        answer.candidates.iter().map(|candidate| choice(candidate, &mut calls, &mut tally, meta)).collect()
    };
    if choices.is_empty() {
        return Err(bad("a response without candidates"));
    }
    let prompt = request.prompt_tokens_estimate();
    let usage = match answer.usage_metadata.as_ref().and_then(Report::of) {
        Some(report) => report.usage().repaired(prompt, tally.tokens()),
        None => Usage::estimated(prompt, tally.tokens()),
    };
    Ok(Completion { body: completion_body(meta, choices, usage), usage })
}

fn choice(candidate: &Candidate, calls: &mut u64, tally: &mut TextTally, meta: &CompletionMeta) -> ChoiceOut {
    let mut out = ChoiceOut::default();
    for part in candidate.content.iter().flat_map(|content| &content.parts) {
        if let Some(text) = &part.text {
            tally.add(text);
            if part.thought {
                out.reasoning.push_str(text);
            } else {
                out.text.get_or_insert_default().push_str(text);
            }
        }
        if let Some(call) = &part.function_call {
            tally.add(&call.name);
            tally.add(&call.arguments());
            out.tool_calls.push(call.to_openai(*calls, part.thought_signature.as_deref(), meta));
            *calls += 1;
        }
    }
    out.finish_reason =
        finish_reason(candidate.finish_reason.as_deref().unwrap_or_default(), !out.tool_calls.is_empty());
    out
}

pub(crate) fn read_error(body: &[u8]) -> Option<ErrorBody> {
    let body: Value = serde_json::from_slice(body).ok()?;
    // A streaming call answers errors as an array of one.
    let body = body.get(0).unwrap_or(&body);
    Some(error_body(body.get("error")?))
}

/// `{code, message, status, details}`, Google's standard error (<https://google.aip.dev/193>).
pub(super) fn error_body(error: &Value) -> ErrorBody {
    let details = error.get("details").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let status = error.get("status").and_then(Value::as_str);
    let reasons = details.iter().filter_map(|detail| detail.get("reason")?.as_str().map(ToOwned::to_owned));
    ErrorBody {
        message: error.get("message").and_then(Value::as_str).map(ToOwned::to_owned),
        code: status.map(ToOwned::to_owned).or_else(|| code_text(error.get("code"))),
        names: status.map(ToOwned::to_owned).into_iter().chain(code_text(error.get("code"))).chain(reasons).collect(),
        retry_after_seconds: details.iter().find_map(|detail| parse_seconds(detail.get("retryDelay")?.as_str()?)),
    }
}
