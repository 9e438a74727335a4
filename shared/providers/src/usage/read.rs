//! The one place that reads what a provider says it has used: a table of dialects, and bounds for every figure in them.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Components, MOST_TOKENS_OF_ONE_FIGURE, ServiceTier, Usage};

/// The names one family of providers uses. A name is a path of members; of several the largest counts, since servers that speak
/// two dialects at once repeat themselves.
struct Dialect {
    prompt: &'static [&'static str],
    /// What is counted beside the prompt, and belongs to it.
    beside_prompt: &'static [&'static str],
    answer: &'static [&'static str],
    /// Thinking that is counted beside the answer, and belongs to it.
    beside_answer: &'static [&'static str],
    cached: &'static [&'static str],
    written: &'static [&'static str],
    written_hour: &'static [&'static str],
    /// Thinking, inside the answer unless the figures show otherwise.
    reasoning: &'static [&'static str],
    total: &'static [&'static str],
}

const NONE: &[&str] = &[];

/// The first dialect counts that has any of its prompt's or answer's names in the object.
///
/// - `prompt_tokens`: OpenAI (<https://platform.openai.com/docs/api-reference/chat/object>), Mistral, Groq, vLLM, OpenRouter
///   (`prompt_tokens_details.cache_write_tokens`), DeepSeek (`prompt_cache_hit_tokens`,
///   <https://api-docs.deepseek.com/api/create-chat-completion>), Moonshot (`cached_tokens`), xAI, whose reasoning stands beside
///   the completion and shows in the total only, Perplexity and Together (`reasoning_tokens`).
/// - `input_tokens` with details or a total: OpenAI's Responses, and servers that use their names.
/// - `input_tokens` without: Anthropic (<https://platform.claude.com/docs/en/build-with-claude/prompt-caching>), where what was
///   read from or written to the cache is not part of the input.
/// - `promptTokenCount`: Gemini (<https://ai.google.dev/api/generate-content#UsageMetadata>); snake case in some proxies.
/// - `inputTokens`: Bedrock's Converse.
/// - `prompt_eval_count`: Ollama (<https://docs.ollama.com/api/chat>).
const DIALECTS: &[(Detector, Dialect)] = &[
    (
        |usage| has(usage, &["prompt_tokens", "completion_tokens"]),
        Dialect {
            prompt: &["prompt_tokens", "input_tokens"],
            beside_prompt: NONE,
            answer: &["completion_tokens", "output_tokens"],
            beside_answer: NONE,
            cached: &[
                "prompt_tokens_details.cached_tokens",
                "prompt_cache_hit_tokens",
                "cached_tokens",
                "cache_read_input_tokens",
                "num_cached_tokens",
                "input_tokens_details.cached_tokens",
            ],
            written: &[
                "prompt_tokens_details.cache_write_tokens",
                "prompt_tokens_details.cache_creation_tokens",
                "cache_creation_input_tokens",
            ],
            written_hour: NONE,
            reasoning: REASONING,
            total: &["total_tokens"],
        },
    ),
    (
        |usage| {
            has(usage, &["input_tokens", "output_tokens"])
                && has(usage, &["input_tokens_details", "output_tokens_details.reasoning_tokens", "total_tokens"])
                && !has(usage, &["cache_read_input_tokens", "cache_creation_input_tokens"])
        },
        Dialect {
            prompt: &["input_tokens"],
            beside_prompt: NONE,
            answer: &["output_tokens"],
            beside_answer: NONE,
            cached: &["input_tokens_details.cached_tokens"],
            written: &["input_tokens_details.cache_write_tokens"],
            written_hour: NONE,
            reasoning: REASONING,
            total: &["total_tokens"],
        },
    ),
    (
        |usage| {
            has(usage, &["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"])
        },
        Dialect {
            prompt: &["input_tokens"],
            beside_prompt: &["cache_read_input_tokens", "cache_creation_input_tokens"],
            answer: &["output_tokens"],
            beside_answer: NONE,
            cached: &["cache_read_input_tokens"],
            written: &["cache_creation_input_tokens"],
            written_hour: &["cache_creation.ephemeral_1h_input_tokens"],
            reasoning: REASONING,
            total: &["total_tokens"],
        },
    ),
    (
        |usage| has(usage, &["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"]),
        Dialect {
            prompt: &["promptTokenCount"],
            beside_prompt: &["toolUsePromptTokenCount"],
            answer: &["candidatesTokenCount", "responseTokenCount"],
            beside_answer: &["thoughtsTokenCount"],
            cached: &["cachedContentTokenCount"],
            written: NONE,
            written_hour: NONE,
            reasoning: &["thoughtsTokenCount"],
            total: &["totalTokenCount"],
        },
    ),
    (
        |usage| has(usage, &["prompt_token_count", "candidates_token_count", "total_token_count"]),
        Dialect {
            prompt: &["prompt_token_count"],
            beside_prompt: &["tool_use_prompt_token_count"],
            answer: &["candidates_token_count"],
            beside_answer: &["thoughts_token_count"],
            cached: &["cached_content_token_count"],
            written: NONE,
            written_hour: NONE,
            reasoning: &["thoughts_token_count"],
            total: &["total_token_count"],
        },
    ),
    (
        |usage| has(usage, &["inputTokens", "outputTokens"]),
        Dialect {
            prompt: &["inputTokens"],
            beside_prompt: &["cacheReadInputTokens", "cacheWriteInputTokens"],
            answer: &["outputTokens"],
            beside_answer: NONE,
            cached: &["cacheReadInputTokens"],
            written: &["cacheWriteInputTokens"],
            written_hour: NONE,
            reasoning: &["reasoningTokens"],
            total: &["totalTokens"],
        },
    ),
    (
        |usage| has(usage, &["prompt_eval_count", "eval_count"]),
        Dialect {
            prompt: &["prompt_eval_count"],
            beside_prompt: NONE,
            answer: &["eval_count"],
            beside_answer: NONE,
            cached: NONE,
            written: NONE,
            written_hour: NONE,
            reasoning: NONE,
            total: NONE,
        },
    ),
    // Nothing but a sum.
    (
        |usage| has(usage, &["total_tokens"]),
        Dialect {
            prompt: NONE,
            beside_prompt: NONE,
            answer: NONE,
            beside_answer: NONE,
            cached: NONE,
            written: NONE,
            written_hour: NONE,
            reasoning: REASONING,
            total: &["total_tokens"],
        },
    ),
];

/// Recognises a dialect by the names in an object.
type Detector = fn(&Value) -> bool;

/// Every name for thinking inside the answer.
const REASONING: &[&str] = &[
    "completion_tokens_details.reasoning_tokens",
    "output_tokens_details.reasoning_tokens",
    "output_tokens_details.thinking_tokens",
    "completion_tokens_details.thinking_tokens",
    "reasoning_tokens",
    "thinking_tokens",
    "reasoning_output_tokens",
];
const AUDIO_PROMPT: &[&str] = &["prompt_tokens_details.audio_tokens", "input_tokens_details.audio_tokens"];
const AUDIO_ANSWER: &[&str] = &["completion_tokens_details.audio_tokens", "output_tokens_details.audio_tokens"];
const IMAGE_ANSWER: &[&str] = &["completion_tokens_details.image_tokens", "output_tokens_details.image_tokens"];
const SEARCHES: &[&str] = &[
    "server_tool_use.web_search_requests",
    "server_tool_use_details.web_search_requests",
    "num_search_queries",
    "num_sources_used",
];

/// A figure as it was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Figure {
    Absent,
    Tokens(u64),
    /// Negative, or more than there can be.
    Impossible,
}

/// Reads one `usage` object in whatever dialect it is; `None` when there is no figure in it.
pub(crate) fn in_object(usage: &Value) -> Option<Usage> {
    let (_, dialect) = DIALECTS.iter().find(|(is_spoken, _)| is_spoken(usage))?;
    let mut reader = Reader { usage, found: false, impossible: false };
    let plain_prompt = reader.largest(dialect.prompt);
    let prompt = bounded(plain_prompt + reader.sum(dialect.beside_prompt), &mut reader.impossible);
    let plain_answer = reader.largest(dialect.answer);
    let answer = bounded(plain_answer + reader.sum(dialect.beside_answer), &mut reader.impossible);
    let reasoning = reader.largest(dialect.reasoning);
    let total = reader.total(dialect.total);
    let mut out = Usage { prompt_tokens: prompt, completion_tokens: answer, ..Usage::default() };
    match total {
        // What is missing in the parts was used all the same: thinking that is counted nowhere else (xAI), mostly.
        Some(total) if total > prompt + answer => {
            if prompt == 0 && answer > 0 {
                out.prompt_tokens = total - answer;
            } else if prompt == 0 {
                // Nobody says what of it was prompt: the sum is right, its price is not known.
                out.prompt_tokens = 1;
                out.completion_tokens = (total - 1).max(answer);
                out.components.other = true;
            } else {
                out.completion_tokens = total - prompt;
            }
        }
        // Thinking that is more than the whole answer stands beside it.
        None if dialect.beside_answer.is_empty() && reasoning > answer => {
            out.completion_tokens = bounded(answer + reasoning, &mut reader.impossible);
        }
        _ => {}
    }
    out.reasoning_tokens = reasoning.min(out.completion_tokens);
    out.cached_tokens = reader.largest(dialect.cached).min(out.prompt_tokens);
    out.components = components(&mut reader, dialect, &out);
    out.tier = tier_of(usage.get("service_tier").or_else(|| usage.get("serviceTier")));
    out.estimated = reader.impossible;
    (reader.found || reader.impossible).then_some(out)
}

fn components(reader: &mut Reader, dialect: &Dialect, of: &Usage) -> Components {
    let hour = reader.largest(dialect.written_hour);
    let written = reader.largest(dialect.written).max(hour);
    let audio = |modality: &str, names: &[&str]| -> u64 {
        names.iter().map(|name| modality_tokens(reader.usage, name, |kind| kind == modality)).max().unwrap_or(0)
    };
    let heard = audio("AUDIO", &["promptTokensDetails", "prompt_tokens_details"]);
    let spoken = audio("AUDIO", &["candidatesTokensDetails", "candidates_tokens_details"]);
    let drawn = modality_tokens(reader.usage, "candidatesTokensDetails", |kind| kind == "IMAGE" || kind == "VIDEO");
    let is_one_of = |name: &str, plain: &[&str]| {
        reader.usage.get(name).and_then(Value::as_str).is_none_or(|value| plain.contains(&value))
    };
    let plain_region = is_one_of("inference_geo", &["global", "not_available", ""]);
    let plain_speed = is_one_of("speed", &["standard", ""]);
    Components {
        cache_write_tokens: (written - hour).min(of.prompt_tokens),
        cache_write_hour_tokens: hour.min(of.prompt_tokens),
        audio_prompt_tokens: reader.largest(AUDIO_PROMPT).max(heard).min(of.prompt_tokens),
        audio_completion_tokens: reader.largest(AUDIO_ANSWER).max(spoken).min(of.completion_tokens),
        searches: reader.largest(SEARCHES),
        other: of.components.other || drawn > 0 || reader.largest(IMAGE_ANSWER) > 0 || !plain_region || !plain_speed,
    }
}

/// Gemini's details: a list of `{modality, tokenCount}`.
fn modality_tokens(usage: &Value, list: &str, wanted: impl Fn(&str) -> bool) -> u64 {
    let entries = usage.get(list).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    entries
        .iter()
        .filter(|entry| entry.get("modality").and_then(Value::as_str).is_some_and(&wanted))
        .filter_map(|entry| match figure(entry.get("tokenCount").or_else(|| entry.get("token_count"))) {
            Figure::Tokens(tokens) => Some(tokens),
            Figure::Absent | Figure::Impossible => None,
        })
        .fold(0, u64::saturating_add)
}

/// What a service tier is called (<https://platform.openai.com/docs/api-reference/chat/object>,
/// <https://platform.claude.com/docs/en/api/service-tiers>).
pub(crate) fn tier_of(name: Option<&Value>) -> ServiceTier {
    let name = name.and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    match name.as_str() {
        "" | "default" | "standard" | "on_demand" => ServiceTier::Standard,
        "priority" => ServiceTier::Priority,
        "flex" => ServiceTier::Flex,
        _ => ServiceTier::Other,
    }
}

/// Where servers that speak OpenAI's format put their usage.
#[derive(Default, Deserialize)]
struct Body<'a> {
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
    /// Groq, in the last chunk of a stream.
    #[serde(default, borrow)]
    x_groq: Option<&'a RawValue>,
    /// Gemini's name, in proxies that translate only the text.
    #[serde(default, borrow, rename = "usageMetadata")]
    usage_metadata: Option<&'a RawValue>,
    #[serde(default, borrow)]
    choices: Option<Vec<&'a RawValue>>,
    /// Ollama, which has no object for it.
    #[serde(default, borrow)]
    prompt_eval_count: Option<&'a RawValue>,
    #[serde(default, borrow)]
    eval_count: Option<&'a RawValue>,
    #[serde(default, borrow)]
    service_tier: Option<&'a RawValue>,
}

/// The usage of an answer or a chunk in OpenAI's format, wherever it is; `None` when there is none.
pub(crate) fn in_body(body: &str) -> Option<Usage> {
    // Most chunks of a stream have none: they are not read twice.
    if !["_tokens", "eval_count", "TokenCount", "Tokens"].iter().any(|name| body.contains(name)) {
        return None;
    }
    let read: Body = serde_json::from_str(body).ok()?;
    let value = |raw: &RawValue| serde_json::from_str::<Value>(raw.get()).ok();
    let mut places: Vec<Value> = [read.usage, read.usage_metadata].into_iter().flatten().filter_map(value).collect();
    places.extend(read.x_groq.and_then(value).and_then(|mut groq| groq.get_mut("usage").map(Value::take)));
    for choice in read.choices.iter().flatten() {
        if choice.get().contains("usage") {
            let Some(mut choice) = value(choice) else { continue };
            places.extend(choice.get_mut("usage").map(Value::take));
        }
    }
    if read.prompt_eval_count.is_some() || read.eval_count.is_some() {
        let count = |raw: Option<&RawValue>| raw.and_then(value).unwrap_or_default();
        places.push(serde_json::json!({
            "prompt_eval_count": count(read.prompt_eval_count), "eval_count": count(read.eval_count)}));
    }
    let usage = places.iter().filter_map(in_object).reduce(Usage::updated_by)?;
    let tier = tier_of(read.service_tier.and_then(value).as_ref());
    Some(if tier == ServiceTier::Standard { usage } else { Usage { tier, ..usage } })
}

/// Reads figures out of one object, and remembers what was wrong.
struct Reader<'a> {
    usage: &'a Value,
    found: bool,
    impossible: bool,
}

impl Reader<'_> {
    fn take(&mut self, name: &str) -> Option<u64> {
        match figure(at(self.usage, name)) {
            Figure::Tokens(tokens) => {
                self.found = true;
                Some(tokens)
            }
            Figure::Impossible => {
                self.impossible = true;
                None
            }
            Figure::Absent => None,
        }
    }

    fn largest(&mut self, names: &[&str]) -> u64 {
        names.iter().filter_map(|name| self.take(name)).max().unwrap_or(0)
    }

    fn sum(&mut self, names: &[&str]) -> u64 {
        names.iter().filter_map(|name| self.take(name)).fold(0, u64::saturating_add)
    }

    fn total(&mut self, names: &[&str]) -> Option<u64> {
        names.iter().filter_map(|name| self.take(name)).max()
    }
}

/// A sum that is above the bound is as impossible as a figure above it: nothing is left of it, and the estimate stands in.
fn bounded(sum: u64, impossible: &mut bool) -> u64 {
    if sum > MOST_TOKENS_OF_ONE_FIGURE {
        *impossible = true;
        return 0;
    }
    sum
}

fn has(usage: &Value, names: &[&str]) -> bool {
    names.iter().any(|name| at(usage, name).is_some_and(|value| !value.is_null()))
}

fn at<'a>(usage: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(usage, |value, name| value.get(name))
}

/// A count, as servers write it: an integer, a whole number with a fraction (`1200.0`), either of them as a string.
fn figure(value: Option<&Value>) -> Figure {
    match value {
        Some(Value::Number(number)) => match number.as_u64() {
            Some(tokens) => whole(tokens),
            None => number.as_f64().map_or(Figure::Impossible, rounded),
        },
        Some(Value::String(text)) => {
            let text = text.trim();
            match text.parse::<u64>() {
                Ok(tokens) => whole(tokens),
                Err(_) => text.parse::<f64>().map_or(Figure::Absent, rounded),
            }
        }
        _ => Figure::Absent,
    }
}

const fn whole(tokens: u64) -> Figure {
    if tokens > MOST_TOKENS_OF_ONE_FIGURE { Figure::Impossible } else { Figure::Tokens(tokens) }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the range is checked before, and it is far below 2^53"
)]
fn rounded(number: f64) -> Figure {
    if (0.0..=MOST_TOKENS_OF_ONE_FIGURE as f64).contains(&number) {
        // A part of a token costs as much as one.
        Figure::Tokens(number.ceil() as u64)
    } else {
        Figure::Impossible
    }
}
