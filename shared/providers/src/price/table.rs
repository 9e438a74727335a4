//! The providers' list prices (standard tier, text), compiled on 21 November 2026 from stored copies of the pages below, dated
//! September to November 2026, and of release notes that quote them. Not every number was seen on its provider's own page (models
//! older than 2026, cached input of Gemini 3, the long-prompt rates of GPT-5.4 to 5.6): compare with the pages before billing by them.
//!
//! - OpenAI: <https://developers.openai.com/api/docs/pricing>. Models with a context of a million tokens cost twice the input and one
//!   and a half times the output once a prompt passes 272,000 tokens. What writing to the cache costs is not reported in
//!   chat completions and not in here.
//! - Anthropic: <https://platform.claude.com/docs/en/about-claude/pricing>. Tollgate sets no cache breakpoints, so nothing is
//!   written to the cache. Claude Haiku 5.5 costs five times as much for prompts of more than 100,000 tokens.
//! - Gemini: <https://ai.google.dev/gemini-api/docs/pricing>, thinking priced as output. Gemini 3.8 Flash is at half its price
//!   until 31 December 2026.

use super::{Price, Rates};

const fn rates(input: u64, cached_input: u64, output: u64) -> Rates {
    Rates { input, cached_input, output }
}

const fn price(model: &'static str, rates: Rates, long: Option<(u64, Rates)>, max_output_tokens: u64) -> Price {
    Price { model, rates, long, max_output_tokens, until: None, from: None }
}

/// The beginning of 1 January 2027 in UTC.
const YEAR_2027: i64 = 1_798_761_600;

pub(super) const OPENAI: [Price; 23] = [
    price(
        "gpt-6-astra",
        rates(10_000_000, 1_000_000, 50_000_000),
        Some((272_000, rates(20_000_000, 2_000_000, 75_000_000))),
        128_000,
    ),
    price(
        "gpt-6-sol",
        rates(2_000_000, 200_000, 10_000_000),
        Some((272_000, rates(4_000_000, 400_000, 15_000_000))),
        128_000,
    ),
    price("gpt-6-luna", rates(100_000, 10_000, 500_000), Some((272_000, rates(200_000, 20_000, 750_000))), 128_000),
    price(
        "gpt-5.6-sol",
        rates(4_000_000, 400_000, 20_000_000),
        Some((272_000, rates(8_000_000, 800_000, 30_000_000))),
        128_000,
    ),
    price(
        "gpt-5.6-terra",
        rates(2_000_000, 200_000, 12_000_000),
        Some((272_000, rates(4_000_000, 400_000, 18_000_000))),
        128_000,
    ),
    price(
        "gpt-5.6-luna",
        rates(200_000, 20_000, 1_200_000),
        Some((272_000, rates(400_000, 40_000, 1_800_000))),
        128_000,
    ),
    price(
        "gpt-5.6",
        rates(4_000_000, 400_000, 20_000_000),
        Some((272_000, rates(8_000_000, 800_000, 30_000_000))),
        128_000,
    ),
    price(
        "gpt-5.5",
        rates(5_000_000, 500_000, 30_000_000),
        Some((272_000, rates(10_000_000, 1_000_000, 45_000_000))),
        128_000,
    ),
    price(
        "gpt-5.4",
        rates(2_500_000, 250_000, 15_000_000),
        Some((272_000, rates(5_000_000, 500_000, 22_500_000))),
        128_000,
    ),
    price("gpt-5.4-mini", rates(750_000, 75_000, 4_500_000), None, 128_000),
    price("gpt-5.4-nano", rates(200_000, 20_000, 1_250_000), None, 128_000),
    price("gpt-5.2", rates(1_750_000, 175_000, 14_000_000), None, 128_000),
    price("gpt-5.1", rates(1_250_000, 125_000, 10_000_000), None, 128_000),
    price("gpt-5", rates(1_250_000, 125_000, 10_000_000), None, 128_000),
    price("gpt-5-mini", rates(250_000, 25_000, 2_000_000), None, 128_000),
    price("gpt-5-nano", rates(50_000, 5_000, 400_000), None, 128_000),
    price("gpt-4.1", rates(2_000_000, 500_000, 8_000_000), None, 32_768),
    price("gpt-4.1-mini", rates(400_000, 100_000, 1_600_000), None, 32_768),
    price("gpt-4.1-nano", rates(100_000, 25_000, 400_000), None, 32_768),
    price("gpt-4o", rates(2_500_000, 1_250_000, 10_000_000), None, 16_384),
    price("gpt-4o-mini", rates(150_000, 75_000, 600_000), None, 16_384),
    price("o3", rates(2_000_000, 500_000, 8_000_000), None, 100_000),
    price("o4-mini", rates(1_100_000, 275_000, 4_400_000), None, 100_000),
];

pub(super) const ANTHROPIC: [Price; 14] = [
    price("claude-fable-5-1", rates(10_000_000, 250_000, 50_000_000), None, 128_000),
    price("claude-fable-5", rates(10_000_000, 1_000_000, 50_000_000), None, 128_000),
    price("claude-opus-5-5", rates(4_000_000, 200_000, 20_000_000), None, 128_000),
    price("claude-opus-5", rates(5_000_000, 500_000, 25_000_000), None, 128_000),
    price("claude-opus-4-8", rates(5_000_000, 500_000, 25_000_000), None, 128_000),
    price("claude-opus-4-7", rates(5_000_000, 500_000, 25_000_000), None, 128_000),
    price("claude-opus-4-6", rates(5_000_000, 500_000, 25_000_000), None, 128_000),
    price("claude-opus-4-5", rates(5_000_000, 500_000, 25_000_000), None, 64_000),
    price("claude-sonnet-5-5", rates(2_000_000, 100_000, 10_000_000), None, 128_000),
    price("claude-sonnet-5", rates(2_000_000, 200_000, 10_000_000), None, 128_000),
    price("claude-sonnet-4-6", rates(3_000_000, 300_000, 15_000_000), None, 64_000),
    price("claude-sonnet-4-5", rates(3_000_000, 300_000, 15_000_000), None, 64_000),
    price(
        "claude-haiku-5-5",
        rates(100_000, 10_000, 500_000),
        Some((100_000, rates(500_000, 50_000, 2_500_000))),
        128_000,
    ),
    price("claude-haiku-4-5", rates(1_000_000, 100_000, 5_000_000), None, 64_000),
];

pub(super) const GEMINI: [Price; 8] = [
    Price { until: Some(YEAR_2027), ..price("gemini-3.8-flash", rates(750_000, 75_000, 3_750_000), None, 65_536) },
    Price { from: Some(YEAR_2027), ..price("gemini-3.8-flash", rates(1_500_000, 150_000, 7_500_000), None, 65_536) },
    price("gemini-3.5-flash", rates(1_500_000, 150_000, 9_000_000), None, 65_536),
    price("gemini-3.5-flash-lite", rates(300_000, 30_000, 2_500_000), None, 65_536),
    price(
        "gemini-3.1-pro",
        rates(2_000_000, 200_000, 12_000_000),
        Some((200_000, rates(4_000_000, 400_000, 18_000_000))),
        65_536,
    ),
    price(
        "gemini-2.5-pro",
        rates(1_250_000, 125_000, 10_000_000),
        Some((200_000, rates(2_500_000, 250_000, 15_000_000))),
        65_536,
    ),
    price("gemini-2.5-flash", rates(300_000, 30_000, 2_500_000), None, 65_536),
    price("gemini-2.5-flash-lite", rates(100_000, 10_000, 400_000), None, 65_536),
];

/// Models that cost another multiple than twice the list price when they are served with priority, in twentieths
/// (<https://openai.com/api-priority-processing/>): 12.50 dollars instead of 5, 0.45 instead of 0.25, 3.50 instead of 2, 4.25 instead of
/// 2.50. GPT-4o mini and o4-mini are rounded up there and taken at the next twentieth here. Input, cached input and output have one
/// multiple each time.
pub(super) const OPENAI_PRIORITY: [(&str, u64); 8] = [
    ("gpt-5.5", 50),
    ("gpt-5-mini", 36),
    ("gpt-4.1", 35),
    ("gpt-4.1-mini", 35),
    ("gpt-4o", 34),
    ("gpt-4o-mini", 34),
    ("o3", 35),
    ("o4-mini", 37),
];

pub(super) const OPENAI_MODELS: &[&str] = &[
    "gpt-6-astra",
    "gpt-6-sol",
    "gpt-6-luna",
    "gpt-5.6-sol",
    "gpt-5.6-terra",
    "gpt-5.6-luna",
    "gpt-5.6",
    "gpt-5.5",
    "gpt-5.4",
    "gpt-5.4-mini",
    "gpt-5.4-nano",
    "gpt-5.2",
    "gpt-5.1",
    "gpt-5",
    "gpt-5-mini",
    "gpt-5-nano",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4.1-nano",
    "gpt-4o",
    "gpt-4o-mini",
    "o3",
    "o4-mini",
];

pub(super) const ANTHROPIC_MODELS: &[&str] = &[
    "claude-fable-5-1",
    "claude-fable-5",
    "claude-opus-5-5",
    "claude-opus-5",
    "claude-opus-4-8",
    "claude-opus-4-7",
    "claude-opus-4-6",
    "claude-opus-4-5",
    "claude-sonnet-5-5",
    "claude-sonnet-5",
    "claude-sonnet-4-6",
    "claude-sonnet-4-5",
    "claude-haiku-5-5",
    "claude-haiku-4-5",
];

pub(super) const GEMINI_MODELS: &[&str] = &[
    "gemini-3.8-flash",
    "gemini-3.5-flash",
    "gemini-3.5-flash-lite",
    "gemini-3.1-pro-preview",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
];
