use super::*;

fn read(json: &str) -> Usage {
    Report::of(&serde_json::from_str(json).unwrap()).unwrap().usage()
}

fn plain(prompt_tokens: u64, completion_tokens: u64) -> Usage {
    Usage { prompt_tokens, completion_tokens, ..Usage::default() }
}

#[test]
fn details_may_be_absent_or_null() {
    let plain = plain(5, 7);
    assert_eq!(read(r#"{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}"#), plain);
    assert_eq!(read(r#"{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":null}"#), plain);
    assert_eq!(
        read(
            r#"{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":6}}"#
        ),
        Usage { cached_tokens: 3, reasoning_tokens: 6, ..plain }
    );
}

#[test]
fn every_dialect_is_read() {
    for (answer, expected) in [
        (
            json!({"usage": {"prompt_tokens": 5, "completion_tokens": 7, "reasoning_tokens": 4}}),
            Usage { reasoning_tokens: 4, ..plain(5, 7) },
        ),
        (
            json!({"usage": {"prompt_tokens": 5, "completion_tokens": 7, "prompt_cache_hit_tokens": 2}}),
            Usage { cached_tokens: 2, ..plain(5, 7) },
        ),
        (json!({"x_groq": {"usage": {"prompt_tokens": 5, "completion_tokens": 7}}, "choices": []}), plain(5, 7)),
        (
            json!({"choices": [{"usage": {"prompt_tokens": 5, "completion_tokens": 7, "cached_tokens": 1}}]}),
            Usage { cached_tokens: 1, ..plain(5, 7) },
        ),
        (
            json!({"usage": {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 20}}),
            Usage { cached_tokens: 10, cache_written_tokens: 20, ..plain(35, 7) },
        ),
        (
            json!({"usage": {"input_tokens": 5, "output_tokens": 7, "input_tokens_details": {"cached_tokens": 2}, "output_tokens_details": {"reasoning_tokens": 3}}}),
            Usage { cached_tokens: 2, reasoning_tokens: 3, ..plain(5, 7) },
        ),
        (
            json!({"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 7, "thoughtsTokenCount": 11, "toolUsePromptTokenCount": 2, "totalTokenCount": 25}}),
            Usage { reasoning_tokens: 11, ..plain(7, 18) },
        ),
        (
            json!({"usageMetadata": {"promptTokenCount": 5, "thoughtsTokenCount": 11}}),
            Usage { reasoning_tokens: 11, ..plain(5, 11) },
        ),
        (json!({"usage": {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12}}), plain(5, 7)),
        (json!({"prompt_eval_count": 5, "eval_count": 7, "done": true}), plain(5, 7)),
        (
            json!({"usage": {"prompt_tokens": 5, "completion_tokens": 7}, "service_tier": "priority"}),
            Usage { tier: Tier::Priority, ..plain(5, 7) },
        ),
        (
            json!({"usage": {"input_tokens": 5, "output_tokens": 7, "service_tier": "batch"}}),
            Usage { tier: Tier::Other, ..plain(5, 7) },
        ),
        (
            json!({"usage": {"prompt_tokens": 5, "completion_tokens": 7, "completion_tokens_details": {"audio_tokens": 3}}}),
            Usage { costs_apart: true, ..plain(5, 7) },
        ),
        // 32 and 9 of 135: the rest is thinking that stands in no part.
        (
            json!({"usage": {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135, "completion_tokens_details": {"reasoning_tokens": 94}}}),
            Usage { reasoning_tokens: 94, ..plain(32, 103) },
        ),
    ] {
        assert_eq!(Report::in_answer(&answer).unwrap().usage(), expected, "{answer}");
    }
    for nothing in
        [json!({}), json!({"usage": null}), json!({"usage": {}}), json!({"usage": "many"}), json!([1]), json!(null)]
    {
        assert_eq!(Report::in_answer(&nothing), None, "{nothing}");
    }
}

#[test]
fn what_cannot_be_a_count_counts_as_not_said() {
    for odd in [
        json!(u64::MAX),
        json!((1_u64 << 53) + 1),
        json!(-5),
        json!(1200.5),
        json!("many"),
        json!([1]),
        json!(1e300),
        json!(true),
    ] {
        let usage = Report::of(&json!({"prompt_tokens": odd, "completion_tokens": 7})).unwrap().usage();
        assert_eq!(usage, Usage { estimated: true, ..plain(0, 7) }, "{odd}");
        assert_eq!(usage.repaired(100, 9), Usage { estimated: true, ..plain(100, 7) }, "{odd}");
        let total =
            Report::of(&json!({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": odd})).unwrap().usage();
        assert_eq!((total.total(), total.estimated), (12, true), "{odd}");
    }
    for (spelled, count) in [(json!(1200.0), 1_200), (json!("1200"), 1_200), (json!(" 7 "), 7)] {
        assert_eq!(
            Report::of(&json!({"prompt_tokens": spelled, "completion_tokens": 0})).unwrap().usage(),
            plain(count, 0)
        );
    }
}

#[test]
fn a_later_report_adds_and_takes_nothing_back() {
    let of = |usage: serde_json::Value| Report::of(&usage).unwrap();
    let running = of(json!({"prompt_tokens": 5, "completion_tokens": 3}))
        .and_then(of(json!({"prompt_tokens": 5, "completion_tokens": 2509})));
    assert_eq!(running.usage(), plain(5, 2509));
    assert_eq!(running.and_then(of(json!({"prompt_tokens": 0, "completion_tokens": 0}))).usage(), plain(5, 2509));
    assert_eq!(running.and_then(of(json!({"completion_tokens": 2600}))).usage(), plain(5, 2600));
    assert_eq!(
        of(json!({"input_tokens": 9, "output_tokens": 1})).and_then(of(json!({"output_tokens": 12}))).usage(),
        plain(9, 12)
    );
}

fn any_json() -> impl proptest::strategy::Strategy<Value = serde_json::Value> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|v| json!(v)),
        any::<u64>().prop_map(|v| json!(v)),
        any::<i64>().prop_map(|v| json!(v)),
        any::<f64>().prop_map(|v| json!(v)),
        "[0-9a-z. -]{0,12}".prop_map(|v| json!(v))
    ];
    let names = prop::sample::select(vec![
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "promptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "totalTokenCount",
        "prompt_tokens_details",
        "completion_tokens_details",
        "cached_tokens",
        "reasoning_tokens",
        "usage",
        "usageMetadata",
        "x_groq",
        "choices",
        "eval_count",
        "service_tier",
    ]);
    leaf.prop_recursive(3, 40, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|v| json!(v)),
            prop::collection::btree_map(names.clone().prop_map(str::to_owned), inner, 0..8).prop_map(|v| json!(v)),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn whatever_is_reported_the_figures_are_bounded_and_fit_each_other(first in any_json(), later in any_json()) {
        for report in [Report::in_answer(&first), Report::of(&first)] {
            let reported = report.map(|report| Report::of(&later).map_or(report, |later| report.and_then(later)));
            if let Some(usage) = reported.map(Report::usage) {
                proptest::prop_assert!(usage.total() <= 1_000_000_000);
                proptest::prop_assert!(usage.cached_tokens + usage.cache_written_tokens <= usage.prompt_tokens);
                proptest::prop_assert!(usage.reasoning_tokens <= usage.completion_tokens);
            }
        }
    }
}

#[test]
fn an_estimate_is_marked_and_never_free() {
    assert_eq!(Usage::estimated(0, 0), Usage { prompt_tokens: 1, estimated: true, ..Usage::default() });
}

#[test]
fn only_impossible_counts_are_repaired() {
    let sound = Usage { prompt_tokens: 5, completion_tokens: 7, ..Usage::default() };
    assert_eq!(sound.repaired(100, 100), sound);
    // Nothing was delivered: an empty answer is possible.
    let empty = Usage { completion_tokens: 0, ..sound };
    assert_eq!(empty.repaired(100, 0), empty);
    assert_eq!(empty.repaired(100, 9), Usage { completion_tokens: 9, estimated: true, ..sound });
    let no_prompt = Usage { prompt_tokens: 0, ..sound };
    assert_eq!(no_prompt.repaired(100, 9), Usage { prompt_tokens: 100, estimated: true, ..sound });
}

#[test]
fn the_wire_has_a_total() {
    let usage = Usage { cached_tokens: 3, reasoning_tokens: 2, estimated: true, ..plain(5, 7) };
    assert_eq!(usage.total(), 12);
    let wire = usage.to_openai();
    assert_eq!(wire["total_tokens"], 12);
    assert_eq!(wire["completion_tokens_details"]["reasoning_tokens"], 2);
}
