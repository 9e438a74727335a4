//! How many tokens an answer took: the unit Tollgate meters and bills.

mod report;

use serde_json::value::RawValue;
use serde_json::{Value, json};

pub(crate) use report::Report;

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
    /// The part of the prompt that was written to the provider's cache (dearer, where a provider says so).
    pub cache_written_tokens: u64,
    /// Whether there is something in it that costs another price than text: then the cost is not known.
    pub costs_apart: bool,
    /// At which price the provider answered.
    pub tier: Tier,
    /// Whether any of the counts is Tollgate's estimate, because the provider sent none or an impossible one.
    pub estimated: bool,
}

/// At which of its prices a provider says that it answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tier {
    /// The list price, or nothing said.
    #[default]
    Standard,
    /// First in line, for more.
    Priority,
    /// When there is room, for less.
    Flex,
    /// One that has no price here.
    Other,
}

impl Tier {
    /// As OpenAI's answers and chunks say it, as JSON text.
    pub(crate) fn said(raw: &RawValue) -> Self {
        serde_json::from_str::<String>(raw.get()).map_or(Self::Standard, |name| Self::named(&name))
    }

    fn named(name: &str) -> Self {
        match name {
            "default" | "auto" | "standard" | "standard_only" | "" | "on_demand" => Self::Standard,
            "priority" | "fast" => Self::Priority,
            "flex" => Self::Flex,
            _ => Self::Other,
        }
    }
}

impl Usage {
    /// Prompt and answer together: what a token meter settles.
    pub fn total(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }

    /// This, or so many tokens where they are more: the rest counts as answer.
    #[must_use]
    pub fn at_least(self, tokens: u64) -> Self {
        let missing = tokens.saturating_sub(self.total());
        Self { completion_tokens: self.completion_tokens.saturating_add(missing), estimated: true, ..self }
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
        // Anthropic begins with a 1 that stands for the answer to come: where nothing corrects it, it is as good as nothing.
        let is_only_begun = self.completion_tokens == 1 && delivered_estimate > 16;
        if (self.completion_tokens == 0 && delivered_estimate > 0) || is_only_begun {
            self.completion_tokens = delivered_estimate;
            self.estimated = true;
        }
        self
    }

    /// The same, served as what the answer says beside its usage.
    pub(crate) fn served_as(self, tier: Tier) -> Self {
        if self.tier == Tier::Standard { Self { tier, ..self } } else { self }
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
