//! What an answer costs, in micro-dollars (a millionth of a US dollar).

mod table;

use crate::model::{ModelRef, Provider};
use crate::usage::{Tier, Usage};

/// Micro-dollars per million tokens, which is the same number as dollars per million tokens times a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rates {
    input: u64,
    cached_input: u64,
    output: u64,
}

/// One row of the table.
#[derive(Debug)]
struct Price {
    /// The model's name without a date.
    model: &'static str,
    rates: Rates,
    /// Prompts of more tokens than the first number cost the second, all of their tokens and the answer's.
    long: Option<(u64, Rates)>,
    max_output_tokens: u64,
    /// Before this instant, in seconds since 1970; `None` without an end.
    until: Option<i64>,
    /// From this instant on.
    from: Option<i64>,
}

/// What an answer cost, in micro-dollars, rounded up: the provider's list price, without any margin.
///
/// `None` for a model without a price here, and for an answer with a part that has none: the cost is unknown, not nothing.
/// `tollgate/extractive` costs 0. `at` is when it was answered, in seconds since 1970: prices have dates.
pub fn cost_microusd(model: &ModelRef, usage: &Usage, at: i64) -> Option<u64> {
    if model.provider == Provider::Tollgate {
        return Some(0);
    }
    if usage.costs_apart {
        return None;
    }
    let price = find_at(model, at)?;
    let rates = match price.long {
        Some((threshold, long)) if usage.prompt_tokens > threshold => long,
        _ => price.rates,
    };
    let cached = usage.cached_tokens.min(usage.prompt_tokens);
    let times = |tokens: u64, rate: u64| u128::from(tokens) * u128::from(rate);
    let written = usage.cache_written_tokens.min(usage.prompt_tokens - cached);
    // Writing to Anthropic's cache for five minutes costs a quarter more than reading it anew; elsewhere it has no price.
    let written_quarters = match (written, model.provider) {
        (0, _) => 4,
        (_, Provider::Anthropic) => 5,
        _ => return None,
    };
    let total = times(usage.prompt_tokens - cached - written, rates.input)
        + times(written, rates.input) * written_quarters / 4
        + times(cached, rates.cached_input)
        + times(usage.completion_tokens, rates.output);
    // Half a list price and twice one: <https://developers.openai.com/api/docs/pricing>, "Flex" and "Priority". Others'
    // tiers have no price here.
    let halves = match (usage.tier, model.provider) {
        (Tier::Standard, _) => 2,
        // Long prompts are not served first in line, so they have no price there.
        (Tier::Priority, Provider::OpenAi)
            if price.long.is_some_and(|(threshold, _)| usage.prompt_tokens > threshold) =>
        {
            return None;
        }
        (Tier::Priority, Provider::OpenAi) => {
            let twentieths = table::OPENAI_PRIORITY.iter().find(|(name, _)| *name == price.model);
            let twentieths = u128::from(twentieths.map_or(40, |(_, twentieths)| *twentieths));
            return u64::try_from((total * twentieths).div_ceil(20_000_000)).ok();
        }
        (Tier::Flex, Provider::OpenAi) => 1,
        _ => return None,
    };
    u64::try_from((total * halves).div_ceil(2_000_000)).ok()
}

/// The most tokens a model can answer with, where it is known.
pub fn max_output_tokens(model: &ModelRef) -> Option<u64> {
    find(model).map(|price| price.max_output_tokens)
}

/// The models shown in `GET /v1/models`. Others work too: any name is passed on.
pub fn known_models(provider: Provider) -> &'static [&'static str] {
    match provider {
        Provider::OpenAi => table::OPENAI_MODELS,
        Provider::Anthropic => table::ANTHROPIC_MODELS,
        Provider::Gemini => table::GEMINI_MODELS,
        Provider::Tollgate => &["extractive"],
    }
}

fn find(model: &ModelRef) -> Option<&'static Price> {
    rows(model.provider).iter().find(|price| is_release_of(price.model, &model.model))
}

/// The price at an instant, where a model has several.
fn find_at(model: &ModelRef, at: i64) -> Option<&'static Price> {
    let is_in_force = |price: &&Price| {
        price.from.is_none_or(|from| from <= at)
            && price.until.is_none_or(|until| at < until)
            && is_release_of(price.model, &model.model)
    };
    rows(model.provider).iter().find(is_in_force)
}

fn rows(provider: Provider) -> &'static [Price] {
    match provider {
        Provider::OpenAi => &table::OPENAI,
        Provider::Anthropic => &table::ANTHROPIC,
        Provider::Gemini => &table::GEMINI,
        Provider::Tollgate => &[],
    }
}

/// Whether `name` is the model itself, or a dated or "latest" release of it. A mere prefix is not enough: `gpt-5` is a prefix of
/// `gpt-5-pro`, which costs twelve times as much, and `claude-sonnet-4` of `claude-sonnet-4-5`. A wrong price is worse than none.
fn is_release_of(model: &str, name: &str) -> bool {
    let Some(rest) = name.strip_prefix(model) else {
        return false;
    };
    let Some(release) = rest.strip_prefix('-') else {
        return rest.is_empty();
    };
    let release = release.strip_prefix("preview").map_or(release, |rest| rest.strip_prefix('-').unwrap_or(rest));
    let digits = release.bytes().filter(u8::is_ascii_digit).count();
    let is_numeric = release.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    // 2025-08-07, 20250929, 09-2025, 05-20; Gemini's -001.
    let is_date = is_numeric && (digits == 8 || digits == 6 || (digits == 4 && release.contains('-')));
    let is_version = is_numeric && digits == 3 && release.starts_with('0');
    release.is_empty() || release == "latest" || is_date || is_version
}

#[cfg(test)]
mod tests;
