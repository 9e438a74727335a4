//! `GET /health`, `GET /health/ready`

use serde::Serialize;
use tollgate_domain::id::RequestId;
use tollgate_platform::http::stamp;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Response, ResponseInit};
use worker::Env;

use crate::{forward, routes::bindings};

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    /// Every function, and what it says of its stores.
    functions: Vec<Check>,
}

#[derive(Serialize)]
struct Check {
    name: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

/// 200 as long as the gateway lives.
pub fn alive(request_id: RequestId) -> Result<Response, JsValue> {
    json(200, r#"{"status":"ok"}"#, request_id)
}

/// 200 when every function and its stores answer, 503 with the name of what does not.
pub async fn ready(env: &Env, request_id: RequestId) -> Result<Response, JsValue> {
    let mut functions = Vec::new();
    for binding in bindings().chain(["METER_FN"]) {
        functions.push(check(env, binding).await);
    }
    let ok = functions.iter().all(|check| check.ok);
    let body =
        serde_json::to_string(&Ready { status: if ok { "ready" } else { "not_ready" }, functions }).unwrap_or_default();
    json(if ok { 200 } else { 503 }, &body, request_id)
}

async fn check(env: &Env, binding: &str) -> Check {
    let name = binding.trim_end_matches("_FN").to_ascii_lowercase().replace('_', "-");
    let failed = match ask(env, binding).await {
        Ok((200, _)) => None,
        Ok((_, said)) => Some(said),
        Err(_) => Some("the function does not answer".to_owned()),
    };
    Check { name, ok: failed.is_none(), failed }
}

async fn ask(env: &Env, binding: &str) -> Result<(u16, String), JsValue> {
    let response = forward::fetch(env, binding, &JsValue::from_str("https://function/health/ready")).await?;
    let text = JsFuture::from(response.text()?).await?;
    Ok((response.status(), text.as_string().unwrap_or_default()))
}

/// A small JSON answer of the gateway itself.
pub fn json(status: u16, body: &str, request_id: RequestId) -> Result<Response, JsValue> {
    let headers = stamp(request_id)?;
    headers.set("content-type", "application/json")?;
    headers.set("cache-control", "no-store")?;
    let init = ResponseInit::new();
    init.set_status(status);
    init.set_headers(&headers);
    Response::new_with_opt_str_and_init(Some(body), &init)
}
