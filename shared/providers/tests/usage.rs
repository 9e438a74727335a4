//! What providers say they have used, in every dialect and with every figure that cannot be.
#![expect(clippy::unwrap_used, reason = "clippy knows #[test] functions, not their helpers")]
#![expect(clippy::needless_pass_by_value, reason = "json!({}) is handed over as it is")]

mod common;

use common::{decoder, feed, meta, model_of, request};
use proptest::prelude::*;
use serde_json::{Value, json};
use tollgate_providers::{ModelRef, StreamDecoder, StreamEnd, StreamOutcome, Tier, Usage, decode_completion, price};

/// The most that one figure can be.
const MOST: u64 = 1 << 24;

/// An answer of eight bytes, two tokens by estimate, with a usage object.
fn whole(provider: &str, usage: &Value) -> Usage {
    let body = match provider {
        "anthropic_" => json!({"content": [{"type": "text", "text": "abcdefgh"}], "usage": usage}),
        "gemini_" => {
            json!({"candidates": [{"content": {"parts": [{"text": "abcdefgh"}]}, "finishReason": "STOP"}], "usageMetadata": usage})
        }
        _ => {
            json!({"choices": [{"index": 0, "message": {"content": "abcdefgh"}, "finish_reason": "stop"}], "usage": usage})
        }
    };
    let request = request(json!({"stream": false}));
    let completion =
        decode_completion(&request, &model_of(provider), 200, None, body.to_string().as_bytes(), &meta()).unwrap();
    let told: Value = serde_json::from_str(&completion.body).unwrap();
    assert_eq!(told["usage"]["prompt_tokens"], completion.usage.prompt_tokens, "the client reads what is metered");
    assert_eq!(told["usage"]["completion_tokens"], completion.usage.completion_tokens);
    completion.usage
}

/// Frames for a client that wants the usage: what is metered.
fn streamed(provider: &str, frames: &[Value]) -> Usage {
    let text = frames.iter().fold(String::new(), |text, frame| text + &format!("data: {frame}\n\n"));
    let end = if provider == "openai_" { "data: [DONE]\n\n" } else { "" };
    let whole = text + end;
    let pieces = std::iter::once(whole.as_bytes());
    feed(decoder(provider, json!({"stream_options": {"include_usage": true}})), pieces).1.usage
}

fn counts(usage: Usage) -> (u64, u64, u64, u64, bool) {
    (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens, usage.estimated)
}

#[test]
fn every_dialect_is_read() {
    for (what, usage, expected) in [
        (
            "OpenAI",
            json!({"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70,
            "prompt_tokens_details": {"cached_tokens": 30}, "completion_tokens_details": {"reasoning_tokens": 12, "rejected_prediction_tokens": 4}}),
            (50, 20, 30, 12),
        ),
        (
            "DeepSeek",
            json!({"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70, "prompt_cache_hit_tokens": 30,
            "prompt_cache_miss_tokens": 20, "completion_tokens_details": {"reasoning_tokens": 12}}),
            (50, 20, 30, 12),
        ),
        (
            "xAI: thinking in the total only",
            json!({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135,
            "completion_tokens_details": {"reasoning_tokens": 94}}),
            (32, 103, 0, 94),
        ),
        (
            "a total above its parts",
            json!({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135}),
            (32, 103, 0, 0),
        ),
        (
            "a total below its parts",
            json!({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 10}),
            (32, 9, 0, 0),
        ),
        (
            "thinking beside the answer",
            json!({"prompt_tokens": 32, "completion_tokens": 9, "reasoning_tokens": 94}),
            (32, 103, 0, 94),
        ),
        (
            "Perplexity",
            json!({"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70, "reasoning_tokens": 12}),
            (50, 20, 0, 12),
        ),
        (
            "Moonshot",
            json!({"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70, "cached_tokens": 30}),
            (50, 20, 30, 0),
        ),
        (
            "Responses",
            json!({"input_tokens": 50, "output_tokens": 20, "total_tokens": 70, "input_tokens_details": {"cached_tokens": 30},
            "output_tokens_details": {"reasoning_tokens": 12}}),
            (50, 20, 30, 12),
        ),
        ("Anthropic", json!({"input_tokens": 20, "output_tokens": 20, "cache_read_input_tokens": 30}), (50, 20, 30, 0)),
        (
            "Gemini",
            json!({"promptTokenCount": 45, "toolUsePromptTokenCount": 5, "candidatesTokenCount": 8, "thoughtsTokenCount": 12,
            "cachedContentTokenCount": 30, "totalTokenCount": 70}),
            (50, 20, 30, 12),
        ),
        ("Gemini without candidates", json!({"promptTokenCount": 50, "totalTokenCount": 70}), (50, 20, 0, 0)),
        (
            "Bedrock",
            json!({"inputTokens": 20, "outputTokens": 20, "cacheReadInputTokens": 30, "totalTokens": 70}),
            (50, 20, 30, 0),
        ),
        ("a sum only", json!({"total_tokens": 70}), (1, 69, 0, 0)),
    ] {
        // An object is read by its names, not by whose it is: there are proxies of every kind.
        for provider in ["openai_", "anthropic_", "gemini_"] {
            let (prompt, completion, cached, reasoning) = expected;
            assert_eq!(
                counts(whole(provider, &usage)),
                (prompt, completion, cached, reasoning, false),
                "{what} from {provider}"
            );
        }
    }
}

#[test]
fn a_figure_that_cannot_be_is_replaced_by_the_estimate() {
    let estimate = request(json!({"stream": false})).prompt_tokens_estimate();
    for wrong in [
        json!(u64::MAX),
        json!(1_u64 << 53),
        json!((1_u64 << 53) + 1),
        json!(i64::MAX),
        json!(1e300),
        json!(-1),
        json!(i64::MIN),
        json!(-0.5),
        json!("18446744073709551615"),
        json!("-7"),
        json!("1e99"),
        json!("NaN"),
        json!("inf"),
        json!(MOST + 1),
        json!(null),
        json!("many"),
        json!([5]),
        json!({"n": 5}),
        json!(true),
    ] {
        let (prompt, completion) = ("prompt_tokens", "completion_tokens");
        let usage = whole("openai_", &json!({prompt: wrong, completion: 7}));
        assert_eq!(counts(usage), (estimate, 7, 0, 0, true), "prompt {wrong}");
        let usage = whole("openai_", &json!({prompt: 5, completion: wrong}));
        assert_eq!(counts(usage), (5, 3, 0, 0, true), "answer {wrong}");
        let usage = whole("anthropic_", &json!({"input_tokens": wrong, "output_tokens": wrong}));
        assert_eq!(counts(usage), (estimate, 3, 0, 0, true), "both {wrong}");
        let usage =
            whole("gemini_", &json!({"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": wrong}));
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (5, 7), "total {wrong}");
    }
}

#[test]
fn whole_numbers_are_read_however_they_are_written() {
    for written in [json!(1200), json!(1200.0), json!("1200"), json!(" 1200 "), json!("1200.0"), json!(1.2e3)] {
        let usage = whole("openai_", &json!({"prompt_tokens": written, "completion_tokens": 7}));
        assert_eq!(counts(usage), (1200, 7, 0, 0, false), "{written}");
    }
}

fn chunk(members: Value) -> Value {
    let mut chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"content": "abcdefgh"}}]});
    for (name, value) in members.as_object().unwrap() {
        chunk[name] = value.clone();
    }
    chunk
}

#[test]
fn usage_is_found_wherever_a_compatible_server_puts_it() {
    let usage = json!({"prompt_tokens": 19, "completion_tokens": 13, "total_tokens": 32});
    let stop = json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]);
    for (what, last) in [
        ("OpenAI", json!({"choices": [], "usage": usage})),
        ("Groq", json!({"choices": stop, "x_groq": {"id": "req", "usage": usage}})),
        ("Moonshot", json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": usage}]})),
        ("Ollama", json!({"choices": stop, "done": true, "prompt_eval_count": 19, "eval_count": 13})),
        (
            "a proxy of Gemini",
            json!({"choices": stop, "usageMetadata": {"promptTokenCount": 19, "candidatesTokenCount": 13}}),
        ),
    ] {
        let frames = [chunk(json!({})), chunk(json!({"choices": stop})), chunk(last)];
        assert_eq!(counts(streamed("openai_", &frames)), (19, 13, 0, 0, false), "{what}");
    }
}

#[test]
fn running_counts_are_no_sums_and_a_later_zero_unsays_nothing() {
    let count =
        |prompt: u64, answer: u64| chunk(json!({"usage": {"prompt_tokens": prompt, "completion_tokens": answer}}));
    let stop = chunk(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}));
    let after = chunk(json!({"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}}));
    let frames = [count(400, 900), count(400, 2_509), stop.clone(), after];
    assert_eq!(counts(streamed("openai_", &frames)), (400, 2_509, 0, 0, false));
    let frames = [count(400, 2_509), stop.clone(), count(400, 3)];
    assert_eq!(counts(streamed("openai_", &frames)), (400, 2_509, 0, 0, false), "a smaller one neither");
    let frames = [count(u64::MAX, 4), stop, count(12, 5)];
    assert_eq!(counts(streamed("openai_", &frames)), (12, 5, 0, 0, false), "a sound one corrects an impossible one");

    let message = |usage: Value| json!({"type": "message_start", "message": {"usage": usage}});
    let delta = |usage: Value| json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage});
    let stop = json!({"type": "message_stop"});
    let frames = [
        message(json!({"input_tokens": 20, "cache_read_input_tokens": 100, "output_tokens": 1})),
        delta(json!({"input_tokens": 0, "output_tokens": 2_509})),
        delta(json!({"output_tokens": 0})),
        stop.clone(),
    ];
    assert_eq!(counts(streamed("anthropic_", &frames)), (120, 2_509, 100, 0, false));
    let frames = [
        message(json!({"input_tokens": 0, "output_tokens": 0})),
        delta(json!({"input_tokens": 44, "output_tokens": 7})),
        stop,
    ];
    assert_eq!(
        counts(streamed("anthropic_", &frames)),
        (44, 7, 0, 0, false),
        "a compatible proxy that counts at the end"
    );

    let frame =
        |usage: Value| json!({"candidates": [{"content": {"parts": [{"text": "ab"}]}}], "usageMetadata": usage});
    let last = json!({"candidates": [{"content": {"parts": []}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 9}});
    let frames = [frame(json!({"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 2_505})), last];
    assert_eq!(counts(streamed("gemini_", &frames)), (9, 2_509, 0, 2_505, false));
}

#[test]
fn the_tier_is_the_answer_s_wherever_it_stands() {
    let gpt = ModelRef::parse("openai/gpt-5").unwrap();
    let stop = json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]);
    for (said, tier, cost) in [
        (json!(null), Tier::Standard, Some(11_250)),
        (json!("default"), Tier::Standard, Some(11_250)),
        (json!("priority"), Tier::Priority, Some(22_500)),
        (json!("flex"), Tier::Flex, Some(5_625)),
        (json!("scale"), Tier::Other, None),
    ] {
        let usage = json!({"prompt_tokens": 1_000, "completion_tokens": 1_000});
        let body =
            json!({"choices": [{"index": 0, "message": {"content": "x"}}], "usage": usage, "service_tier": said});
        let asked = request(json!({"stream": false}));
        let whole = decode_completion(&asked, &gpt, 200, None, body.to_string().as_bytes(), &meta()).unwrap().usage;
        let frames =
            [chunk(json!({"choices": stop, "service_tier": said})), chunk(json!({"choices": [], "usage": usage}))];
        for usage in [whole, streamed("openai_", &frames)] {
            assert_eq!((usage.tier, price::cost_microusd(&gpt, &usage, 1_795_219_200)), (tier, cost), "{said}");
        }
    }
    let usage = whole("anthropic_", &json!({"input_tokens": 5, "output_tokens": 5, "service_tier": "batch"}));
    assert_eq!(usage.tier, Tier::Other);
}

const NAMES: &str = "(prompt_tokens|completion_tokens|total_tokens|input_tokens|output_tokens|cache_read_input_tokens|\
    cache_creation_input_tokens|cache_creation|ephemeral_1h_input_tokens|promptTokenCount|candidatesTokenCount|thoughtsTokenCount|\
    totalTokenCount|toolUsePromptTokenCount|cachedContentTokenCount|prompt_tokens_details|completion_tokens_details|cached_tokens|\
    reasoning_tokens|audio_tokens|server_tool_use|web_search_requests|prompt_eval_count|eval_count|usage|service_tier)";

fn any_usage() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        (0_u64..5_000).prop_map(Into::into),
        any::<u64>().prop_map(|number| number.to_string().into()),
        "\\PC{0,6}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 30, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Into::into),
            prop::collection::btree_map(NAMES, inner, 0..9)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_in_the_place_of_usage_gives_bounded_figures(usage in any_usage(), more in any_usage()) {
        let frames = [
            ("openai_", vec![chunk(json!({"usage": usage, "x_groq": more})), chunk(json!({"choices": [{"index": 0, "finish_reason": "stop", "usage": more}]}))]),
            ("anthropic_", vec![json!({"type": "message_start", "message": {"usage": usage}}),
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "abcdefgh"}}),
                json!({"type": "message_delta", "delta": {}, "usage": more}), json!({"type": "message_stop"})]),
            ("gemini_", vec![json!({"candidates": [{"content": {"parts": [{"text": "abcdefgh"}]}}], "usageMetadata": usage}),
                json!({"candidates": [{"finishReason": "STOP"}], "usageMetadata": more})]),
        ];
        for (provider, frames) in frames {
            for usage in [whole(provider, &usage), streamed(provider, &frames)] {
                prop_assert!((1..=MOST).contains(&usage.prompt_tokens), "{provider} {usage:?}");
                prop_assert!((1..=MOST).contains(&usage.completion_tokens), "{provider} {usage:?}");
                prop_assert!(usage.cached_tokens <= usage.prompt_tokens);
                prop_assert!(usage.reasoning_tokens <= usage.completion_tokens);
            }
        }
    }
}

#[test]
fn what_comes_after_gemini_s_finish_counts() {
    let request = request(json!({}));
    let model = ModelRef::parse("gemini/gemini-2.5-flash").unwrap();
    let mut decoder = StreamDecoder::new(&request, &model, meta());
    let frame = |text: &str, usage: Value| {
        let frame = json!({"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}], "usageMetadata": usage});
        format!("data: {frame}\n\n")
    };
    // Some models say STOP in every chunk, and count on.
    let mut out = String::new();
    for (text, answer) in [("One", 1), (" two", 2), (" three.", 5)] {
        out += &decoder.push(frame(text, json!({"promptTokenCount": 9, "candidatesTokenCount": answer})).as_bytes());
    }
    out += &decoder.push(
        b"data: {\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":6,\"thoughtsTokenCount\":30}}\n\n",
    );
    let finish = decoder.finish(StreamEnd::Closed);
    assert_eq!(common::read(&(out + &finish.out)).content, "One two three.");
    assert_eq!(counts(finish.usage), (9, 36, 0, 30, false));
}

#[test]
fn a_call_that_gemini_s_model_broke_is_an_error_and_no_empty_answer() {
    for reason in ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE"] {
        let answer =
            json!({"candidates": [{"content": {}, "finishReason": reason}], "usageMetadata": {"promptTokenCount": 9}});
        let whole = request(json!({"stream": false}));
        let error = decode_completion(&whole, &model_of("gemini_"), 200, None, answer.to_string().as_bytes(), &meta());
        assert!(error.unwrap_err().message.contains(reason), "{reason}");
        let frame = format!("data: {answer}\n\n");
        let (_, finish) = feed(decoder("gemini_", json!({})), std::iter::once(frame.as_bytes()));
        assert!(matches!(finish.outcome, StreamOutcome::Failed(_)), "{reason}: {:?}", finish.outcome);
    }
}

#[test]
fn gemini_s_last_finish_reason_counts_and_calls_after_a_stop_are_calls() {
    let text = json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]});
    let cut = json!({"candidates": [{"content": {"parts": [{"text": "b"}]}, "finishReason": "MAX_TOKENS"}]});
    let call = json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {}}}]}}]});
    for (last, expected) in [(cut, "length"), (call, "tool_calls")] {
        let frames = format!("data: {text}\n\ndata: {last}\n\n");
        let (out, finish) = feed(decoder("gemini_", json!({})), std::iter::once(frames.as_bytes()));
        assert_eq!(finish.outcome, StreamOutcome::Completed);
        assert_eq!(common::read(&out).finish_reasons, [expected]);
    }
}

#[test]
fn a_part_that_costs_apart_makes_the_cost_unknown() {
    for usage in [
        json!({"prompt_tokens": 50, "completion_tokens": 20, "prompt_tokens_details": {"audio_tokens": 40}}),
        json!({"prompt_tokens": 50, "completion_tokens": 20, "completion_tokens_details": {"image_tokens": 4}}),
        json!({"prompt_tokens": 50, "completion_tokens": 20, "num_sources_used": 3}),
        json!({"input_tokens": 1, "output_tokens": 1, "server_tool_use": {"web_search_requests": 3}}),
        json!({"input_tokens": 1, "output_tokens": 1, "inference_geo": "us"}),
        json!({"input_tokens": 1, "output_tokens": 1, "speed": "fast"}),
        json!({"promptTokenCount": 50, "candidatesTokenCount": 20, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 10}, {"modality": "AUDIO", "tokenCount": 40}]}),
        json!({"promptTokenCount": 50, "candidatesTokenCount": 20, "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 20}]}),
        json!({"total_tokens": 70}),
    ] {
        assert!(whole("openai_", &usage).costs_apart, "{usage}");
    }
    for usage in [
        json!({"prompt_tokens": 50, "completion_tokens": 20, "prompt_tokens_details": {"audio_tokens": 0}, "completion_tokens_details": {"rejected_prediction_tokens": 9}}),
        json!({"input_tokens": 1, "output_tokens": 1, "inference_geo": "global", "speed": "standard", "server_tool_use": {"web_search_requests": 0}}),
        json!({"promptTokenCount": 50, "candidatesTokenCount": 20, "promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 40}]}),
    ] {
        assert!(!whole("openai_", &usage).costs_apart, "{usage}");
    }
}
