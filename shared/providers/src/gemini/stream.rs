//! Streams: every frame is a whole response with the next piece of each candidate; there is no closing event.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::part::{Answer, Candidate, finish_reason, is_fault};
use super::response::error_body;
use crate::error::{self, ProviderError};
use crate::session::{FrameDecoder, Session};
use crate::usage::{Report, Usage};

/// The state of a stream from Gemini.
#[derive(Debug, Default)]
pub(crate) struct GeminiStream {
    /// Tool calls so far, over all choices, for their ids.
    calls: u64,
    /// Tool calls so far of each choice, for their indices.
    calls_of: BTreeMap<u64, u64>,
    /// The choices that are finished, with the reason of each.
    finished: BTreeMap<u64, &'static str>,
}

impl FrameDecoder for GeminiStream {
    fn frame(&mut self, data: &str, session: &mut Session) {
        if data.trim().is_empty() || data.trim() == "[DONE]" {
            return;
        }
        let Ok(answer) = serde_json::from_str::<Answer>(data) else {
            if let Some(value) = serde_json::from_str::<Value>(data).ok().as_ref()
                && let Some(error) = error::stated(value)
            {
                return session.fail(ProviderError::in_stream(session.provider, error_body(error)));
            }
            return session.fail_unreadable("a frame that is no response");
        };
        if let Some(error) = &answer.error {
            return session.fail(ProviderError::in_stream(session.provider, error_body(error)));
        }
        if answer.is_blocked() && self.finished.is_empty() {
            self.finished.insert(0, "content_filter");
            session.complete = true;
        }
        for candidate in &answer.candidates {
            self.candidate(candidate, session);
        }
        session.report(answer.usage_metadata.as_ref().and_then(Report::of));
        // It is not done: some models say STOP in every frame, and the last counts may follow the finish.
        session.complete |= self.finished.len() as u64 >= session.choices;
    }

    fn tail(&mut self, usage: Usage, session: &mut Session) {
        for (choice, reason) in &mut self.finished {
            if *reason == "stop" && self.calls_of.contains_key(choice) {
                *reason = "tool_calls";
            }
        }
        let finished: Vec<_> = self.finished.iter().map(|(choice, reason)| (*choice, *reason)).collect();
        session.finish_chunks(&finished, usage);
    }
}

impl GeminiStream {
    fn candidate(&mut self, candidate: &Candidate, session: &mut Session) {
        let choice = candidate.index;
        for part in candidate.content.iter().flat_map(|content| &content.parts) {
            match &part.text {
                Some(text) if part.thought => session.reasoning(choice, text),
                Some(text) => session.text(choice, text),
                None => {}
            }
            if let Some(call) = &part.function_call {
                let mut entry = call.to_openai(self.calls, part.thought_signature.as_deref(), &session.meta);
                entry["index"] = json!(self.next_index(choice));
                self.calls += 1;
                session.tally.add(&call.name);
                session.tally.add(&call.arguments());
                session.tool_call(choice, &entry);
            }
        }
        let Some(reason) = &candidate.finish_reason else {
            return;
        };
        if reason.is_empty() || reason == "FINISH_REASON_UNSPECIFIED" {
            return;
        }
        if is_fault(reason) {
            let what = format!("the model's answer ended with {reason}");
            return session.fail(ProviderError::bad_answer(session.provider, &what));
        }
        let reason = finish_reason(reason, self.calls_of.contains_key(&choice));
        self.finished.insert(choice, reason);
    }

    fn next_index(&mut self, choice: u64) -> u64 {
        let count = self.calls_of.entry(choice).or_default();
        *count += 1;
        *count - 1
    }
}
