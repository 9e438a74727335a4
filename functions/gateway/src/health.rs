//! `GET /health`, `GET /health/ready`

use std::{cell::RefCell, time::Duration};

use futures::future::{Either, join_all, select};
use serde::Serialize;
use tollgate_domain::{id::RequestId, time::Timestamp};
use tollgate_platform::{clock, http::stamp};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Response, ResponseInit};
use worker::{Delay, Env};

use crate::{
    forward,
    look::{LOOK_MS, Look, Next, Outcome},
    routes::bindings,
};

/// How long a function may take to say that it is ready.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often somebody asks who waits for another's look.
const PAUSE: Duration = Duration::from_millis(50);

thread_local! {
    static LOOK: RefCell<Look> = RefCell::default();
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    /// When this was found out.
    as_of: Timestamp,
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

/// 200 when every function answers and its stores have the tables that it needs, 503 with the name of what is not ready.
/// The outcome of a look is the answer for some seconds, and one look is made at a time.
pub async fn ready(env: &Env, request_id: RequestId) -> Result<Response, JsValue> {
    let tries = u32::try_from(LOOK_MS).unwrap_or_default() / 50;
    for _ in 0..tries {
        match LOOK.with_borrow_mut(|look| look.next(clock::wall())) {
            Next::Answer(outcome) => return json(outcome.status, &outcome.body, request_id),
            Next::Begin => {
                let outcome = look(env).await;
                LOOK.with_borrow_mut(|look| look.ended(clock::wall(), outcome.clone()));
                return json(outcome.status, &outcome.body, request_id);
            }
            // A request cannot wait for what another one has begun: the runtime keeps them apart.
            Next::Wait => Delay::from(PAUSE).await,
        }
    }
    let unknown = r#"{"status":"not_ready","functions":[],"failed":"finding out takes too long"}"#;
    json(503, unknown, request_id)
}

async fn look(env: &Env) -> Outcome {
    let as_of = clock::wall();
    let functions = join_all(bindings().chain(["METER_FN"]).map(|binding| check(env, binding))).await;
    let ok = functions.iter().all(|check| check.ok);
    let status = if ok { "ready" } else { "not_ready" };
    let body = serde_json::to_string(&Ready { status, as_of, functions }).unwrap_or_default();
    Outcome { status: if ok { 200 } else { 503 }, body }
}

async fn check(env: &Env, binding: &str) -> Check {
    let name = binding.trim_end_matches("_FN").to_ascii_lowercase().replace('_', "-");
    let answer = Box::pin(ask(env, binding));
    let failed = match select(answer, Delay::from(PATIENCE)).await {
        Either::Left((Ok((200, _)), _)) => None,
        Either::Left((Ok((_, said)), _)) => Some(said),
        Either::Left((Err(_), _)) => Some("the function does not answer".to_owned()),
        Either::Right(_) => Some(format!("the function does not answer within {} s", PATIENCE.as_secs())),
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
