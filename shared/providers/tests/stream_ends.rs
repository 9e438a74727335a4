//! Ends of streams: what the recordings do not have, and what they have when something breaks.

mod common;

use common::{decoder, feed, read, recording};
use serde_json::json;
use tollgate_providers::{ProviderErrorKind, StreamEnd, StreamOutcome};

const FINISH: &str = "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

#[test]
fn a_last_event_without_its_blank_line_counts() {
    for (name, last) in [
        ("openai_", "data: [DONE]"),
        ("anthropic_", "event: message_stop\ndata: {\"type\":\"message_stop\"}"),
        ("gemini_", "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}"),
    ] {
        let (_, finish) = feed(decoder(name, json!({})), std::iter::once(last.as_bytes()));
        assert_eq!(finish.outcome, StreamOutcome::Completed, "{name}");
        let half = &last.as_bytes()[..last.len() - 1];
        let (_, finish) = feed(decoder(name, json!({})), std::iter::once(half));
        assert_eq!(finish.outcome, StreamOutcome::Cut, "{name}");
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
    decoder.push(b"data: {\"usageMetadata\":{\"promptTokenCount\":5,\"candidatesTokenCount\":3}}\n\n");
    assert!(decoder.is_done());
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
        let (out, finish) = feed(decoder("openai_", members), std::iter::once(&b"data: [DONE]\n\n"[..]));
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
    assert_eq!((finish.usage.prompt_tokens, finish.usage.completion_tokens), (127, 10));
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
            assert_eq!(read(&out).error.unwrap()["code"], "provider_bad_answer");
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
    assert_eq!(finish.usage.completion_tokens, 3);
    assert!(finish.usage.estimated && finish.usage.prompt_tokens > 0);
    assert_eq!(read(&out).usages()[0].1["completion_tokens"], 3, "the client reads what is metered");
}
