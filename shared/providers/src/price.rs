//! What an answer costs, in micro-dollars (a millionth of a US dollar).

mod table;

use crate::model::{ModelRef, Provider};
use crate::usage::{ServiceTier, Usage};

/// Micro-dollars per million tokens, which is the same number as dollars per million tokens times a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rates {
    input: u64,
    cached_input: u64,
    output: u64,
}

/// One row of the table. A model whose price changes has a row for each price.
#[derive(Debug)]
struct Price {
    /// The model's name without a date.
    model: &'static str,
    rates: Rates,
    /// Prompts of more tokens than the first number cost the second, all of their tokens and the answer's.
    long: Option<(u64, Rates)>,
    max_output_tokens: u64,
    /// The instant from which the row holds, in Unix seconds; `None` since ever.
    from: Option<i64>,
    /// The first instant at which it holds no more; `None` until further notice.
    until: Option<i64>,
}

impl Price {
    fn holds_at(&self, at: i64) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// What an answer cost at an instant (Unix seconds), in micro-dollars, rounded up: the provider's list price, without any margin.
///
/// `None` for a model without a price here, and for an answer with a part that has none (audio, a service tier, writing to the
/// cache, a search): the cost is unknown, not nothing. `tollgate/extractive` costs 0.
pub fn cost_microusd(model: &ModelRef, usage: &Usage, at: i64) -> Option<u64> {
    if model.provider == Provider::Tollgate {
        return Some(0);
    }
    let price = find(model, at)?;
    let components = &usage.components;
    if components.other || components.audio_prompt_tokens > 0 || components.audio_completion_tokens > 0 {
        return None;
    }
    let (rates, divisor) = rates(model.provider, price, usage)?;
    let written = components.cache_write_tokens.checked_add(components.cache_write_hour_tokens)?;
    let cached = usage.cached_tokens.min(usage.prompt_tokens);
    // Parts that are more than the whole are not understood, so neither is their price.
    let plain = (usage.prompt_tokens - cached).checked_sub(written)?;
    let times = |tokens: u64, rate: u64| u128::from(tokens) * u128::from(rate);
    let total = times(plain, rates.input)
        + times(cached, rates.cached_input)
        + times(usage.completion_tokens, rates.output)
        + cache_writes(model.provider, rates, usage)?
        + searches(model.provider, usage)? * u128::from(divisor);
    u64::try_from(total.div_ceil(1_000_000 * u128::from(divisor))).ok()
}

/// The rates of the tier an answer was served as, and what to divide them by.
fn rates(provider: Provider, price: &Price, usage: &Usage) -> Option<(Rates, u64)> {
    let long = price.long.filter(|(threshold, _)| usage.prompt_tokens > *threshold).map(|(_, rates)| rates);
    match (usage.tier, provider) {
        (ServiceTier::Standard, _) => Some((long.unwrap_or(price.rates), 1)),
        // Long prompts are not served with priority, so they have no price there.
        (ServiceTier::Priority, Provider::OpenAi) if long.is_none() => {
            table::OPENAI_PRIORITY.iter().find(|(model, _)| *model == price.model).map(|(_, rates)| (*rates, 1))
        }
        (ServiceTier::Flex, Provider::OpenAi) if table::OPENAI_FLEX.contains(&price.model) => {
            Some((long.unwrap_or(price.rates), 2))
        }
        _ => None,
    }
}

/// Writing to Anthropic's cache costs one and a quarter of the input for five minutes, twice for an hour
/// (<https://platform.claude.com/docs/en/about-claude/pricing>). The others' price for it is not known here.
fn cache_writes(provider: Provider, rates: Rates, usage: &Usage) -> Option<u128> {
    let (brief, hour) = (usage.components.cache_write_tokens, usage.components.cache_write_hour_tokens);
    if brief == 0 && hour == 0 {
        return Some(0);
    }
    let input = u128::from(rates.input);
    (provider == Provider::Anthropic)
        .then(|| (u128::from(brief) * input * 5).div_ceil(4) + u128::from(hour) * input * 2)
}

/// Anthropic's web searches cost ten dollars a thousand, in millionths of a micro-dollar like the rest.
fn searches(provider: Provider, usage: &Usage) -> Option<u128> {
    match usage.components.searches {
        0 => Some(0),
        searches if provider == Provider::Anthropic => Some(u128::from(searches) * 10_000 * 1_000_000),
        _ => None,
    }
}

/// The most tokens a model can answer with, where it is known.
pub fn max_output_tokens(model: &ModelRef) -> Option<u64> {
    rows(model).next().map(|price| price.max_output_tokens)
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

fn find(model: &ModelRef, at: i64) -> Option<&'static Price> {
    rows(model).find(|price| price.holds_at(at))
}

fn rows(model: &ModelRef) -> impl Iterator<Item = &'static Price> {
    let rows: &[Price] = match model.provider {
        Provider::OpenAi => &table::OPENAI,
        Provider::Anthropic => &table::ANTHROPIC,
        Provider::Gemini => &table::GEMINI,
        Provider::Tollgate => &[],
    };
    rows.iter().filter(|price| is_release_of(price.model, &model.model))
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
