//! Which codec a model needs.

use crate::completion::{Completion, CompletionMeta};
use serde_json::Value;

use crate::error::{self, ErrorBody, ProviderError};
use crate::model::{ModelRef, Provider};
use crate::request::{ChatRequest, InvalidRequest};
use crate::{anthropic, gemini, openai, surrogates};

/// Where a provider is reached, and as whom.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// As the official SDKs take it: OpenAI's includes `/v1` (`https://api.openai.com/v1`), Anthropic's and Gemini's exclude the
    /// version (`https://api.anthropic.com`, `https://generativelanguage.googleapis.com`). A slash at the end does not matter.
    pub base_url: String,
    /// The key; sent in the provider's own header, never in the URL.
    pub api_key: String,
}

impl std::fmt::Debug for Endpoint {
    /// Without the key: a debug line must not leak it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl Endpoint {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url.trim_end_matches('/'))
    }
}

/// What to send upstream; always a POST.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamRequest {
    /// The whole URL.
    pub url: String,
    /// Header names in lower case. The key is among the values: not for logs.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
}

impl std::fmt::Debug for UpstreamRequest {
    /// Without the headers, which hold the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamRequest").field("url", &self.url).field("body", &self.body).finish_non_exhaustive()
    }
}

/// Translates a request for the provider of `model`.
///
/// `max_output_tokens` is what the plan allows for **one choice** (divide what is left by [`ChatRequest::choices`]): the limit sent
/// upstream is never above it, and is sent even when the client set none. Without either, Anthropic, which requires one, gets 4,096.
///
/// # Errors
/// [`InvalidRequest`] with the field that the provider has no equivalent for, and for `tollgate/extractive`, which has no upstream.
pub fn encode_request(
    req: &ChatRequest,
    model: &ModelRef,
    endpoint: &Endpoint,
    max_output_tokens: Option<u64>,
) -> Result<UpstreamRequest, InvalidRequest> {
    match model.provider {
        Provider::OpenAi => openai::encode(req, model, endpoint, max_output_tokens),
        Provider::Anthropic => anthropic::encode(req, model, endpoint, max_output_tokens),
        Provider::Gemini => gemini::encode(req, model, endpoint, max_output_tokens),
        Provider::Tollgate => Err(InvalidRequest::unsupported("model", "calls no provider.")),
    }
}

/// Reads a provider's whole (not streamed) answer.
///
/// `retry_after` is the `Retry-After` header. OpenAI's answers are passed on as they are, `id`, `created` and `model` included; only
/// a missing or impossible `usage` is put in. The others' are built anew from `meta`.
///
/// # Errors
/// [`ProviderError`] for any status but 2xx, and [`BadAnswer`](crate::ProviderErrorKind::BadAnswer) for a body that is no completion.
pub fn decode_completion(
    req: &ChatRequest,
    model: &ModelRef,
    status: u16,
    retry_after: Option<&str>,
    body: &[u8],
    meta: &CompletionMeta,
) -> Result<Completion, ProviderError> {
    let provider = model.provider;
    if !(200..300).contains(&status) {
        let read = match provider {
            Provider::OpenAi | Provider::Tollgate => openai::read_error(body),
            Provider::Anthropic => anthropic::read_error(body),
            Provider::Gemini => gemini::read_error(body),
        };
        let body = read.unwrap_or_else(|| ErrorBody { message: plain_text(body), ..ErrorBody::default() });
        return Err(ProviderError::from_status(provider, status, retry_after, body));
    }
    let Ok(body) = std::str::from_utf8(body) else {
        return Err(ProviderError::bad_answer(provider, "the body is not UTF-8"));
    };
    let body = &*surrogates::mended(body);
    if let Some(error) = error_under_200(provider, body) {
        return Err(error);
    }
    match provider {
        Provider::OpenAi | Provider::Tollgate => openai::decode(req, provider, body),
        Provider::Anthropic => anthropic::decode(req, body, meta),
        Provider::Gemini => gemini::decode(req, body, meta),
    }
}

/// An error that comes with a status that says all is well: gateways in between do that, in every spelling.
fn error_under_200(provider: Provider, body: &str) -> Option<ProviderError> {
    // Looked for only where it may be: a tree of every answer would cost as much as the answer.
    if !["\"error\"", "\"errors\"", "\"detail\""].iter().any(|name| body.contains(name)) {
        return None;
    }
    let body: Value = serde_json::from_str(body).ok()?;
    let error = error::stated(&body)?;
    Some(ProviderError::in_stream(provider, openai::error_body(error)))
}

/// A body that is no JSON, for the log: proxies and load balancers answer in HTML or plain text.
fn plain_text(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body.get(..2_000).unwrap_or(body));
    (!text.trim().is_empty()).then(|| text.into_owned())
}
