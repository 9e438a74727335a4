//! Whatever arrives, nothing panics, and a stream ends in a way a client can read.
#![expect(clippy::unwrap_used, reason = "clippy knows #[test] functions, not their helpers")]

mod common;

use proptest::prelude::*;
use tollgate_providers::{
    ChatRequest, Endpoint, ModelRef, StreamDecoder, StreamEnd, StreamOutcome, decode_completion, encode_request,
    extractive,
};

const MODELS: [&str; 4] = ["openai/m", "anthropic/m", "gemini/m", "tollgate/extractive"];

/// Pieces that get past the first checks, so that the inside is reached too.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("data: ".to_owned()), Just("\n\n".to_owned()), Just("\r\n".to_owned()), Just("[DONE]".to_owned()),
        Just("{\"choices\":[{\"index\":99,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}".to_owned()),
        Just("{\"choices\":[],\"usage\":{\"prompt_tokens\":18446744073709551615,\"completion_tokens\":18446744073709551615}}".to_owned()),
        Just("{\"type\":\"content_block_delta\",\"index\":3,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}}".to_owned()),
        Just("{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":18446744073709551615,\"cache_read_input_tokens\":9}}}".to_owned()),
        Just("{\"type\":\"message_stop\"}".to_owned()), Just("{\"type\":\"error\"}".to_owned()), Just("{\"error\":7}".to_owned()),
        Just("{\"candidates\":[{\"index\":70,\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\"}}]},\"finishReason\":\"STOP\"}]}".to_owned()),
        "\\PC{0,20}",
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat().into_bytes())
}

fn check_stream(bytes: &[u8], size: usize) {
    for model in MODELS {
        let model = ModelRef::parse(model).unwrap();
        let mut decoder = StreamDecoder::new(&common::request(serde_json::json!({})), &model, common::meta());
        let mut out = String::new();
        for piece in bytes.chunks(size) {
            out.push_str(&decoder.push(piece));
        }
        let finish = decoder.finish(StreamEnd::Closed);
        out.push_str(&finish.out);
        let completed = finish.outcome == StreamOutcome::Completed;
        assert_eq!(out.ends_with("data: [DONE]\n\n"), completed);
        assert!(completed || out.contains("data: {\"error\":"));
        assert!(finish.usage.prompt_tokens > 0);
        let _ = finish.usage.total();
    }
}

proptest! {
    #[test]
    fn streams_of_arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400), size in 1_usize..50) {
        check_stream(&bytes, size);
    }

    #[test]
    fn streams_of_plausible_fragments(bytes in fragments(), size in 1_usize..50) {
        check_stream(&bytes, size);
    }

    #[test]
    fn requests_of_arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = ChatRequest::parse(&bytes);
    }

    #[test]
    fn requests_with_an_arbitrary_member(name in "(model|messages|tools|tool_choice|stop|n|max_tokens|stream_options|response_format|temperature)",
        value in arbitrary_json()) {
        let mut body = serde_json::json!({"model": "p/m", "messages": [{"role": "user", "content": "Hi"}]});
        body[&name] = value;
        match ChatRequest::parse(body.to_string().as_bytes()) {
            Err(error) => prop_assert!(error.field.starts_with(&name), "{} is not at fault: {}", error.field, name),
            Ok(request) => {
                prop_assert!(request.prompt_tokens_estimate() > 0);
                let endpoint = Endpoint { base_url: "http://h".into(), api_key: "k".into() };
                for model in MODELS {
                    let _ = encode_request(&request, &ModelRef::parse(model).unwrap(), &endpoint, Some(9));
                }
                let _ = extractive::stream(&request, &common::meta());
            }
        }
    }

    #[test]
    fn answers_of_arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400), status in 0_u16..700, retry in "\\PC{0,8}") {
        let request = common::request(serde_json::json!({}));
        for model in MODELS {
            let result = decode_completion(&request, &ModelRef::parse(model).unwrap(), status, Some(&retry), &bytes, &common::meta());
            if let Err(error) = result {
                prop_assert!(error.message.chars().count() <= 300 && !error.message.contains('\n'));
            }
        }
    }

    #[test]
    fn questions_in_any_script(text in "\\PC{0,300}", limit in 1_u64..50) {
        let body = serde_json::json!({"model": "tollgate/extractive", "max_tokens": limit, "messages": [
            {"role": "system", "content": text}, {"role": "user", "content": text}]});
        let request = ChatRequest::parse(body.to_string().as_bytes()).unwrap();
        let completion = extractive::answer(&request, &common::meta());
        prop_assert!(completion.usage.completion_tokens <= limit);
    }
}

fn arbitrary_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,10}".prop_map(Into::into),
        Just("function".into()),
        Just("user".into()),
        Just("assistant".into()),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let key = "(type|role|content|function|name|arguments|tool_calls|id|image_url|url|json_schema|schema|include_usage|text)";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map(key, inner, 0..5).prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}
