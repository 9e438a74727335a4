//! Streams that no provider documents: recordings with their frames dropped, doubled, swapped, cut and mixed with what gateways
//! in between put in. Five hundred of each provider, from a generator with a seed.

#![allow(clippy::unwrap_used, reason = "clippy knows #[test] functions, not their helpers")]

mod common;

use common::{decoder, read, recording};
use serde_json::json;
use tollgate_providers::{Charge, Counted, StreamDecoder, StreamEnd, StreamOutcome};

const EACH: u64 = 500;

const OF: [(&str, &[&str]); 3] = [
    (
        "openai",
        &[
            "openai_text.sse",
            "openai_tool_calls.sse",
            "openai_running_usage.sse",
            "openai_two_choices.sse",
            "openai_error.sse",
        ],
    ),
    ("anthropic", &["anthropic_text.sse", "anthropic_tool_use.sse", "anthropic_thinking.sse", "anthropic_error.sse"]),
    (
        "gemini",
        &["gemini_text.sse", "gemini_tool_calls.sse", "gemini_thinking.sse", "gemini_safety.sse", "gemini_error.sse"],
    ),
];

/// What stands between frames without being part of an answer, and what is no frame at all.
const STRANGE: &[&str] = &[
    ": a comment\n\n",
    "data:\n\n",
    "data: \n\n",
    "retry: 3000\n\n",
    "id: 7\n\n",
    "event: ping\ndata: {\"type\":\"ping\"}\n\n",
    "event: something_new\ndata: {\"type\":\"something_new\",\"x\":[]}\n\n",
    "data: {}\n\n",
    "data: []\n\n",
    "data: null\n\n",
    "data: {\"choices\":[]}\n\n",
    "data: {\"error\":{\"message\":\"overloaded\"}}\n\n",
    "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n",
    "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ud83d\"}}]}\n\n",
    "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":64,\"delta\":{\"tool_calls\":[{\"id\":\"x\"},null,7]}}]}\n\n",
    "data: {\"usage\":{\"prompt_tokens\":18446744073709551615,\"completion_tokens\":-1}}\n\n",
    "data: {\"candidates\":[{\"content\":null,\"finishReason\":\"\"}]}\n\n",
    "data: {\"type\":\"content_block_delta\",\"index\":99,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}}\n\n",
    "data: {not json\n\n",
    "data: [DONE]\n\n",
    "<html>502</html>\n\n",
    "\u{feff}",
    "\r\r\n",
];

/// A sequence of numbers that is the same each time (splitmix64, <https://prng.di.unimi.it/splitmix64.c>).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }
}

/// A malformed stream, as the pieces in which it arrives.
fn stream(dice: &mut Dice, recordings: &[&str]) -> (String, Vec<Vec<u8>>) {
    let name = recordings[dice.below(recordings.len())];
    let text = String::from_utf8(recording(name)).unwrap().replace("\r\n", "\n");
    let mut frames: Vec<Vec<u8>> = text.split_inclusive("\n\n").map(|frame| frame.as_bytes().to_vec()).collect();
    for _ in 0..=dice.below(5) {
        let at = dice.below(frames.len());
        match dice.below(7) {
            0 if frames.len() > 1 => drop(frames.remove(at)),
            1 => frames.insert(at, frames[at].clone()),
            2 => {
                let other = dice.below(frames.len());
                frames.swap(at, other);
            }
            3 => frames.truncate(at.max(1)),
            4 => {
                let length = frames[at].len();
                let kept = dice.below(length);
                frames[at].truncate(kept);
            }
            // OpenAI's chunks pass through: what is changed within one is the client's to read.
            5 if !name.starts_with("openai") => {
                let place = dice.below(frames[at].len());
                if let Some(byte) = frames[at].get_mut(place) {
                    *byte = u8::try_from(dice.below(256)).unwrap();
                }
            }
            _ => frames.insert(at, STRANGE[dice.below(STRANGE.len())].as_bytes().to_vec()),
        }
    }
    let bytes = frames.concat();
    let mut pieces = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let (piece, more) = rest.split_at((1 + dice.below(400)).min(rest.len()));
        pieces.push(piece.to_vec());
        rest = more;
    }
    (name.to_owned(), pieces)
}

/// Whether the text has what ends an answer of its provider.
fn has_an_end(provider: &str, bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let marks: &[&str] = match provider {
        "openai" => &["finish_reason\":\"", "finish_reason\": \"", "[DONE]"],
        "anthropic" => &["message_stop"],
        _ => &["finishReason"],
    };
    marks.iter().any(|mark| text.contains(mark))
}

#[test]
fn no_malformed_stream_is_completed_without_an_end_or_ends_twice() {
    for (provider, recordings) in OF {
        let (mut dice, mut outcomes) = (Dice(0x7011_6A7E), std::collections::BTreeMap::<String, u32>::new());
        for number in 0..EACH {
            let (name, pieces) = stream(&mut dice, recordings);
            let members = if number % 2 == 0 { json!({}) } else { json!({"stream_options": {"include_usage": true}}) };
            let mut decoder: StreamDecoder = decoder(&name, members);
            let mut out = String::new();
            for piece in &pieces {
                out.push_str(&decoder.push(piece));
            }
            let counted = decoder.counted();
            let (begun, delivered) = (decoder.has_begun(), decoder.delivered_tokens_estimate());
            let end = if number % 7 == 0 { StreamEnd::ClientGone } else { StreamEnd::Closed };
            let finish = decoder.finish(end.clone());
            out.push_str(&finish.out);
            let what = || format!("{provider} {number} ({name}): {:?}", String::from_utf8_lossy(&pieces.concat()));
            // It asserts that every event is whole, and that nothing follows the end.
            let read = read(&out);
            *outcomes.entry(format!("{:?}", finish.outcome).split('(').next().unwrap().to_owned()).or_default() += 1;
            if finish.outcome == StreamOutcome::Completed {
                assert!(has_an_end(provider, &pieces.concat()), "completed without an end: {}", what());
                assert!(read.done && read.error.is_none(), "completed, and not said so: {}", what());
                assert!(begun || delivered > 0 || !read.finish_reasons.is_empty(), "nothing was completed: {}", what());
            } else {
                assert!(!read.done, "an end that is none: {}", what());
            }
            if end == StreamEnd::Closed && finish.outcome != StreamOutcome::Completed {
                assert!(read.error.is_some(), "the client is not told: {}", what());
            }
            // Nothing delivered, nothing charged; and what is charged says how it ended.
            for (left, held) in [(None, 500), (Some(counted), 500), (Some(Counted::Never), 1 << 20)] {
                match finish.charge(left, held) {
                    Charge::Nothing => {
                        assert!(!begun && delivered == 0 && read.content.is_empty(), "given away: {}", what());
                    }
                    Charge::Used(usage, word) => {
                        let is_nothing = !finish.delivered && left.is_none() && end == StreamEnd::Closed;
                        assert!(!is_nothing && usage.total() > 0, "charged without a delivery: {}", what());
                        let is_whole = finish.outcome == StreamOutcome::Completed && left.is_none();
                        assert_eq!(word == "completed", is_whole, "{word}: {}", what());
                        assert!(
                            left != Some(Counted::Never) || usage.total() >= held,
                            "left for less than was held: {}",
                            what()
                        );
                    }
                }
            }
            // What a provider counted is believed only within bounds, see `usage.rs`.
            assert!(finish.usage.total() < 1 << 26, "{}", what());
        }
        // The generator makes some of each, or it tests nothing.
        assert!(outcomes.len() >= 3 && outcomes.values().all(|count| *count >= 10), "{provider}: {outcomes:?}");
    }
}

#[test]
fn half_a_surrogate_pair_costs_a_character() {
    for (name, frame) in [
        ("openai_", r#"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a\ud83d"}}]}"#),
        ("anthropic_", r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\ud83d"}}"#),
        ("gemini_", r#"{"candidates":[{"content":{"parts":[{"text":"a\ud83d"}]}}]}"#),
    ] {
        let mut decoder = decoder(name, json!({}));
        let mut out = String::new();
        if name == "anthropic_" {
            out.push_str(&decoder.push(b"data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"));
        }
        out.push_str(&decoder.push(format!("data: {frame}\n\n").as_bytes()));
        out.push_str(&decoder.push(format!("data: {}\n\n", frame.replace("a\\ud83d", "\\ude00b")).as_bytes()));
        assert!(!decoder.is_done(), "{name} goes on");
        let read = read(&out);
        assert_eq!((read.content.as_str(), read.error.is_none()), ("a\u{fffd}\u{fffd}b", true), "{name}");
    }
}

#[test]
fn two_calls_with_one_number_are_two() {
    let mut decoder = decoder("openai_", json!({}));
    let mut out = String::new();
    for (id, name, arguments) in [("a", "x", "{\"n\":1"), ("", "", "}"), ("b", "y", "{\"n\":2"), ("", "", "}")] {
        let chunk = json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"tool_calls": [
            {"index": 0, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}]}}]});
        out.push_str(&decoder.push(format!("data: {chunk}\n\n").as_bytes()));
    }
    let called = |id: &str, name: &str, arguments: &str| (id.to_owned(), name.to_owned(), arguments.to_owned());
    assert_eq!(read(&out).calls, [called("a", "x", "{\"n\":1}"), called("b", "y", "{\"n\":2}")]);
}
