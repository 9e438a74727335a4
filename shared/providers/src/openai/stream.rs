//! Streams: chunks pass through as they are; only the usage is moved to where the client looks for it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::calls::Calls;
use super::response::{Said, error_body, read_usage, says};
use crate::error::{self, ProviderError};
use crate::members::Members;
use crate::session::{FrameDecoder, Session};
use crate::usage::{Tier, Usage};

/// What is looked at in a chunk.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(default, borrow)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
    #[serde(default, borrow)]
    service_tier: Option<&'a RawValue>,
    #[serde(default, borrow)]
    error: Option<&'a RawValue>,
    /// What it says it is: a chunk that does not is no pattern for others.
    #[serde(default, borrow)]
    object: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u64,
    #[serde(default, borrow)]
    delta: Option<Said<'a>>,
    #[serde(default, borrow)]
    finish_reason: Option<&'a RawValue>,
}

/// The state of a stream from OpenAI.
#[derive(Debug, Default)]
pub(crate) struct OpenAiStream {
    /// Finish chunks that wait for the usage, when the client did not ask for a chunk of its own.
    held: Vec<Members>,
    /// The chunk that has the usage and no choices.
    usage_chunk: Option<Members>,
    /// The usage as it came, with members not known here.
    usage_text: Option<String>,
    /// Choices that have their finish reason, a bit each.
    finished: u64,
    /// Any chunk that was seen: its `id`, `created` and `model` name a chunk that has to be made here.
    sample: Option<Members>,
    /// The calls of each choice, to tell them apart.
    calls: BTreeMap<u64, Calls>,
}

impl FrameDecoder for OpenAiStream {
    fn frame(&mut self, data: &str, session: &mut Session) {
        if data.trim() == "[DONE]" {
            // The end of whatever came: of nothing it is no answer.
            session.complete |= session.has_delivered();
            session.done = true;
            return;
        }
        if data.trim().is_empty() {
            return;
        }
        let Ok(chunk) = serde_json::from_str::<Chunk>(data) else {
            return session.fail_unreadable("a chunk that is no JSON object with choices");
        };
        if let Some(error) = chunk.error.filter(|error| !matches!(error.get(), "null" | "false" | "\"\"")) {
            let error: Value = serde_json::from_str(error.get()).unwrap_or_default();
            return session.fail(ProviderError::in_stream(session.provider, error_body(&error)));
        }
        match self.renumbered(data, &chunk) {
            None => self.chunk(data, &chunk, session),
            Some(data) => match serde_json::from_str::<Chunk>(&data) {
                Ok(chunk) => self.chunk(&data, &chunk, session),
                Err(_) => session.fail_unreadable("a chunk that is no JSON object with choices"),
            },
        }
    }

    fn tail(&mut self, usage: Usage, session: &mut Session) {
        let text = match self.usage_text.take() {
            Some(text) if serde_json::from_str(&text).is_ok_and(|raw: &RawValue| says(raw, usage)) => text,
            _ => usage.to_openai().to_string(),
        };
        if session.include_usage {
            let chunk = match (self.usage_chunk.take(), &self.sample) {
                (Some(chunk), _) => chunk.with(&[("usage", Some(text))]),
                (None, Some(sample)) => sample.with(&[("choices", Some("[]".to_owned())), ("usage", Some(text))]),
                (None, None) => return session.usage_chunk(usage),
            };
            return session.raw(&chunk);
        }
        let Some(last) = self.held.pop() else {
            return session.finish_chunks(&[(0, "stop")], usage);
        };
        for chunk in self.held.drain(..) {
            session.raw(&chunk.with(&[("usage", None)]));
        }
        session.raw(&last.with(&[("usage", Some(text))]));
    }
}

impl OpenAiStream {
    /// The chunk with the numbers of its calls put right; `None` where they are, as with nearly every chunk.
    fn renumbered(&mut self, data: &str, chunk: &Chunk<'_>) -> Option<String> {
        let mut changed = false;
        let mut all = Vec::new();
        for (place, choice) in chunk.choices.iter().flatten().enumerate() {
            let Some(raw) = choice.delta.as_ref().and_then(|delta| delta.tool_calls) else { continue };
            let Ok(mut calls) = serde_json::from_str::<Value>(raw.get()) else { continue };
            // More choices than anybody asks for are not told apart.
            changed |= self.calls.entry(choice.index.min(63)).or_default().renumber(&mut calls);
            all.push((place, calls));
        }
        if !changed {
            return None;
        }
        let mut value: Value = serde_json::from_str(data).ok()?;
        for (place, calls) in all {
            *value.pointer_mut(&format!("/choices/{place}/delta/tool_calls"))? = calls;
        }
        Some(value.to_string())
    }

    fn chunk(&mut self, data: &str, chunk: &Chunk, session: &mut Session) {
        let choices = chunk.choices.as_deref().unwrap_or_default();
        let mut finishes = false;
        for choice in choices {
            if let Some(delta) = &choice.delta {
                delta.tally(&mut session.tally);
            }
            // An empty reason is none: some servers send it with every chunk.
            if choice.finish_reason.is_some_and(|reason| !matches!(reason.get(), "null" | "\"\"")) {
                finishes = true;
                self.finished |= 1 << choice.index.min(63);
            }
        }
        session.complete = u64::from(self.finished.count_ones()) >= session.choices;
        if let Some(tier) = chunk.service_tier.filter(|tier| tier.get() != "null") {
            session.tier = Tier::said(tier);
        }
        let usage = read_usage(data);
        session.report(usage);
        if usage.is_some() {
            self.usage_text = chunk.usage.map(|raw| raw.get().to_owned());
        }
        if choices.is_empty() && usage.is_none() {
            let value: Value = serde_json::from_str(data).unwrap_or_default();
            if let Some(error) = error::stated(&value) {
                return session.fail(ProviderError::in_stream(session.provider, error_body(error)));
            }
            // Heartbeats, content filters' opening words and the like: a client's code looks for a choice in each chunk.
            return;
        }
        let needs_edit = usage.is_some() || (finishes && !session.include_usage);
        if !needs_edit && self.sample.is_some() {
            return session.raw(data);
        }
        let Some(members) = Members::parse(data) else {
            return session.fail_unreadable("a chunk that is no object");
        };
        if chunk.object.is_some() {
            self.sample.get_or_insert_with(|| members.clone());
        }
        if usage.is_some() && choices.is_empty() {
            // Clients look for choices in each: what has none at all is made anew from one that has.
            self.usage_chunk = Some(members).filter(|_| chunk.choices.is_some() && chunk.object.is_some());
        } else if finishes && !session.include_usage {
            self.hold(members, session);
        } else if usage.is_some() {
            // Some servers report a running count on every chunk; the client expects it once.
            session.raw(&members.with(&[("usage", None)]));
        } else {
            session.raw(data);
        }
    }

    /// Holds a finish chunk back; one for each choice, so that a server that repeats itself does not fill the memory.
    fn hold(&mut self, chunk: Members, session: &mut Session) {
        if self.held.len() as u64 >= session.choices {
            let oldest = self.held.remove(0);
            session.raw(&oldest.with(&[("usage", None)]));
        }
        self.held.push(chunk);
    }
}
