//! A chat request's body, and what is made of it for each provider.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_providers::{ChatRequest, Endpoint, ModelRef, encode_request};

const MODELS: [&str; 3] = ["openai/m", "anthropic/m", "gemini/m"];

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = ChatRequest::parse(bytes) else { return };
    assert!(request.prompt_tokens_estimate() > 0);
    let endpoint = Endpoint { base_url: "http://h".into(), api_key: "k".into() };
    for model in MODELS.into_iter().filter_map(|model| ModelRef::parse(model).ok()) {
        let _ = encode_request(&request, &model, &endpoint, Some(9));
    }
});
