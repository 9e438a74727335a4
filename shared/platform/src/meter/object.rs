//! A call of a Durable Object by name.

use js_sys::{Function, Promise, Reflect, Uint8Array};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{RequestInit, Response};

use crate::{Scope, cost::Counts};

/// What an object's answer tells in the local environment: rows its SQLite read and wrote for the call, `12 3`.
pub const ROWS_HEADER: &str = "x-tollgate-rows";

/// Straight through JavaScript's `env.BINDING.getByName(name).fetch(…)`: the wrapper types check and convert what
/// is known here, and this is the hot path.
///
/// # Errors
/// What the runtime says when the object cannot be reached, or does not answer what was asked.
pub async fn call<Q: Serialize, R: DeserializeOwned>(
    env: &JsValue,
    binding: &str,
    name: &str,
    request: &Q,
) -> Result<R, JsValue> {
    let response = send(env, binding, name, request).await?;
    read(&response).await
}

/// The same on behalf of a request, which pays for it.
///
/// # Errors
/// As above.
pub async fn call_for<Q: Serialize, R: DeserializeOwned>(
    scope: &Scope,
    binding: &str,
    name: &str,
    request: &Q,
) -> Result<R, JsValue> {
    scope.cost().durable_object_call();
    let response = send(scope.env(), binding, name, request).await?;
    if scope.settings().is_local()
        && let Some(rows) = response.headers().get(ROWS_HEADER)?
    {
        let mut counts = rows.split(' ').map(|count| count.parse().unwrap_or(0));
        let mut next = || counts.next().unwrap_or(0);
        scope.cost().add(Counts { meter_rows_read: next(), meter_rows_written: next(), ..Counts::default() });
    }
    read(&response).await
}

async fn send<Q: Serialize>(env: &JsValue, binding: &str, name: &str, request: &Q) -> Result<Response, JsValue> {
    let body = serde_json::to_vec(request).map_err(|error| JsValue::from_str(&error.to_string()))?;
    let namespace = Reflect::get(env, &JsValue::from_str(binding))?;
    let by_name: Function = Reflect::get(&namespace, &JsValue::from_str("getByName"))?.dyn_into()?;
    let stub = by_name.call1(&namespace, &JsValue::from_str(name))?;
    let fetch: Function = Reflect::get(&stub, &JsValue::from_str("fetch"))?.dyn_into()?;
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(&Uint8Array::from(body.as_slice()));
    let promise: Promise = fetch.call2(&stub, &JsValue::from_str("https://object/"), &init)?.dyn_into()?;
    Ok(JsFuture::from(promise).await?.unchecked_into())
}

async fn read<R: DeserializeOwned>(response: &Response) -> Result<R, JsValue> {
    let buffer = JsFuture::from(response.array_buffer()?).await?;
    let bytes = Uint8Array::new(&buffer).to_vec();
    serde_json::from_slice(&bytes).map_err(|error| JsValue::from_str(&error.to_string()))
}
