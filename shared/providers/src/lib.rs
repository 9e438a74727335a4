//! Model providers as pure codecs: bytes in, events out.
//!
//! Tollgate speaks one language to its clients, OpenAI's chat completions, and four to its providers. This crate is the
//! translator and nothing else: no I/O, no clock, no randomness, no JavaScript. The Worker does the HTTP and hands over bytes;
//! ids and times come in through [`CompletionMeta`]. The same code therefore runs in a Worker, in a test and in a fuzzer.
//!
//! # One request, start to end
//! ```
//! use tollgate_providers::{
//!     ChatRequest, CompletionMeta, Endpoint, ModelRef, StreamDecoder, StreamEnd, StreamOutcome, encode_request,
//! };
//!
//! let body = br#"{"model":"anthropic/claude-x","stream":true,"max_tokens":50,"messages":[{"role":"user","content":"Hi"}]}"#;
//! let request = ChatRequest::parse(body)?;
//! let model = ModelRef::parse(request.model())?;
//! // ... the meter reserves request.prompt_tokens_estimate() + request.requested_max_tokens() here ...
//! let endpoint = Endpoint { base_url: "http://127.0.0.1:9001".into(), api_key: "secret".into() };
//! let upstream = encode_request(&request, &model, &endpoint, Some(20))?;
//! assert_eq!(upstream.url, "http://127.0.0.1:9001/v1/messages");
//!
//! let meta = CompletionMeta { id: "chatcmpl-1".into(), created: 0, model: request.model().into() };
//! let mut decoder = StreamDecoder::new(&request, &model, meta);
//! let to_client = decoder.push(b"data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n");
//! assert!(to_client.starts_with("data: {"));
//! let finish = decoder.finish(StreamEnd::Closed);
//! assert_eq!(finish.outcome, StreamOutcome::Cut); // no message_stop: the client is told, and what was delivered is metered
//! assert_eq!(finish.usage.prompt_tokens, 9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to look
//! | file | job |
//! |---|---|
//! | `request` | what a client sends: parsed, checked, kept |
//! | `model` | `provider/model` names and the list of models |
//! | `openai`, `anthropic`, `gemini` | each with `request`, `response`, `stream` |
//! | `extractive` | `tollgate/extractive`, which calls no model |
//! | `tokens`, `attachment` | how many tokens a text, an image, a document takes, before anything is sent |
//! | `sse` | the incremental frame parser |
//! | `session` | what all streams share: writing chunks, tallying what was delivered, settling usage |
//! | `usage`, `price` | how many tokens, how many micro-dollars |
//! | `error` | what a provider's refusal means |
//!
//! # A new provider
//! 1. A variant in [`Provider`] with its name. 2. A folder with `request` (encode), `response` (decode) and `stream`
//!    (implement `session::FrameDecoder`). 3. Its arms in `dispatch`. 4. Its rows in `price`. 5. Recordings in `tests/recordings`.

mod anthropic;
mod attachment;
mod completion;
mod conversation;
mod dispatch;
mod error;
pub mod extractive;
mod gemini;
mod image;
mod members;
mod model;
mod openai;
mod operations;
pub mod price;
mod request;
mod schema;
mod session;
mod sse;
mod stream;
mod surrogates;
mod tokens;
mod untranslatable;
mod usage;

pub use completion::{Completion, CompletionMeta};
pub use dispatch::{Endpoint, UpstreamRequest, decode_completion, encode_request};
pub use error::{Logged, Meaning, ProviderError, ProviderErrorKind};
pub use model::{ModelRef, Provider, UnknownModel, models_list};
pub use request::{ChatRequest, InvalidRequest, InvalidRequestKind};
pub use stream::{Charge, Counted, StreamDecoder, StreamEnd, StreamFinish, StreamOutcome};
pub use usage::{Tier, Usage};
