//! A provider's stream: wherever it is cut, whatever is in it, it ends in a way that a client can read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_providers::{
    ChatRequest, CompletionMeta, ModelRef, StreamDecoder, StreamEnd, StreamOutcome, decode_completion,
};

const MODELS: [&str; 3] = ["openai/m", "anthropic/m", "gemini/m"];

fuzz_target!(|bytes: &[u8]| {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let body = br#"{"model":"p/m","messages":[{"role":"user","content":"Hi"}],"stream":true}"#;
    let request = ChatRequest::parse(body).expect("the request is one");
    for model in MODELS.into_iter().filter_map(|model| ModelRef::parse(model).ok()) {
        let meta = || CompletionMeta { id: "chatcmpl-1".into(), created: 1, model: "p/m".into() };
        let mut decoder = StreamDecoder::new(&request, &model, meta());
        let mut out = String::new();
        for piece in bytes.chunks(usize::from(*size).max(1)) {
            out.push_str(&decoder.push(piece));
        }
        let finish = decoder.finish(StreamEnd::Closed);
        out.push_str(&finish.out);
        let completed = finish.outcome == StreamOutcome::Completed;
        assert_eq!(out.ends_with("data: [DONE]\n\n"), completed);
        assert!(completed || out.contains("data: {\"error\":"));
        let _ = finish.usage.total();
        let _ = decode_completion(&request, &model, 200, None, bytes, &meta());
    }
});
