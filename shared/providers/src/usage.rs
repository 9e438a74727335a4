//! How many tokens an answer took: the unit Tollgate meters and bills.

use serde::Deserialize;
use serde_json::{Value, json};

/// Tokens of one answer, in OpenAI's sense: `cached_tokens` are part of `prompt_tokens`, `reasoning_tokens` part of
/// `completion_tokens`. The other providers' counts are brought to this sense by their decoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub prompt_tokens: u64,
    /// Tokens of the answer, thinking included.
    pub completion_tokens: u64,
    /// The part of the prompt that the provider read from its cache (cheaper).
    pub cached_tokens: u64,
    /// The part of the answer that was thinking.
    pub reasoning_tokens: u64,
    /// Whether any of the counts is Tollgate's estimate, because the provider sent none or an impossible one.
    pub estimated: bool,
}

/// OpenAI's `usage` object, as far as it is read.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct OpenAiUsage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Debug, Default, Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl From<OpenAiUsage> for Usage {
    fn from(wire: OpenAiUsage) -> Self {
        Self {
            prompt_tokens: wire.prompt_tokens,
            completion_tokens: wire.completion_tokens,
            cached_tokens: wire.prompt_tokens_details.and_then(|d| d.cached_tokens).unwrap_or(0),
            reasoning_tokens: wire.completion_tokens_details.and_then(|d| d.reasoning_tokens).unwrap_or(0),
            estimated: false,
        }
    }
}

impl Usage {
    /// Prompt and answer together: what a token meter settles.
    pub fn total(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }

    /// Usage for an answer whose provider said nothing: never 0, since a prompt was read.
    pub(crate) fn estimated(prompt_tokens: u64, completion_tokens: u64) -> Self {
        Self { prompt_tokens: prompt_tokens.max(1), completion_tokens, estimated: true, ..Self::default() }
    }

    /// Replaces counts that cannot be true: no prompt is empty, and no delivered text is free. A gateway that books a 0 here
    /// gives its tokens away (it is the most frequent complaint about gateways), so the estimate stands in.
    pub(crate) fn repaired(mut self, prompt_estimate: u64, delivered_estimate: u64) -> Self {
        if self.prompt_tokens == 0 {
            self.prompt_tokens = prompt_estimate.max(1);
            self.estimated = true;
        }
        if self.completion_tokens == 0 && delivered_estimate > 0 {
            self.completion_tokens = delivered_estimate;
            self.estimated = true;
        }
        self
    }

    /// The `usage` object of OpenAI's answers.
    pub(crate) fn to_openai(self) -> Value {
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total(),
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
        })
    }
}

#[cfg(test)]
mod tests;
