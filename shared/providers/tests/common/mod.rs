//! What the tests of streams and answers share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "each test file uses its part of it; clippy knows #[test] functions, not their helpers; json!({}) is handed over as it is"
)]

use serde_json::{Value, json};
use tollgate_providers::{
    ChatRequest, CompletionMeta, Endpoint, InvalidRequest, ModelRef, StreamDecoder, StreamEnd, StreamFinish,
    UpstreamRequest, encode_request,
};

pub fn recording(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/recordings/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn meta() -> CompletionMeta {
    CompletionMeta { id: "chatcmpl-t1".into(), created: 1_763_694_000, model: "p/m".into() }
}

/// A request for a stream, with members added or replaced.
pub fn request(members: Value) -> ChatRequest {
    let mut body = json!({"model": "p/m", "stream": true, "messages": [{"role": "user", "content": "Say hello in three ways, please."}]});
    for (name, value) in members.as_object().expect("an object") {
        body[name] = value.clone();
    }
    ChatRequest::parse(body.to_string().as_bytes()).expect("a sound request")
}

/// The model whose codec a recording is for, by the recording's name.
pub fn model_of(recording: &str) -> ModelRef {
    let provider = recording.split('_').next().unwrap();
    ModelRef::parse(&format!("{provider}/some-model")).unwrap()
}

pub fn decoder(recording: &str, members: Value) -> StreamDecoder {
    StreamDecoder::new(&request(members), &model_of(recording), meta())
}

/// All text for the client and the end, the recording fed in the given pieces.
pub fn feed<'a>(mut decoder: StreamDecoder, pieces: impl Iterator<Item = &'a [u8]>) -> (String, StreamFinish) {
    let mut out = String::new();
    for piece in pieces {
        out.push_str(&decoder.push(piece));
    }
    let finish = decoder.finish(StreamEnd::Closed);
    out.push_str(&finish.out);
    (out, finish)
}

/// A client's reading of a stream.
#[derive(Debug, Default)]
pub struct Read {
    pub chunks: Vec<Value>,
    pub content: String,
    pub reasoning: String,
    /// id, name, arguments.
    pub calls: Vec<(String, String, String)>,
    pub finish_reasons: Vec<String>,
    pub error: Option<Value>,
    pub done: bool,
}

pub fn read(sse: &str) -> Read {
    let mut read = Read::default();
    assert!(sse.is_empty() || sse.ends_with("\n\n"), "the last event is not ended: {sse:?}");
    for event in sse.split("\n\n").filter(|event| !event.is_empty()) {
        let data = event.strip_prefix("data: ").unwrap_or_else(|| panic!("no data: {event:?}"));
        assert!(!read.done && read.error.is_none(), "something after the end: {data}");
        if data == "[DONE]" {
            read.done = true;
            continue;
        }
        let chunk: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
        if let Some(error) = chunk.get("error") {
            read.error = Some(error.clone());
            continue;
        }
        assert_eq!(chunk["object"], "chat.completion.chunk");
        for choice in chunk["choices"].as_array().expect("choices") {
            let delta = &choice["delta"];
            if choice["index"] == 0 {
                read.content.push_str(delta["content"].as_str().unwrap_or_default());
                read.reasoning.push_str(delta["reasoning_content"].as_str().unwrap_or_default());
            }
            for call in delta["tool_calls"].as_array().unwrap_or(&Vec::new()) {
                let index = usize::try_from(call["index"].as_u64().expect("index")).unwrap();
                if index == read.calls.len() {
                    read.calls.push(Default::default());
                }
                let entry = &mut read.calls[index];
                entry.0.push_str(call["id"].as_str().unwrap_or_default());
                entry.1.push_str(call["function"]["name"].as_str().unwrap_or_default());
                entry.2.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
            }
            read.finish_reasons.extend(choice["finish_reason"].as_str().map(str::to_owned));
        }
        read.chunks.push(chunk);
    }
    read
}

impl Read {
    /// The chunks that carry a usage that is not null: (is it on its own, the usage).
    pub fn usages(&self) -> Vec<(bool, &Value)> {
        let carriers = self.chunks.iter().filter(|chunk| !chunk["usage"].is_null());
        carriers.map(|chunk| (chunk["choices"].as_array().unwrap().is_empty(), &chunk["usage"])).collect()
    }
}

/// What is sent for a request with members added or replaced.
pub fn encode(model: &str, members: &Value, allowed: Option<u64>) -> Result<UpstreamRequest, InvalidRequest> {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    let request = ChatRequest::parse(body.to_string().as_bytes()).unwrap();
    let base_url = if model.starts_with("openai") { "http://h/v1/" } else { "http://h/" };
    let endpoint = Endpoint { base_url: base_url.into(), api_key: "k1".into() };
    encode_request(&request, &ModelRef::parse(model).unwrap(), &endpoint, allowed)
}
