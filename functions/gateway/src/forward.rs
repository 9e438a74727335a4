//! Handing a request to a function.

use js_sys::{Function, Promise, Reflect};
use tollgate_platform::{Problem, log};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Request, Response};
use worker::Env;

/// Calls the `fetch` of a service binding.
pub async fn fetch(env: &Env, binding: &str, request: &JsValue) -> Result<Response, JsValue> {
    let service = Reflect::get(env, &JsValue::from_str(binding))?;
    let fetch: Function = Reflect::get(&service, &JsValue::from_str("fetch"))?.dyn_into()?;
    let promise: Promise = fetch.call1(&service, request)?.dyn_into()?;
    JsFuture::from(promise).await?.dyn_into()
}

/// The function's answer, as it is.
pub async fn to(env: &Env, binding: &'static str, request: &Request) -> Result<Response, Problem> {
    fetch(env, binding, request).await.map_err(|error| {
        log::error("gateway", &format!("{binding}: {error:?}"), None);
        Problem::dependency(binding)
    })
}
