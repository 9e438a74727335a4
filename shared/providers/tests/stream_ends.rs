//! Ends of streams: what the recordings do not have, and what they have when something breaks.

mod common;

use common::{decoder, feed, meta, model_of, read, recording, request};
use serde_json::{Value, json};
use tollgate_providers::{Counted, ProviderErrorKind, StreamDecoder, StreamEnd, StreamOutcome};

const FINISH: &str = "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

#[test]
fn a_last_event_without_its_blank_line_counts() {
    for (name, last) in [
        ("openai_", "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}"),
        ("anthropic_", "event: message_stop\ndata: {\"type\":\"message_stop\"}"),
        ("gemini_", "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}"),
    ] {
        let (_, finish) = feed(decoder(name, json!({})), std::iter::once(last.as_bytes()));
        assert_eq!(finish.outcome, StreamOutcome::Completed, "{name}");
        let half = &last.as_bytes()[..last.len() - 1];
        let (_, finish) = feed(decoder(name, json!({})), std::iter::once(half));
        assert_ne!(finish.outcome, StreamOutcome::Completed, "{name}");
    }
}

#[test]
fn what_follows_the_end_in_the_same_bytes_is_ignored() {
    let bytes = format!("{FINISH}data: [DONE]\n\ndata: {{\"error\":{{\"message\":\"late\"}}}}\n\n");
    let (out, finish) = feed(decoder("openai_", json!({})), std::iter::once(bytes.as_bytes()));
    assert_eq!(finish.outcome, StreamOutcome::Completed);
    assert!(read(&out).error.is_none());
}

#[test]
fn gemini_s_usage_may_come_after_the_finish_reason() {
    let mut decoder = decoder("gemini_", json!({}));
    decoder
        .push(b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":\"STOP\"}]}\n\n");
    assert!(!decoder.is_done());
    assert!(decoder.is_complete() && decoder.counted() == Counted::Never);
    decoder.push(b"data: {\"usageMetadata\":{\"promptTokenCount\":5,\"candidatesTokenCount\":3}}\n\n");
    assert_eq!(decoder.counted(), Counted::ByTheProvider);
    let usage = decoder.finish(StreamEnd::Closed).usage;
    assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.estimated), (5, 3, false));
}

#[test]
fn a_server_that_repeats_its_finish_does_not_fill_the_memory() {
    let mut decoder = decoder("openai_", json!({}));
    assert_eq!(decoder.push(FINISH.as_bytes()), "");
    assert!(!decoder.push(FINISH.as_bytes()).is_empty(), "the older one goes out when the next is held");
}

#[test]
fn a_choice_without_end_still_reports_its_usage_at_done() {
    for include_usage in [false, true] {
        let members = json!({"stream_options": {"include_usage": include_usage}});
        let (out, finish) = feed(
            decoder("openai_", members),
            std::iter::once(
                &b"data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n"[..],
            ),
        );
        assert_eq!(finish.outcome, StreamOutcome::Completed);
        assert_eq!(read(&out).usages().len(), 1);
    }
}

#[test]
fn a_client_that_leaves_pays_for_what_it_got() {
    let mut decoder = decoder("anthropic_cut.sse", json!({}));
    decoder.push(&recording("anthropic_cut.sse"));
    let finish = decoder.finish(StreamEnd::ClientGone);
    assert_eq!((finish.outcome, finish.out.as_str()), (StreamOutcome::ClientGone, ""));
    assert_eq!((finish.usage.prompt_tokens, finish.usage.completion_tokens), (127, 11));
}

#[test]
fn a_broken_connection_is_a_failure_with_its_reason_for_the_log_only() {
    let mut decoder = decoder("openai_cut.sse", json!({}));
    decoder.push(&recording("openai_cut.sse"));
    let finish = decoder.finish(StreamEnd::UpstreamFailed("connection reset by 10.0.0.7".into()));
    let StreamOutcome::Failed(error) = finish.outcome else { panic!("{:?}", finish.outcome) };
    assert_eq!((error.kind, error.message.as_str()), (ProviderErrorKind::Cut, "connection reset by 10.0.0.7"));
    assert!(read(&finish.out).error.is_some() && !finish.out.contains("10.0.0.7"));
}

#[test]
fn a_frame_of_more_than_a_mebibyte_is_a_bad_answer() {
    for name in ["openai_text.sse", "anthropic_text.sse", "gemini_text.sse"] {
        let frame = format!("data: {{\"x\":\"{}\"}}\n\n", "a".repeat(1024 * 1024));
        for size in [frame.len(), 1000] {
            let (out, finish) = feed(decoder(name, json!({})), frame.as_bytes().chunks(size));
            let StreamOutcome::Failed(error) = finish.outcome else { panic!("{name}: {:?}", finish.outcome) };
            assert_eq!(error.kind, ProviderErrorKind::BadAnswer, "{name}");
            assert_eq!(read(&out).error.unwrap()["code"], "provider_error");
        }
    }
}

#[test]
fn frames_that_are_not_the_provider_s_are_a_bad_answer() {
    for name in ["openai_text.sse", "anthropic_text.sse", "gemini_text.sse"] {
        for frame in ["data: <html>\n\n", "data: [1]\n\n", "data: {\"choices\":7,\"candidates\":7}\n\n"] {
            let (_, finish) = feed(decoder(name, json!({})), std::iter::once(frame.as_bytes()));
            assert!(
                matches!(&finish.outcome, StreamOutcome::Failed(error) if error.kind == ProviderErrorKind::BadAnswer),
                "{name} {frame}: {:?}",
                finish.outcome
            );
        }
    }
}

#[test]
fn a_usage_of_zero_is_not_believed() {
    let stream = "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello there\"},\"finish_reason\":\"stop\"}]}\n\n\
        data: {\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0}}\n\ndata: [DONE]\n\n";
    let (out, finish) = feed(decoder("openai_", json!({})), std::iter::once(stream.as_bytes()));
    assert_eq!(finish.usage.completion_tokens, 2);
    assert!(finish.usage.estimated && finish.usage.prompt_tokens > 0);
    assert_eq!(read(&out).usages()[0].1["completion_tokens"], 2, "the client reads what is metered");
}

#[test]
fn nothing_delivered_is_nothing_to_charge() {
    let error = |text: &str| format!("data: {text}\n\n");
    for provider in ["openai_", "anthropic_", "gemini_"] {
        for stream in [
            String::new(),
            ": waiting\n\n: still\n\n".to_owned(),
            "data: [DONE]\n\n".to_owned(),
            "data:\n\ndata: \n\n".to_owned(),
            "retry: 3000\n\nevent: ping\n\nid: 7\n\n".to_owned(),
            error(r#"{"error":{"message":"no","type":"server_error"}}"#),
            error(r#"{"error":"no"}"#),
            error(r#"{"type":"error","error":{"type":"overloaded_error","message":"no"}}"#),
            error(r#"{"type":"error","message":"no"}"#),
            error(r#"{"object":"error","message":"no","code":500}"#),
            error(r#"{"detail":"no"}"#),
            error(r#"{"errors":[{"message":"no"}]}"#),
            error(r#"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"no"}}]"#),
            "{\"error\":{\"message\":\"no\"}}".to_owned(),
            "<html>bad gateway</html>".to_owned(),
        ] {
            let (out, finish) = feed(decoder(provider, json!({})), std::iter::once(stream.as_bytes()));
            assert!(!finish.delivered, "{provider} {stream:?}: {finish:?}");
            assert!(matches!(finish.outcome, StreamOutcome::Failed(_)), "{provider} {stream:?}: {:?}", finish.outcome);
            assert_eq!(out.matches("\"error\"").count(), 1, "{provider} {stream:?}: {out}");
            assert!(!out.contains("[DONE]"), "{provider} {stream:?}: {out}");
        }
    }
}

#[test]
fn an_empty_finish_reason_is_none_and_heartbeats_are_passed_over() {
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let stream = [
        chunk("\"content\":\"a\"", "\"\""),
        "data:\n\n: ping\n\nevent: ping\ndata: {}\n\nretry: 5\n\n".to_owned(),
        "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n".to_owned(),
        chunk("\"content\":\"b\"", "null"),
    ]
    .concat();
    let (out, finish) = feed(decoder("openai_", json!({})), std::iter::once(stream.as_bytes()));
    assert_eq!((read(&out).content.as_str(), finish.outcome), ("ab", StreamOutcome::Cut));
    assert!(!out.contains("prompt_filter_results"), "{out}");
    let whole = stream + &chunk("", "\"stop\"");
    let (_, finish) = feed(decoder("openai_", json!({})), std::iter::once(whole.as_bytes()));
    assert_eq!(finish.outcome, StreamOutcome::Completed);
}

#[test]
fn a_model_that_says_stop_in_every_frame_is_heard_to_its_end() {
    let frame = |text: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}]}},\"finishReason\":\"STOP\"}}],\"usageMetadata\":{{\"promptTokenCount\":5,\"candidatesTokenCount\":{}}}}}\n\n",
            text.len()
        )
    };
    let stream = ["a", "bb", "ccc"].map(frame).concat();
    let (out, finish) = feed(decoder("gemini_", json!({})), std::iter::once(stream.as_bytes()));
    assert_eq!((read(&out).content.as_str(), finish.outcome), ("abbccc", StreamOutcome::Completed));
    assert_eq!(finish.usage.completion_tokens, 3);
}

#[test]
fn a_whole_answer_in_place_of_a_stream_becomes_one() {
    let request = request(json!({"stream_options": {"include_usage": true}}));
    let body = json!({"id": "x", "object": "chat.completion", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "content": "Hello", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "2", "type": "function", "function": {"name": "g", "arguments": "{}"}}]}}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}});
    let (out, usage) =
        StreamDecoder::of_whole(&request, &model_of("openai_"), body.to_string().as_bytes(), &meta()).unwrap();
    let read = read(&out);
    assert_eq!((read.content.as_str(), read.calls.len(), read.done), ("Hello", 2, true));
    assert_eq!(read.finish_reasons, ["tool_calls"]);
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (5, 7));
    for error in [r#"{"error":{"message":"no"}}"#, "<html>", "{}", r#"{"choices":[]}"#, ""] {
        let refused = StreamDecoder::of_whole(&request, &model_of("openai_"), error.as_bytes(), &meta());
        assert!(refused.is_err(), "{error}");
    }
}

/// A small generator of numbers that look random: the same seed makes the same streams.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides
    }
}

/// Parts of streams, sound and broken, of every provider and none.
const SCRAPS: &[&str] = &[
    "data: ",
    "data:",
    "\n",
    "\n\n",
    "\r\n",
    ": comment\n",
    "event: message_start\n",
    "event: error\n",
    "id: 1\n",
    "retry: 10\n",
    "[DONE]",
    "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"}}]}",
    "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}",
    "{\"choices\":[{\"delta\":{},\"finish_reason\":\"\"}]}",
    "{\"choices\":[]}",
    "{\"choices\":null}",
    "{\"choices\":7}",
    "{}",
    "[]",
    "null",
    "{",
    "}",
    "\"",
    "\\ud800",
    "{\"usage\":{\"prompt_tokens\":-5,\"completion_tokens\":1e40}}",
    "{\"usage\":{\"prompt_tokens\":18446744073709551615}}",
    "{\"error\":{\"message\":\"no\"}}",
    "{\"type\":\"error\",\"error\":{}}",
    "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3}}}",
    "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}",
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"word \"}}",
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9}}",
    "{\"type\":\"message_stop\"}",
    "{\"type\":\"ping\"}",
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"word \"}]}}]}",
    "{\"candidates\":[{\"finishReason\":\"STOP\"}]}",
    "{\"candidates\":[]}",
    "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}",
    "\u{FEFF}",
    "\0",
    "é",
];

#[test]
fn malformed_streams_are_charged_for_what_they_delivered_and_end_once() {
    for seed in 0..500 {
        let mut dice = Dice(seed);
        let length = 1 + dice.roll(40);
        let mut stream = String::new();
        for _ in 0..length {
            if dice.roll(2) == 0 {
                // A sound event more often than chance would have it.
                stream.push_str("data: ");
                stream.push_str(SCRAPS[10 + dice.roll(SCRAPS.len() - 10)]);
                stream.push_str("\n\n");
            } else {
                stream += SCRAPS[dice.roll(SCRAPS.len())];
            }
        }
        for provider in ["openai_", "anthropic_", "gemini_"] {
            let size = 1 + dice.roll(30);
            let (out, finish) = feed(decoder(provider, json!({})), stream.as_bytes().chunks(size));
            let what = format!("seed {seed}, {provider}: {stream:?} gave {out:?} and {finish:?}");
            let (ends, errors) = (out.matches("data: [DONE]\n\n").count(), out.matches("data: {\"error\":").count());
            assert_eq!(ends + errors, 1, "one terminal event: {what}");
            assert_eq!(ends == 1, finish.outcome == StreamOutcome::Completed, "{what}");
            if matches!(finish.outcome, StreamOutcome::Cut) {
                assert!(finish.delivered, "a cut is of something: {what}");
            }
            let said = out
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
                .any(|chunk| {
                    chunk["choices"][0]["delta"]["content"].as_str().is_some_and(|text| !text.is_empty())
                        || chunk["choices"][0]["delta"]["tool_calls"].is_array()
                });
            assert!(finish.delivered || !said, "what was delivered is charged: {what}");
            assert!(finish.usage.total() <= 1_000_000_000, "{what}");
        }
    }
}
