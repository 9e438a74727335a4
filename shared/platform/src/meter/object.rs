//! A call of a Durable Object by name.

use js_sys::{Function, Promise, Reflect, Uint8Array};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{RequestInit, Response};

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
    let body = serde_json::to_vec(request).map_err(|error| JsValue::from_str(&error.to_string()))?;
    let namespace = Reflect::get(env, &JsValue::from_str(binding))?;
    let by_name: Function = Reflect::get(&namespace, &JsValue::from_str("getByName"))?.dyn_into()?;
    let stub = by_name.call1(&namespace, &JsValue::from_str(name))?;
    let fetch: Function = Reflect::get(&stub, &JsValue::from_str("fetch"))?.dyn_into()?;
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(&Uint8Array::from(body.as_slice()));
    let promise: Promise = fetch.call2(&stub, &JsValue::from_str("https://object/"), &init)?.dyn_into()?;
    let response: Response = JsFuture::from(promise).await?.unchecked_into();
    let buffer = JsFuture::from(response.array_buffer()?).await?;
    let bytes = Uint8Array::new(&buffer).to_vec();
    serde_json::from_slice(&bytes).map_err(|error| JsValue::from_str(&error.to_string()))
}
