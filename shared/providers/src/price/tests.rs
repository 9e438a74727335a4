use super::*;
use crate::usage::Components;

/// 21 November 2026.
const NOW: i64 = 1_795_219_200;

fn model(name: &str) -> ModelRef {
    ModelRef::parse(name).unwrap()
}

fn tokens(prompt_tokens: u64, cached_tokens: u64, completion_tokens: u64) -> Usage {
    Usage { prompt_tokens, completion_tokens, cached_tokens, ..Usage::default() }
}

#[test]
fn cached_tokens_cost_their_own_price_and_the_sum_is_rounded_up_once() {
    // gpt-5-mini: 0.25, 0.025 and 2 dollars per million.
    let mini = model("openai/gpt-5-mini");
    assert_eq!(cost_microusd(&mini, &tokens(1_000_000, 0, 0), NOW), Some(250_000));
    assert_eq!(cost_microusd(&mini, &tokens(1_000_000, 1_000_000, 0), NOW), Some(25_000));
    assert_eq!(cost_microusd(&mini, &tokens(1_000, 400, 100), NOW), Some(150 + 10 + 200));
    assert_eq!(cost_microusd(&mini, &tokens(1, 0, 0), NOW), Some(1));
    assert_eq!(cost_microusd(&mini, &tokens(5, 0, 0), NOW), Some(2), "1.25 is rounded up");
    assert_eq!(cost_microusd(&mini, &tokens(0, 0, 0), NOW), Some(0));
}

#[test]
fn more_cached_than_prompt_is_no_negative_price() {
    assert_eq!(cost_microusd(&model("openai/gpt-5-mini"), &tokens(40, 1_000, 0), NOW), Some(1));
}

#[test]
fn long_prompts_have_their_own_rates() {
    let pro = model("gemini/gemini-2.5-pro");
    assert_eq!(cost_microusd(&pro, &tokens(200_000, 0, 1_000), NOW), Some(250_000 + 10_000));
    assert_eq!(cost_microusd(&pro, &tokens(200_001, 0, 1_000), NOW), Some(500_003 + 15_000));
}

#[test]
fn releases_of_a_model_share_its_price_and_neighbours_do_not() {
    for (name, like) in [
        ("openai/gpt-5-2025-08-07", "openai/gpt-5"),
        ("openai/gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini"),
        ("anthropic/claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5"),
        ("anthropic/claude-haiku-4-5-latest", "anthropic/claude-haiku-4-5"),
        ("gemini/gemini-2.5-flash-001", "gemini/gemini-2.5-flash"),
        ("gemini/gemini-2.5-flash-preview-09-2025", "gemini/gemini-2.5-flash"),
        ("gemini/gemini-3.1-pro-preview", "gemini/gemini-3.1-pro"),
    ] {
        let usage = tokens(12_345, 678, 910);
        assert!(cost_microusd(&model(like), &usage, NOW).is_some(), "{like}");
        assert_eq!(cost_microusd(&model(name), &usage, NOW), cost_microusd(&model(like), &usage, NOW), "{name}");
    }
    for name in [
        "openai/gpt-5-pro",
        "openai/gpt-5-mini-high",
        "openai/gpt-50",
        "openai/gpt",
        "anthropic/claude-opus-5-9",
        "gemini/gemini-2.5-flash-image",
        "gemini/gpt-5",
        "openai/claude-sonnet-5",
    ] {
        assert_eq!(cost_microusd(&model(name), &tokens(1, 0, 1), NOW), None, "{name}");
    }
}

#[test]
fn extractive_costs_nothing() {
    assert_eq!(cost_microusd(&model("tollgate/extractive"), &tokens(u64::MAX, 0, u64::MAX), NOW), Some(0));
}

#[test]
fn a_cost_beyond_all_numbers_is_unknown() {
    assert_eq!(cost_microusd(&model("openai/gpt-5.5"), &tokens(u64::MAX, 0, u64::MAX), NOW), None);
}

#[test]
fn every_listed_model_has_a_price_in_sane_proportions() {
    for provider in [Provider::OpenAi, Provider::Anthropic, Provider::Gemini] {
        for name in known_models(provider) {
            let model = ModelRef { provider, model: (*name).to_owned() };
            let price = find(&model, NOW).unwrap_or_else(|| panic!("{model} has no price"));
            for rates in [Some(price.rates), price.long.map(|(_, rates)| rates)].into_iter().flatten() {
                assert!(rates.cached_input < rates.input && rates.input < rates.output, "{model}");
            }
            assert!(max_output_tokens(&model).is_some_and(|most| (4_096..=1_000_000).contains(&most)), "{model}");
        }
    }
}

#[test]
fn a_price_holds_from_one_instant_to_another() {
    let flash = model("gemini/gemini-3.8-flash-preview-09-2026");
    let usage = tokens(1_000_000, 0, 1_000_000);
    assert_eq!(cost_microusd(&flash, &usage, NOW), Some(4_500_000));
    assert_eq!(cost_microusd(&flash, &usage, 1_798_761_599), Some(4_500_000), "the last second of 2026");
    assert_eq!(cost_microusd(&flash, &usage, 1_798_761_600), Some(9_000_000));
    assert_eq!(max_output_tokens(&flash), Some(65_536));
}

#[test]
fn no_two_rows_of_a_model_hold_at_once_and_none_leaves_a_gap() {
    for rows in [&table::OPENAI[..], &table::ANTHROPIC, &table::GEMINI] {
        for row in rows {
            for at in [i64::MIN, NOW, row.from.unwrap_or(0), row.until.unwrap_or(0), i64::MAX] {
                let holding = rows.iter().filter(|other| other.model == row.model && other.holds_at(at)).count();
                assert_eq!(holding, 1, "{} at {at}", row.model);
            }
        }
    }
}

#[test]
fn a_tier_costs_what_the_answer_was_served_as() {
    let usage = |tier| Usage { tier, ..tokens(1_000_000, 400_000, 100_000) };
    let cost = |name: &str, tier| cost_microusd(&model(name), &usage(tier), NOW);
    let gpt_5 = "openai/gpt-5";
    assert_eq!(cost(gpt_5, ServiceTier::Standard), Some(1_800_000));
    assert_eq!(cost(gpt_5, ServiceTier::Priority), Some(3_600_000));
    assert_eq!(cost(gpt_5, ServiceTier::Flex), Some(900_000));
    assert_eq!(cost(gpt_5, ServiceTier::Other), None);
    // The page says 0.45, 0.045 and 3.60 dollars, which is not twice.
    assert_eq!(cost("openai/gpt-5-mini", ServiceTier::Priority), Some(270_000 + 18_000 + 360_000));
    assert_eq!(cost("openai/gpt-5-nano", ServiceTier::Priority), None, "not offered");
    assert_eq!(cost("openai/gpt-4.1", ServiceTier::Flex), None, "not offered");
    assert_eq!(cost("openai/gpt-5.5", ServiceTier::Priority), None, "a long prompt is not served with priority");
    for name in ["anthropic/claude-sonnet-5", "gemini/gemini-2.5-pro"] {
        assert_eq!((cost(name, ServiceTier::Priority), cost(name, ServiceTier::Flex)), (None, None), "{name}");
    }
}

#[test]
fn every_tier_belongs_to_a_model_of_the_table() {
    let names = table::OPENAI_PRIORITY.iter().map(|(name, _)| *name).chain(table::OPENAI_FLEX);
    for name in names {
        assert!(table::OPENAI.iter().any(|row| row.model == name), "{name}");
    }
}

#[test]
fn a_part_with_a_price_is_priced_and_one_without_makes_the_cost_unknown() {
    let with = |change: fn(&mut Components)| {
        let mut usage = tokens(1_000, 100, 100);
        change(&mut usage.components);
        usage
    };
    let cost = |name: &str, usage: Usage| cost_microusd(&model(name), &usage, NOW);
    let (claude, gpt) = ("anthropic/claude-sonnet-4-5", "openai/gpt-5");
    // 3, 0.3 and 15 dollars; a write of five minutes 3.75, of an hour 6.
    assert_eq!(cost(claude, tokens(1_000, 100, 100)), Some(2_700 + 30 + 1_500));
    assert_eq!(cost(claude, with(|c| c.cache_write_tokens = 400)), Some(1_500 + 30 + 1_500 + 1_500));
    assert_eq!(cost(claude, with(|c| c.cache_write_hour_tokens = 400)), Some(1_500 + 30 + 1_500 + 2_400));
    assert_eq!(cost(claude, with(|c| c.searches = 2)), Some(2_700 + 30 + 1_500 + 20_000));
    assert_eq!(cost(claude, with(|c| c.cache_write_tokens = 901)), None, "more parts than the whole");
    let unpriced: [(&str, fn(&mut Components)); 6] = [
        (gpt, |c| c.cache_write_tokens = 1),
        (gpt, |c| c.audio_prompt_tokens = 1),
        (gpt, |c| c.audio_completion_tokens = 1),
        (gpt, |c| c.searches = 1),
        (claude, |c| c.other = true),
        ("gemini/gemini-2.5-flash", |c| c.audio_prompt_tokens = 1),
    ];
    for (name, change) in unpriced {
        assert_eq!(cost(name, with(change)), None, "{name} {:?}", with(change).components);
    }
}

#[test]
fn batches_fine_tunes_and_neighbours_do_not_take_another_model_s_price() {
    for name in [
        "openai/ft:gpt-4o-mini-2024-07-18:acme::abc123",
        "openai/gpt-4o-mini:ft-acme",
        "openai/gpt-5-2025-08-07-batch",
        "openai/gpt-5-chat-latest",
        "openai/gpt-5-codex",
        "openai/gpt-4o-audio-preview",
        "openai/gpt-4o-search-preview-2025-03-11",
        "openai/gpt-4o-realtime-preview",
        "openai/GPT-5",
        "openai/gpt-5-preview-mini",
        "anthropic/claude-haiku-4-5@20251001",
        "gemini/gemini-2.5-flash-lite-preview-tts",
        "gemini/gemini-2.5-flash-native-audio-preview-09-2025",
    ] {
        assert_eq!(cost_microusd(&model(name), &tokens(1, 0, 1), NOW), None, "{name}");
    }
    assert!(cost_microusd(&model("openai/gpt-5-2025-08-07"), &tokens(1, 0, 1), NOW).is_some());
}
