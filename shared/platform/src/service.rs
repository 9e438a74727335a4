//! Calling another function over its service binding. Nobody else can: only the gateway has an address.

use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, RequestInit, Response};

use crate::Scope;

/// What is handed on of the request, so that the other function's log names the same client.
const HANDED_ON: [&str; 2] = ["user-agent", "cf-connecting-ip"];

/// Posts JSON to a path of the function behind a binding; answers status and body.
///
/// # Errors
/// When the function does not answer.
pub async fn post(scope: &Scope, binding: &str, path: &str, body: &str) -> Result<(u16, Vec<u8>), JsValue> {
    let service = Reflect::get(scope.env(), &JsValue::from_str(binding))?;
    let fetch: Function = Reflect::get(&service, &JsValue::from_str("fetch"))?.dyn_into()?;
    let headers = Headers::new()?;
    headers.set("content-type", "application/json")?;
    for name in HANDED_ON {
        if let Some(value) = scope.header(name) {
            headers.set(name, &value)?;
        }
    }
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    init.set_body(&Uint8Array::from(body.as_bytes()));
    let url = JsValue::from_str(&format!("https://function{path}"));
    let promise: Promise = fetch.call2(&service, &url, &init)?.dyn_into()?;
    let response: Response = JsFuture::from(promise).await?.dyn_into()?;
    let buffer = JsFuture::from(response.array_buffer()?).await?;
    Ok((response.status(), Uint8Array::new(&buffer).to_vec()))
}
