//! From a handler's answer to the runtime's.

use axum::{body::Body, response::IntoResponse};
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderValue, StatusCode, header};
use js_sys::Uint8Array;
use serde::Serialize;
use tollgate_api::{Code, Problem};
use tollgate_domain::id::RequestId;
use wasm_bindgen::JsValue;
use web_sys::{Headers, ReadableStream, ResponseInit};
use worker::send::SendWrapper;

/// What a handler answers besides a problem.
#[derive(Debug)]
pub struct Reply(http::Response<Body>);

/// A stream made outside of Rust, carried through axum beside an empty body.
#[derive(Clone)]
struct Streamed(SendWrapper<ReadableStream>);

impl Reply {
    /// A value as JSON.
    pub fn json<T: Serialize>(status: StatusCode, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::bytes(status, "application/json", body),
            Err(error) => {
                crate::log::error("respond", &error.to_string(), None);
                Self(Problem::internal().into_response())
            }
        }
    }

    /// A body that is ready.
    pub fn bytes(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Self {
        let mut response = http::Response::new(Body::from(body.into()));
        *response.status_mut() = status;
        Self(response).with(header::CONTENT_TYPE.as_str(), content_type)
    }

    /// A body that is written while it is made.
    pub fn stream(content_type: &str, stream: ReadableStream) -> Self {
        let mut response = http::Response::new(Body::empty());
        response.extensions_mut().insert(Streamed(SendWrapper::new(stream)));
        Self(response).with(header::CONTENT_TYPE.as_str(), content_type)
    }

    /// The same with a header. One that cannot be a header is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(name), HeaderValue::from_str(value)) {
            self.0.headers_mut().insert(name, value);
        }
        self
    }
}

impl Reply {
    /// The same, and a copy of its status and body.
    pub(crate) async fn copied(self) -> (Self, (u16, Vec<u8>)) {
        let (head, body) = self.0.into_parts();
        let body = whole(body).await;
        let copy = (head.status.as_u16(), body.clone());
        (Self(http::Response::from_parts(head, Body::from(body))), copy)
    }
}

async fn whole(body: Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut stream = body.into_data_stream();
    while let Some(Ok(piece)) = stream.next().await {
        bytes.extend_from_slice(&piece);
    }
    bytes
}

impl IntoResponse for Reply {
    fn into_response(self) -> http::Response<Body> {
        self.0
    }
}

/// 204.
pub fn no_content() -> Reply {
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Reply(response)
}

/// A wait that a client may sit out by itself.
const LONGEST_WAIT_SECONDS: u64 = 60;

/// What browsers may read of an answer. The API takes bearer tokens, never cookies, so any origin may call it.
const EXPOSED_HEADERS: &str = "X-Request-Id, X-Tollgate-Cost-Microusd, X-Tollgate-Requests-Remaining, \
     X-Tollgate-Tokens-Remaining, X-Tollgate-Trial-Ends-At, ETag, Retry-After, RateLimit, RateLimit-Policy, Idempotent-Replayed";

/// The headers that every answer carries.
pub fn stamp(request_id: RequestId) -> Result<Headers, JsValue> {
    let headers = Headers::new()?;
    headers.set("x-request-id", &request_id.to_string())?;
    headers.set("access-control-allow-origin", "*")?;
    headers.set("access-control-expose-headers", EXPOSED_HEADERS)?;
    Ok(headers)
}

/// A problem as the runtime sends it. `openai` adds the member that OpenAI's clients read.
pub fn problem(problem: &Problem, request_id: RequestId, openai: bool) -> Result<web_sys::Response, JsValue> {
    let headers = stamp(request_id)?;
    headers.set("content-type", "application/problem+json")?;
    headers.set("cache-control", "no-store")?;
    if problem.status == 401 {
        headers.set("www-authenticate", "Bearer")?;
    }
    if let Some(seconds) = problem.retry_after_seconds {
        headers.set("retry-after", &seconds.to_string())?;
    }
    if openai {
        // Official clients retry by the status alone unless they are told, and some wait as long as Retry-After says: days,
        // when a quota is used up.
        let too_long = problem.retry_after_seconds.is_some_and(|seconds| seconds > LONGEST_WAIT_SECONDS);
        let may_help = problem.should_retry.unwrap_or_else(|| problem.code.is_worth_a_retry());
        headers.set("x-should-retry", if may_help && !too_long { "true" } else { "false" })?;
    }
    if let Some(limit) = problem.limit {
        let (name, window) = match problem.meter {
            Some(meter) => (meter.as_str(), ""),
            None => ("requests_per_minute", ";w=60"),
        };
        let remaining = problem.remaining.unwrap_or(0);
        let (policy, standing) = rate_limit(name, window, limit, remaining, problem.retry_after_seconds);
        headers.set("ratelimit-policy", &policy)?;
        headers.set("ratelimit", &standing)?;
    }
    let mut problem = problem.clone();
    problem.request_id = request_id.to_string();
    respond(problem.status, &headers, Some(&Uint8Array::from(problem.to_json(openai).as_bytes())))
}

/// `RateLimit-Policy` and `RateLimit` as in draft-ietf-httpapi-ratelimit-headers-10.
fn rate_limit(name: &str, window: &str, limit: u64, remaining: u64, reset_seconds: Option<u64>) -> (String, String) {
    let reset = reset_seconds.map(|seconds| format!(";t={seconds}")).unwrap_or_default();
    (format!("\"{name}\";q={limit}{window}"), format!("\"{name}\";r={remaining}{reset}"))
}

fn respond(status: u16, headers: &Headers, body: Option<&Uint8Array>) -> Result<web_sys::Response, JsValue> {
    let init = ResponseInit::new();
    init.set_status(status);
    init.set_headers(headers);
    web_sys::Response::new_with_opt_js_u8_array_and_init(body, &init)
}

/// A handler's answer as the runtime sends it.
pub(super) async fn send(
    mut response: http::Response<Body>,
    request_id: RequestId,
    openai: bool,
    path: &str,
) -> Result<web_sys::Response, JsValue> {
    if let Some(error) = response.extensions_mut().remove::<Problem>() {
        return problem(&error, request_id, openai);
    }
    if let Some(error) = routing_problem(&response, path) {
        let answer = problem(&error, request_id, openai)?;
        if let Some(allow) = response.headers().get(header::ALLOW).and_then(|allow| allow.to_str().ok()) {
            answer.headers().set("allow", allow)?;
        }
        return Ok(answer);
    }
    let headers = stamp(request_id)?;
    for (name, value) in response.headers() {
        if let Ok(value) = value.to_str() {
            headers.set(name.as_str(), value)?;
        }
    }
    if !response.headers().contains_key(header::CACHE_CONTROL) {
        headers.set("cache-control", "no-store")?;
    }
    let status = response.status().as_u16();
    if let Some(Streamed(stream)) = response.extensions_mut().remove::<Streamed>() {
        let init = ResponseInit::new();
        init.set_status(status);
        init.set_headers(&headers);
        return web_sys::Response::new_with_opt_readable_stream_and_init(Some(&stream.0), &init);
    }
    let body = whole(response.into_body()).await;
    let body = (!body.is_empty()).then(|| Uint8Array::from(body.as_slice()));
    respond(status, &headers, body.as_ref())
}

/// What OpenAI has and Tollgate has not, said to whose kit asks for it: many mean the first unless they are told otherwise.
fn not_offered(path: &str) -> Option<Problem> {
    let path = path.split('?').next().unwrap_or(path).trim_end_matches('/');
    let detail = match path {
        "/v1/responses" => {
            "The Responses API is not offered; POST /v1/chat/completions is. Kits have a switch for it: see /api/docs#kits."
        }
        "/v1/embeddings" => "There are no embeddings here; POST /v1/chat/completions is what is offered.",
        "/v1/completions" => "Plain completions are not offered; POST /v1/chat/completions is.",
        _ => return None,
    };
    Some(Problem::new(Code::NotFound, detail))
}

/// What axum itself answers, as a problem: no route, no such method, a path that cannot be read. Handlers' answers carry a
/// content type of ours.
fn routing_problem(response: &http::Response<Body>, path: &str) -> Option<Problem> {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    if content_type.is_some_and(|content_type| !content_type.as_bytes().starts_with(b"text/plain")) {
        return None;
    }
    match response.status() {
        StatusCode::NOT_FOUND => Some(not_offered(path).unwrap_or_else(|| Problem::not_found("address"))),
        StatusCode::METHOD_NOT_ALLOWED => {
            Some(Problem::new(Code::MethodNotAllowed, "This address exists, but not with this method."))
        }
        StatusCode::BAD_REQUEST => Some(Problem::new(Code::BadRequest, "The address cannot be read.")),
        status if status.is_server_error() => Some(Problem::internal()),
        _ => None,
    }
}
