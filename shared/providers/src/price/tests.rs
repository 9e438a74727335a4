use super::*;

/// 21 November 2026.
const AT: i64 = 1_795_219_200;

fn cost_microusd(model: &ModelRef, usage: &Usage) -> Option<u64> {
    super::cost_microusd(model, usage, AT)
}

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
    assert_eq!(cost_microusd(&mini, &tokens(1_000_000, 0, 0)), Some(250_000));
    assert_eq!(cost_microusd(&mini, &tokens(1_000_000, 1_000_000, 0)), Some(25_000));
    assert_eq!(cost_microusd(&mini, &tokens(1_000, 400, 100)), Some(150 + 10 + 200));
    assert_eq!(cost_microusd(&mini, &tokens(1, 0, 0)), Some(1));
    assert_eq!(cost_microusd(&mini, &tokens(5, 0, 0)), Some(2), "1.25 is rounded up");
    assert_eq!(cost_microusd(&mini, &tokens(0, 0, 0)), Some(0));
}

#[test]
fn more_cached_than_prompt_is_no_negative_price() {
    assert_eq!(cost_microusd(&model("openai/gpt-5-mini"), &tokens(40, 1_000, 0)), Some(1));
}

#[test]
fn long_prompts_have_their_own_rates() {
    let pro = model("gemini/gemini-2.5-pro");
    assert_eq!(cost_microusd(&pro, &tokens(200_000, 0, 1_000)), Some(250_000 + 10_000));
    assert_eq!(cost_microusd(&pro, &tokens(200_001, 0, 1_000)), Some(500_003 + 15_000));
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
        assert!(cost_microusd(&model(like), &usage).is_some(), "{like}");
        assert_eq!(cost_microusd(&model(name), &usage), cost_microusd(&model(like), &usage), "{name}");
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
        assert_eq!(cost_microusd(&model(name), &tokens(1, 0, 1)), None, "{name}");
    }
}

#[test]
fn extractive_costs_nothing() {
    assert_eq!(cost_microusd(&model("tollgate/extractive"), &tokens(u64::MAX, 0, u64::MAX)), Some(0));
}

#[test]
fn a_cost_beyond_all_numbers_is_unknown() {
    assert_eq!(cost_microusd(&model("openai/gpt-5.5"), &tokens(u64::MAX, 0, u64::MAX)), None);
}

#[test]
fn every_listed_model_has_a_price_in_sane_proportions() {
    for provider in [Provider::OpenAi, Provider::Anthropic, Provider::Gemini] {
        for name in known_models(provider) {
            let model = ModelRef { provider, model: (*name).to_owned() };
            let price = find(&model).unwrap_or_else(|| panic!("{model} has no price"));
            for rates in [Some(price.rates), price.long.map(|(_, rates)| rates)].into_iter().flatten() {
                assert!(rates.cached_input < rates.input && rates.input < rates.output, "{model}");
            }
            assert!(max_output_tokens(&model).is_some_and(|most| (4_096..=1_000_000).contains(&most)), "{model}");
        }
    }
}

#[test]
fn a_promotion_ends_on_its_day() {
    let flash = model("gemini/gemini-3.8-flash");
    let new_year = 1_798_761_600;
    let million = tokens(1_000_000, 0, 0);
    assert_eq!(super::cost_microusd(&flash, &million, new_year - 1), Some(750_000));
    assert_eq!(super::cost_microusd(&flash, &million, new_year), Some(1_500_000));
}

#[test]
fn every_model_has_one_price_at_any_instant() {
    for at in [AT, 1_798_761_600, 2_000_000_000] {
        for provider in Provider::ALL {
            for price in rows(provider) {
                let in_force = rows(provider).iter().filter(|other| {
                    other.model == price.model
                        && other.from.is_none_or(|from| from <= at)
                        && other.until.is_none_or(|until| at < until)
                });
                assert_eq!(in_force.count(), 1, "{} at {at}", price.model);
            }
        }
    }
}

#[test]
fn the_tier_that_answered_is_what_is_paid() {
    let gpt = model("openai/gpt-5");
    let at = |tier| cost_microusd(&gpt, &Usage { tier, ..tokens(1_000_000, 0, 0) });
    assert_eq!(at(Tier::Standard), Some(1_250_000));
    assert_eq!(at(Tier::Priority), Some(2_500_000));
    assert_eq!(at(Tier::Flex), Some(625_000));
    assert_eq!(at(Tier::Other), None);
    let claude = Usage { tier: Tier::Priority, ..tokens(1, 0, 1) };
    assert_eq!(cost_microusd(&model("anthropic/claude-opus-5"), &claude), None);
}

#[test]
fn a_part_without_a_price_makes_the_cost_unknown() {
    let apart = Usage { costs_apart: true, ..tokens(1, 0, 1) };
    assert_eq!(cost_microusd(&model("openai/gpt-5"), &apart), None);
    let written = Usage { cache_written_tokens: 1_000_000, ..tokens(1_000_000, 0, 0) };
    assert_eq!(cost_microusd(&model("anthropic/claude-opus-5"), &written), Some(6_250_000));
    assert_eq!(cost_microusd(&model("openai/gpt-5"), &written), None);
}

#[test]
fn priority_is_what_the_page_says_where_that_is_not_twice() {
    let usage = Usage { tier: Tier::Priority, ..tokens(100_000, 0, 100_000) };
    let cost = |name: &str, usage: &Usage| cost_microusd(&model(name), usage);
    assert_eq!(cost("openai/gpt-5", &usage), Some(250_000 + 2_000_000));
    assert_eq!(cost("openai/gpt-5-mini", &usage), Some(45_000 + 360_000));
    assert_eq!(cost("openai/gpt-5.5", &usage), Some(1_250_000 + 7_500_000));
    assert_eq!(cost("openai/gpt-4.1", &usage), Some(350_000 + 1_400_000));
    let long = Usage { tier: Tier::Priority, ..tokens(272_001, 0, 1) };
    assert_eq!(cost("openai/gpt-5.5", &long), None, "a long prompt is not served with priority");
    for (name, _) in table::OPENAI_PRIORITY {
        assert!(table::OPENAI.iter().any(|row| row.model == name), "{name}");
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
        "anthropic/claude-haiku-4-5@20251001",
        "gemini/gemini-2.5-flash-lite-preview-tts",
        "gemini/gemini-2.5-flash-native-audio-preview-09-2025",
    ] {
        assert_eq!(cost_microusd(&model(name), &tokens(1, 0, 1)), None, "{name}");
    }
    assert!(cost_microusd(&model("openai/gpt-5-2025-08-07"), &tokens(1, 0, 1)).is_some());
}
