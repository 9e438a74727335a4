//! How many tokens an answer took: the unit Tollgate meters and bills.

mod read;

use serde_json::{Value, json};

pub(crate) use read::{in_body, in_object, tier_of};

/// The most that one figure of one answer can be; what is above it is no count but a fault. The largest context window of any model
/// so far holds ten million tokens, and the longest answer is 128,000 for each of at most eight choices: the next power of two above
/// both. Two million answers of this size still add up to less than 2^53, beyond which JSON readers and D1 lose digits.
pub const MOST_TOKENS_OF_ONE_FIGURE: u64 = 1 << 24;

/// Tokens of one answer, in OpenAI's sense: `cached_tokens` are part of `prompt_tokens`, `reasoning_tokens` part of
/// `completion_tokens`. The other providers' counts are brought to this sense by [`read`](self::read).
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
    /// What the provider charges at another price than plain tokens.
    pub components: Components,
    /// What the answer says it was served as; decides the price, whatever the request asked for.
    pub tier: ServiceTier,
}

/// Parts of an answer that have a price of their own, or none that is known. All are parts of the counts beside them, but for
/// `searches`, which are calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Components {
    /// Of the prompt: written to the cache for five minutes (or for as long as the provider keeps it by default).
    pub cache_write_tokens: u64,
    /// Of the prompt: written to the cache for an hour.
    pub cache_write_hour_tokens: u64,
    /// Of the prompt: audio.
    pub audio_prompt_tokens: u64,
    /// Of the answer: audio.
    pub audio_completion_tokens: u64,
    /// Web searches the provider made.
    pub searches: u64,
    /// Something else that costs apart (pictures in the answer, a data region, a fast mode, a total that is not divided): what it
    /// costs is not known here.
    pub other: bool,
}

/// How a provider served an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServiceTier {
    /// The list price.
    #[default]
    Standard,
    /// Faster and dearer.
    Priority,
    /// Slower and cheaper.
    Flex,
    /// Anything else (`scale`, `batch`, a name that is not known here): priced by contract.
    Other,
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

    /// What a later report of the same answer adds. Reports are running totals, so a count never shrinks: a later 0, or a smaller
    /// number, does not unsay what was counted before.
    pub(crate) fn updated_by(self, later: Self) -> Self {
        let (mine, theirs) = (self.components, later.components);
        Self {
            prompt_tokens: self.prompt_tokens.max(later.prompt_tokens),
            completion_tokens: self.completion_tokens.max(later.completion_tokens),
            cached_tokens: self.cached_tokens.max(later.cached_tokens),
            reasoning_tokens: self.reasoning_tokens.max(later.reasoning_tokens),
            // An impossible figure that was followed by a sound one does no harm, and neither does the other way round.
            estimated: self.estimated && later.estimated,
            components: Components {
                cache_write_tokens: mine.cache_write_tokens.max(theirs.cache_write_tokens),
                cache_write_hour_tokens: mine.cache_write_hour_tokens.max(theirs.cache_write_hour_tokens),
                audio_prompt_tokens: mine.audio_prompt_tokens.max(theirs.audio_prompt_tokens),
                audio_completion_tokens: mine.audio_completion_tokens.max(theirs.audio_completion_tokens),
                searches: mine.searches.max(theirs.searches),
                other: mine.other || theirs.other,
            },
            tier: if later.tier == ServiceTier::Standard { self.tier } else { later.tier },
        }
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
