//! Recorded streams, fed whole and cut everywhere.

mod common;

use common::{decoder, feed, read, recording};
use serde_json::{Value, json};
use tollgate_providers::{ProviderErrorKind, StreamEnd, StreamOutcome, Usage};

const HELLO: &str = "Grüße! 您好，世界 🦀.";

const ALL: &[&str] = &[
    "openai_text.sse",
    "openai_usage_missing.sse",
    "openai_cut.sse",
    "openai_tool_calls.sse",
    "openai_error.sse",
    "openai_running_usage.sse",
    "openai_two_choices.sse",
    "anthropic_text.sse",
    "anthropic_cut.sse",
    "anthropic_cut_before_stop.sse",
    "anthropic_usage_missing.sse",
    "anthropic_error.sse",
    "anthropic_tool_use.sse",
    "anthropic_thinking.sse",
    "gemini_text.sse",
    "gemini_cut.sse",
    "gemini_usage_missing.sse",
    "gemini_thinking.sse",
    "gemini_tool_calls.sse",
    "gemini_safety.sse",
    "gemini_blocked.sse",
    "gemini_error.sse",
];

fn with_usage() -> Value {
    json!({"stream_options": {"include_usage": true}})
}

fn whole(name: &str, members: Value) -> (common::Read, tollgate_providers::StreamFinish) {
    let bytes = recording(name);
    let (out, finish) = feed(decoder(name, members), std::iter::once(&bytes[..]));
    (read(&out), finish)
}

fn usage(prompt_tokens: u64, completion_tokens: u64) -> Usage {
    Usage { prompt_tokens, completion_tokens, ..Usage::default() }
}

#[test]
fn every_recording_reads_the_same_wherever_it_is_cut() {
    for name in ALL {
        for members in [json!({}), with_usage()] {
            let bytes = recording(name);
            let expected = feed(decoder(name, members.clone()), std::iter::once(&bytes[..]));
            for cut in 0..=bytes.len() {
                let (left, right) = bytes.split_at(cut);
                let got = feed(decoder(name, members.clone()), [left, right].into_iter());
                assert_eq!(got, expected, "{name} cut at {cut}");
            }
            let got = feed(decoder(name, members.clone()), bytes.chunks(1));
            assert_eq!(got, expected, "{name} byte by byte");
        }
    }
}

#[test]
fn no_prefix_of_a_recording_is_free_or_takes_more_than_the_whole() {
    for name in ALL {
        let bytes = recording(name);
        for end in 0..bytes.len() {
            let (out, finish) = feed(decoder(name, json!({})), std::iter::once(&bytes[..end]));
            let read = read(&out);
            assert!(finish.usage.prompt_tokens > 0, "{name} up to {end}");
            let delivered = !(read.content.is_empty() && read.calls.is_empty());
            assert!(!delivered || finish.usage.completion_tokens > 0, "{name} up to {end}");
            assert_eq!(read.done, finish.outcome == StreamOutcome::Completed, "{name} up to {end}");
            assert_eq!(read.error.is_some(), finish.outcome != StreamOutcome::Completed, "{name} up to {end}");
        }
    }
}

#[test]
fn text_arrives_whole_with_the_provider_s_usage_where_the_client_asked_for_it() {
    let cached = |usage: Usage, cached_tokens| Usage { cached_tokens, ..usage };
    for (name, expected) in [
        ("openai_text.sse", cached(usage(19, 11), 8)),
        ("anthropic_text.sse", Usage { cache_written_tokens: 7, ..cached(usage(127, 15), 100) }),
        ("gemini_text.sse", usage(21, 9)),
    ] {
        for (members, on_its_own) in [(json!({}), false), (with_usage(), true)] {
            let (read, finish) = whole(name, members);
            assert_eq!(read.content, HELLO, "{name}");
            assert_eq!(read.finish_reasons, ["stop"], "{name}");
            assert_eq!(finish.usage, expected, "{name}");
            assert_eq!(finish.outcome, StreamOutcome::Completed, "{name}");
            let usages = read.usages();
            assert_eq!(usages.len(), 1, "{name}: usage exactly once");
            assert_eq!(usages[0].0, on_its_own, "{name}");
            assert_eq!(usages[0].1["total_tokens"], expected.total(), "{name}");
            assert_eq!(usages[0].1["prompt_tokens_details"]["cached_tokens"], expected.cached_tokens, "{name}");
            let last = read.chunks.last().unwrap();
            assert!(!last["usage"].is_null(), "{name}: the usage is on the last chunk");
            assert!(read.chunks.iter().all(|chunk| chunk["id"] == read.chunks[0]["id"]), "{name}: one id");
            assert_eq!(read.chunks[0]["choices"][0]["delta"]["role"], "assistant", "{name}");
        }
    }
}

#[test]
fn openai_s_chunks_keep_what_is_not_known_here() {
    let (read, _) = whole("openai_text.sse", json!({}));
    for chunk in &read.chunks {
        assert_eq!(chunk["system_fingerprint"], "fp_a1b2c3");
        assert_eq!(chunk["obfuscation"], "x9Kq");
        assert_eq!(chunk["model"], "gpt-5-mini-2025-08-07");
    }
    let on_finish = &read.chunks.last().unwrap()["usage"];
    assert_eq!(
        on_finish["completion_tokens_details"]["accepted_prediction_tokens"], 0,
        "the provider's own usage object"
    );
}

#[test]
fn missing_usage_is_estimated_and_never_nothing() {
    for (name, reason) in [
        ("openai_usage_missing.sse", "stop"),
        ("anthropic_usage_missing.sse", "length"),
        ("gemini_usage_missing.sse", "length"),
    ] {
        for members in [json!({}), with_usage()] {
            let (read, finish) = whole(name, members.clone());
            assert_eq!(finish.outcome, StreamOutcome::Completed, "{name}");
            assert_eq!(read.finish_reasons, [reason], "{name}");
            assert!(finish.usage.estimated, "{name}");
            assert_eq!(finish.usage.prompt_tokens, common::request(members).prompt_tokens_estimate(), "{name}");
            assert_eq!(finish.usage.completion_tokens, 11, "{name}");
            assert_eq!(read.usages().len(), 1, "{name}");
            assert_eq!(read.usages()[0].1["completion_tokens"], 11, "{name}");
        }
    }
}

#[test]
fn a_cut_stream_is_an_error_to_the_client_and_is_metered() {
    for (name, prompt, completion) in [
        ("openai_cut.sse", None, 11),
        // Input from message_start; its output_tokens of 1 is less than what was delivered.
        ("anthropic_cut.sse", Some(127), 11),
        ("anthropic_cut_before_stop.sse", Some(127), 15),
        ("gemini_cut.sse", Some(21), 11),
    ] {
        let (read, finish) = whole(name, with_usage());
        assert_eq!(read.content, HELLO, "{name}");
        assert_eq!(finish.outcome, StreamOutcome::Cut, "{name}");
        assert_eq!(read.error.expect(name)["code"], "provider_error", "{name}");
        assert!(finish.usage.estimated, "{name}");
        let estimate = common::request(with_usage()).prompt_tokens_estimate();
        assert_eq!(finish.usage.prompt_tokens, prompt.unwrap_or(estimate), "{name}");
        assert_eq!(finish.usage.completion_tokens, completion, "{name}");
    }
}

#[test]
fn an_error_after_a_200_is_raised_and_its_inside_stays_inside() {
    for name in ["openai_error.sse", "anthropic_error.sse", "gemini_error.sse"] {
        let (read, finish) = whole(name, json!({}));
        let StreamOutcome::Failed(error) = finish.outcome else { panic!("{name}: {:?}", finish.outcome) };
        assert_eq!(error.kind, ProviderErrorKind::Overloaded, "{name}");
        assert!(!error.message.is_empty() && !error.message.contains("sk-proj"), "{name}: {}", error.message);
        let frame = read.error.expect(name);
        assert_eq!(frame["code"], "provider_unavailable", "{name}");
        assert!(!frame["message"].as_str().unwrap().contains(&error.message), "{name}");
        assert!(!read.done, "{name}: no [DONE] after an error");
        assert!(finish.usage.completion_tokens > 0 && finish.usage.estimated, "{name}");
    }
}

#[test]
fn tool_calls_arrive_with_index_id_and_arguments() {
    let call = |id: &str, name: &str, arguments: &str| (id.to_owned(), name.to_owned(), arguments.to_owned());
    for (name, expected) in [
        (
            "openai_tool_calls.sse",
            [call("call_W1", "get_weather", "{\"city\":\"Zürich\"}"), call("call_W2", "get_time", "{}")],
        ),
        (
            "anthropic_tool_use.sse",
            [call("toolu_01A", "get_weather", "{\"city\": \"Zürich\"}"), call("toolu_01B", "get_time", "{}")],
        ),
        (
            "gemini_tool_calls.sse",
            [call("fc-1", "get_weather", "{\"city\":\"Zürich\"}"), call("call_t1_1", "get_time", "{}")],
        ),
    ] {
        let (read, finish) = whole(name, json!({}));
        assert_eq!(read.calls, expected, "{name}");
        assert_eq!(read.finish_reasons, ["tool_calls"], "{name}");
        assert_eq!(finish.outcome, StreamOutcome::Completed, "{name}");
        assert!(!finish.usage.estimated, "{name}");
    }
}

#[test]
fn gemini_s_signature_travels_with_the_call() {
    let (read, finish) = whole("gemini_tool_calls.sse", json!({}));
    let calls: Vec<&Value> =
        read.chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0")).collect();
    assert_eq!(calls[0]["extra_content"]["google"]["thought_signature"], "CsIB");
    assert!(calls[1].get("extra_content").is_none());
    assert_eq!(finish.usage, Usage { reasoning_tokens: 40, ..usage(60, 58) });
}

#[test]
fn thinking_is_kept_apart_from_the_answer_and_counted() {
    let (read, finish) = whole("anthropic_thinking.sse", json!({}));
    assert_eq!((read.content.as_str(), read.reasoning.as_str()), ("42", "17 + 25 is 42."));
    assert_eq!(finish.usage, usage(30, 25));
    let (read, finish) = whole("gemini_thinking.sse", json!({}));
    assert_eq!((read.content.as_str(), read.reasoning.as_str()), ("42", "**Adding** 17 and 25."));
    assert_eq!(finish.usage, Usage { cached_tokens: 4, reasoning_tokens: 55, ..usage(12, 57) });
}

#[test]
fn what_gemini_filters_is_content_filter() {
    let (read, finish) = whole("gemini_safety.sse", json!({}));
    assert_eq!((read.finish_reasons.as_slice(), read.content.as_str()), (&["content_filter".to_owned()][..], "I can"));
    assert_eq!(finish.usage, usage(14, 2));
    let (read, finish) = whole("gemini_blocked.sse", json!({}));
    assert_eq!(read.finish_reasons, ["content_filter"]);
    assert_eq!(finish.usage, usage(14, 0));
    assert_eq!(finish.outcome, StreamOutcome::Completed);
}

#[test]
fn a_server_that_counts_on_every_chunk_is_read_once() {
    for (members, on_its_own) in [(json!({}), false), (with_usage(), true)] {
        let (read, finish) = whole("openai_running_usage.sse", members);
        assert_eq!(read.content, "Hi there");
        assert_eq!(finish.usage, usage(12, 3));
        assert_eq!(
            read.usages(),
            [(on_its_own, &json!({"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}))]
        );
    }
}

#[test]
fn two_choices_end_when_both_have_ended() {
    let (read, finish) = whole("openai_two_choices.sse", json!({"n": 2}));
    assert_eq!(read.finish_reasons, ["stop", "stop"]);
    assert_eq!(read.usages().len(), 1);
    assert_eq!(read.chunks.last().unwrap()["choices"][0]["index"], 1, "the usage is on the last of them");
    assert_eq!(finish.usage, usage(10, 6));

    let bytes = recording("openai_two_choices.sse");
    let text = String::from_utf8(bytes).unwrap();
    let first_finish = text.find("\"stop\"").unwrap();
    let upto = first_finish + text[first_finish..].find("\n\n").unwrap() + 2;
    let decoder = decoder("openai_two_choices.sse", json!({"n": 2}));
    let (_, finish) = feed(decoder, std::iter::once(&text.as_bytes()[..upto]));
    assert_eq!(finish.outcome, StreamOutcome::Cut);
}

#[test]
fn done_is_seen_at_the_terminal_event_and_what_follows_is_ignored() {
    for name in ["openai_text.sse", "anthropic_text.sse", "gemini_text.sse"] {
        let mut decoder = decoder(name, json!({}));
        assert!(!decoder.is_done());
        decoder.push(&recording(name));
        assert!(decoder.is_complete(), "{name}");
        assert_eq!(decoder.delivered_tokens_estimate(), 11, "{name}");
        decoder.push(b"data: {\"error\":{\"message\":\"late\"}}\n\n");
        assert!(decoder.is_done(), "{name}");
        assert_eq!(decoder.finish(StreamEnd::ClientGone).outcome, StreamOutcome::Completed, "{name}");
    }
}
