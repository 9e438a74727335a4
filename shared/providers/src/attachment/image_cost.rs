//! What an image takes in tokens, by the provider's own rules.
//!
//! - OpenAI: <https://developers.openai.com/api/docs/guides/images-vision> ("Model sizing behavior", "Calculating costs"), as of
//!   September 2026.
//! - Anthropic: <https://platform.claude.com/docs/en/build-with-claude/vision>: a token for each 28 by 28 pixels.
//! - Gemini: <https://ai.google.dev/gemini-api/docs/tokens> and `/media-resolution`: 258 tokens a tile, since Gemini 3 1,120 an image.

use super::Detail;
use crate::model::{ModelRef, Provider};

type Size = (u64, u64);

/// How a model of OpenAI's counts.
#[derive(Clone, Copy)]
enum Rule {
    /// A base, and tiles of 512 pixels of the image scaled to 768 at its shorter side.
    Tiles { base: u64, tile: u64 },
    /// Patches of 32 pixels, times so many hundredths. What each detail allows: low, high, and original (or not said).
    Patches { hundredths: u64, low: Limit, high: Limit, original: Limit },
}

/// The longest side in pixels, and the most patches.
#[derive(Clone, Copy)]
struct Limit {
    side: u64,
    patches: u64,
}

const fn limit(side: u64, patches: u64) -> Limit {
    Limit { side, patches }
}

const SMALL: Limit = limit(512, 256);
const HIGH: Limit = limit(2_048, 2_500);
const WIDE: Limit = limit(2_048, 6_144);
const LARGE: Limit = limit(6_000, 10_000);
/// What is larger than 30,000 patches is refused.
const WHOLE: Limit = limit(65_535, 30_000);

const fn patches(hundredths: u64, low: Limit, high: Limit, original: Limit) -> Rule {
    Rule::Patches { hundredths, low, high, original }
}

/// By the beginning of the model's name; the longest that fits.
const OPENAI: &[(&str, Rule)] = &[
    ("gpt-6", patches(120, SMALL, HIGH, WHOLE)),
    ("gpt-5.6", patches(120, SMALL, HIGH, WHOLE)),
    ("gpt-5.5", patches(120, SMALL, HIGH, LARGE)),
    ("gpt-5.4", patches(120, WIDE, HIGH, LARGE)),
    ("gpt-5.2", patches(120, WIDE, WIDE, WIDE)),
    ("gpt-5.1", Rule::Tiles { base: 70, tile: 140 }),
    ("gpt-5", Rule::Tiles { base: 70, tile: 140 }),
    ("gpt-5-mini", patches(120, WIDE, WIDE, WIDE)),
    ("gpt-5-nano", patches(150, WIDE, WIDE, WIDE)),
    ("gpt-4", Rule::Tiles { base: 85, tile: 170 }),
    ("gpt-4.1-mini", patches(162, WIDE, WIDE, WIDE)),
    ("gpt-4.1-nano", patches(246, WIDE, WIDE, WIDE)),
    ("gpt-4o-mini", Rule::Tiles { base: 2_833, tile: 5_667 }),
    ("chatgpt-4o", Rule::Tiles { base: 85, tile: 170 }),
    ("o1", Rule::Tiles { base: 75, tile: 150 }),
    ("o3", Rule::Tiles { base: 75, tile: 150 }),
    ("o4-mini", patches(172, WIDE, WIDE, WIDE)),
];

/// A model that is not in the table, or a compatible server's.
const UNKNOWN: Rule = patches(120, WIDE, WIDE, LARGE);

/// What an image takes; without a size as much as any.
pub(super) fn tokens(size: Option<Size>, detail: Detail, model: Option<&ModelRef>) -> u64 {
    match model.map(|model| (model.provider, model.model.as_str())) {
        Some((Provider::Anthropic, name)) => anthropic(size, name),
        Some((Provider::Gemini, name)) => gemini(size, name),
        // It looks at no image; what is said of a model that cannot be told is as good as any.
        Some((Provider::Tollgate, _)) => 85,
        Some((Provider::OpenAi, name)) => openai(size, detail, name),
        None => openai(size, detail, ""),
    }
}

/// What a page of a document takes beside its text: an image of A4 at 150 dots an inch.
pub(super) fn of_page(model: Option<&ModelRef>) -> u64 {
    tokens(Some((1_240, 1_754)), Detail::High, model)
}

fn openai(size: Option<Size>, detail: Detail, name: &str) -> u64 {
    let rule = OPENAI.iter().filter(|(family, _)| name.starts_with(family)).max_by_key(|(family, _)| family.len());
    match rule.map_or(UNKNOWN, |(_, rule)| *rule) {
        Rule::Tiles { base, .. } if detail == Detail::Low => base,
        Rule::Tiles { base, tile } => base + tile * size.map_or(8, tiles),
        Rule::Patches { hundredths, low, high, original } => {
            let limit = match detail {
                Detail::Low => low,
                Detail::High => high,
                Detail::Original => original,
            };
            let most = limit.patches.min(limit.side.div_ceil(32).saturating_pow(2));
            let count = size.map_or(most, |size| squares(fit(size, limit.side), 32).min(most));
            (count * hundredths).div_ceil(100)
        }
    }
}

/// Never more than eight: 768 by 2,048 pixels.
fn tiles(size: Size) -> u64 {
    let (width, height) = fit(size, 2_048);
    let short = width.min(height);
    let (width, height) =
        if short > 768 { ((width * 768).div_ceil(short), (height * 768).div_ceil(short)) } else { (width, height) };
    squares((width, height), 512)
}

fn anthropic(size: Option<Size>, name: &str) -> u64 {
    // Those before Opus 4.7 look at 1,568 pixels and tokens at most.
    let is_older = ["claude-3", "claude-haiku-4", "claude-sonnet-4", "claude-opus-4"]
        .iter()
        .any(|family| name.starts_with(family))
        && !["claude-opus-4-7", "claude-opus-4-8", "claude-opus-4-9"].iter().any(|family| name.starts_with(family));
    let (longest, most) = if is_older { (1_568, 1_568) } else { (2_576, 4_784) };
    size.map_or(most, |size| squares(fit(size, longest), 28).min(most))
}

fn gemini(size: Option<Size>, name: &str) -> u64 {
    /// Twelve tiles by two: 3,072 by 384 pixels.
    const MOST_TILES: u64 = 24;
    const TILE: u64 = 258;
    if !["gemini-1", "gemini-2"].iter().any(|family| name.starts_with(family)) {
        return 1_120;
    }
    TILE * size.map_or(MOST_TILES, |size| {
        let (width, height) = fit(size, 3_072);
        if width <= 384 && height <= 384 {
            return 1;
        }
        let tile = (width.min(height) * 2 / 3).clamp(256, 768);
        squares((width, height), tile).min(MOST_TILES)
    })
}

/// Scaled down until no side is longer, rounded up.
fn fit((width, height): Size, side: u64) -> Size {
    let long = width.max(height);
    if long <= side { (width, height) } else { ((width * side).div_ceil(long), (height * side).div_ceil(long)) }
}

/// Squares of a side that cover it.
fn squares((width, height): Size, side: u64) -> u64 {
    width.div_ceil(side).saturating_mul(height.div_ceil(side))
}
