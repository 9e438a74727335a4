//! What providers report of an answer's tokens, in whatever dialect: the one place that reads it.
//!
//! A report is never believed blindly: a count that is negative, no whole number or beyond any model counts as not said;
//! a later report can add to an earlier one and not take back; and where a total is larger than its parts, it is the total
//! that is billed.

use serde_json::Value;

use super::{Tier, Usage};

/// Beyond this a count is a mistake: the longest contexts hold ten million tokens, and the longest answers 128,000 in each of eight
/// choices. It is the next power of two, and no more than that, since a plan of a month has no more than a few millions.
const MOST_TOKENS: u64 = 1 << 24;

/// How one family of servers spells a count. Each field lists JSON pointers; those that are there are tried in order.
struct Dialect {
    prompt: &'static [&'static str],
    answer: &'static [&'static str],
    total: &'static [&'static str],
    cached: &'static [&'static str],
    written: &'static [&'static str],
    reasoning: &'static [&'static str],
    /// Parts of the prompt beside `prompt`: what was read from the cache and written to it (Anthropic), or what tools said
    /// (Gemini).
    beside_prompt: &'static [&'static str],
    /// Parts of the answer beside `answer`: Gemini's thinking.
    beside_answer: &'static [&'static str],
}

/// Which dialect it is, is told by the first of its prompt's or answer's names.
const DIALECTS: &[Dialect] = &[
    // OpenAI's chat completions, and most that speak it. DeepSeek (`prompt_cache_hit_tokens`), Moonshot (`cached_tokens`),
    // and those that name the thinking at the top (`reasoning_tokens`).
    Dialect {
        prompt: &["/prompt_tokens"],
        answer: &["/completion_tokens"],
        total: &["/total_tokens"],
        cached: &["/prompt_tokens_details/cached_tokens", "/prompt_cache_hit_tokens", "/cached_tokens"],
        written: &["/prompt_tokens_details/cache_write_tokens"],
        reasoning: &["/completion_tokens_details/reasoning_tokens", "/reasoning_tokens"],
        beside_prompt: &[],
        beside_answer: &[],
    },
    // Anthropic (<https://platform.claude.com/docs/en/build-with-claude/prompt-caching>): what the cache had stands beside
    // the input. OpenAI's Responses use the same two names, with the cache's part inside and details of its own.
    Dialect {
        prompt: &["/input_tokens"],
        answer: &["/output_tokens"],
        total: &["/total_tokens"],
        cached: &["/cache_read_input_tokens", "/input_tokens_details/cached_tokens"],
        written: &["/cache_creation_input_tokens"],
        reasoning: &["/output_tokens_details/reasoning_tokens", "/output_tokens_details/thinking_tokens"],
        beside_prompt: &["/cache_read_input_tokens", "/cache_creation_input_tokens"],
        beside_answer: &[],
    },
    // Gemini (<https://ai.google.dev/api/generate-content#UsageMetadata>): thinking beside the candidates, cached tokens
    // inside the prompt, what its tools said beside it.
    Dialect {
        prompt: &["/promptTokenCount"],
        answer: &["/candidatesTokenCount", "/responseTokenCount"],
        total: &["/totalTokenCount"],
        cached: &["/cachedContentTokenCount"],
        written: &[],
        reasoning: &["/thoughtsTokenCount"],
        beside_prompt: &["/toolUsePromptTokenCount"],
        beside_answer: &["/thoughtsTokenCount"],
    },
    // Bedrock's Converse, and gateways that pass it on.
    Dialect {
        prompt: &["/inputTokens"],
        answer: &["/outputTokens"],
        total: &["/totalTokens"],
        cached: &["/cacheReadInputTokens"],
        written: &["/cacheWriteInputTokens"],
        reasoning: &[],
        beside_prompt: &["/cacheReadInputTokens", "/cacheWriteInputTokens"],
        beside_answer: &[],
    },
    // Ollama's own, beside the answer instead of in an object.
    Dialect {
        prompt: &["/prompt_eval_count"],
        answer: &["/eval_count"],
        total: &[],
        cached: &[],
        written: &[],
        reasoning: &[],
        beside_prompt: &[],
        beside_answer: &[],
    },
];

/// Where a report stands in an answer or a chunk. Groq says it in `x_groq`, Moonshot with the choice, Ollama beside all.
const PLACES: &[&str] = &["/usage", "/usageMetadata", "/x_groq/usage", "/choices/0/usage", ""];

/// Parts that cost another price than text, in every dialect: where one is there, the price of the whole is not known.
const COSTS_APART: &[&str] = &[
    "/prompt_tokens_details/audio_tokens",
    "/completion_tokens_details/audio_tokens",
    "/server_tool_use/web_search_requests",
    "/server_tool_use/web_fetch_requests",
    "/cache_creation/ephemeral_1h_input_tokens",
    "/completion_tokens_details/image_tokens",
    "/input_tokens_details/audio_tokens",
    "/output_tokens_details/audio_tokens",
    "/output_tokens_details/image_tokens",
    "/num_search_queries",
    "/num_sources_used",
];

/// What stands at a JSON pointer (RFC 6901) without escapes. `Value::pointer` makes two texts of each step, and every chunk of a
/// stream is looked through for all of these names.
fn at<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    pointer.split('/').skip(1).try_fold(value, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => value.get(step),
    })
}

/// What was reported so far of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Report {
    prompt: Option<u64>,
    answer: Option<u64>,
    total: Option<u64>,
    cached: u64,
    written: u64,
    reasoning: u64,
    /// Something was said that cannot be true.
    doubtful: bool,
    costs_apart: bool,
    tier: Tier,
}

impl Report {
    /// The report in an answer or a chunk, if there is one.
    pub(crate) fn in_answer(answer: &Value) -> Option<Self> {
        let place = PLACES.iter().find_map(|place| Self::of(at(answer, place)?));
        let tier = answer.get("service_tier").and_then(Value::as_str).map(Tier::named);
        place.map(|report| Self { tier: tier.unwrap_or(report.tier), ..report })
    }

    /// A report as it stands in `usage`.
    pub(crate) fn of(usage: &Value) -> Option<Self> {
        let is_there = |names: &[&str]| names.iter().any(|name| at(usage, name).is_some_and(|value| !value.is_null()));
        let spoken = DIALECTS.iter().find(|dialect| is_there(dialect.prompt) || is_there(dialect.answer));
        let dialect = spoken.or_else(|| DIALECTS.iter().find(|dialect| is_there(dialect.total)))?;
        let mut report = Self::default();
        let mut counts =
            |names: &[&str]| -> Vec<u64> { names.iter().filter_map(|name| report.count(at(usage, name))).collect() };
        let mut first = |names: &[&str]| counts(names).first().copied();
        let (prompt, answer, total) = (first(dialect.prompt), first(dialect.answer), first(dialect.total));
        let (cached, written, reasoning) = (first(dialect.cached), first(dialect.written), first(dialect.reasoning));
        let beside_prompt: u64 = counts(dialect.beside_prompt).iter().sum();
        let beside_answer: u64 = counts(dialect.beside_answer).iter().sum();
        // Where the input is counted beside the cache, all of it may have come from there. Thinking alone is an answer, too.
        let prompt = prompt.or((beside_prompt > 0).then_some(0)).map(|prompt| prompt + beside_prompt);
        let answer = answer.or((beside_answer > 0).then_some(0)).map(|answer| answer + beside_answer);
        // Thinking that is more than the whole answer stands beside it, where no total says otherwise.
        let answer = match (answer, reasoning) {
            (Some(answer), Some(reasoning)) if total.is_none() && beside_answer == 0 && reasoning > answer => {
                Some(answer + reasoning)
            }
            (answer, _) => answer,
        };
        let costs_apart = costs_apart(usage);
        let is_believable = |count: &u64| *count <= MOST_TOKENS;
        report.doubtful |= [prompt, answer].iter().flatten().any(|count| !is_believable(count));
        Some(Self {
            prompt: prompt.filter(is_believable),
            answer: answer.filter(is_believable),
            total,
            cached: cached.unwrap_or(0),
            written: written.unwrap_or(0),
            reasoning: reasoning.unwrap_or(0),
            costs_apart,
            tier: usage.get("service_tier").and_then(Value::as_str).map_or(Tier::Standard, Tier::named),
            ..report
        })
    }

    /// A count as it is spelled. What cannot be one counts as not said, and is remembered as such.
    fn count(&mut self, value: Option<&Value>) -> Option<u64> {
        let count = match value? {
            Value::Null => return None,
            Value::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
            Value::String(text) => {
                let text = text.trim();
                text.parse().ok().or_else(|| whole(text.parse().ok()?))
            }
            _ => None,
        };
        let count = count.filter(|count| *count <= MOST_TOKENS);
        self.doubtful |= count.is_none();
        count
    }

    /// This report and a later one: running counts grow, and a later 0, or a count that is left out, takes nothing back.
    pub(crate) fn and_then(self, later: Self) -> Self {
        Self {
            prompt: self.prompt.max(later.prompt),
            answer: self.answer.max(later.answer),
            total: self.total.max(later.total),
            cached: self.cached.max(later.cached),
            written: self.written.max(later.written),
            reasoning: self.reasoning.max(later.reasoning),
            // A sound report corrects an impossible one, before it or after it: what is in neither is estimated anyway.
            doubtful: self.doubtful && later.doubtful,
            costs_apart: self.costs_apart || later.costs_apart,
            tier: if later.tier == Tier::Standard { self.tier } else { later.tier },
        }
    }

    /// What is to be metered.
    pub(crate) fn usage(self) -> Usage {
        let prompt = self.prompt.unwrap_or(0);
        let answer = self.answer.unwrap_or(0);
        // Thinking that is in no part is in the total: 32 and 9 of 135.
        let beyond = self.total.unwrap_or(0).saturating_sub(prompt + answer);
        // Where only the prompt is missing it is the prompt, and where both are, nobody says how the total is divided: the sum is
        // right, its price is not known.
        let (prompt, answer, beyond, undivided) = match (prompt, answer, beyond) {
            (0, 0, 1..) => (1, 0, beyond - 1, true),
            (0, _, 1..) => (beyond, answer, 0, false),
            parts => (parts.0, parts.1, parts.2, false),
        };
        Usage {
            prompt_tokens: prompt,
            completion_tokens: answer + beyond,
            cached_tokens: self.cached.min(prompt),
            cache_written_tokens: self.written.min(prompt.saturating_sub(self.cached)),
            reasoning_tokens: self.reasoning.max(beyond.min(self.reasoning)).min(answer + beyond),
            estimated: self.doubtful,
            costs_apart: self.costs_apart || undivided,
            tier: self.tier,
        }
    }
}

/// Whether there is a part in it that costs another price than text.
fn costs_apart(usage: &Value) -> bool {
    let is_there = |name: &&str| at(usage, name).is_some_and(|value| value.as_f64() != Some(0.0) && !value.is_null());
    // Gemini's details: a list of `{modality, tokenCount}`. Pictures in the prompt cost what text does, in the answer they do not.
    let has_modality = |list: &str, apart: &[&str]| {
        let entries = usage.get(list).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        entries.iter().any(|entry| {
            entry.get("modality").and_then(Value::as_str).is_some_and(|modality| apart.contains(&modality))
                && entry.get("tokenCount").is_none_or(|count| count.as_f64() != Some(0.0))
        })
    };
    // Anthropic's region and speed have prices of their own when they are not the usual ones.
    let is_unusual = |name: &str, usual: &[&str]| {
        usage.get(name).and_then(Value::as_str).is_some_and(|value| !usual.contains(&value))
    };
    COSTS_APART.iter().any(is_there)
        || has_modality("promptTokensDetails", &["AUDIO"])
        || has_modality("candidatesTokensDetails", &["AUDIO", "IMAGE", "VIDEO"])
        || is_unusual("inference_geo", &["", "global", "not_available"])
        || is_unusual("speed", &["", "standard"])
}

/// `1200.0` is 1,200; `1200.5`, `-3.0` and infinities are no counts.
fn whole(number: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and within the bounds")]
    (number.fract() == 0.0 && (0.0..=1e9).contains(&number)).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_leads_where_the_same_json_pointer_does() {
        let answer = json!({
            "usage": {"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}, "total_tokens": null},
            "usageMetadata": [], "x_groq": {"usage": 3}, "choices": [{"usage": {"input_tokens": 4}}], "eval_count": "5",
        });
        let places =
            [&answer, &answer["usage"], &answer["choices"][0]["usage"], &answer["usageMetadata"], &Value::Null];
        let names = DIALECTS.iter().flat_map(|dialect| {
            let Dialect { prompt, answer, total, cached, written, reasoning, beside_prompt, beside_answer } = dialect;
            [prompt, answer, total, cached, written, reasoning, beside_prompt, beside_answer]
        });
        for name in names.copied().chain([PLACES, COSTS_APART]).flatten() {
            assert!(!name.contains('~'), "{name} has an escape");
            for place in places {
                assert_eq!(at(place, name), place.pointer(name), "{name} in {place}");
            }
        }
    }
}
