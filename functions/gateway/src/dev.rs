//! `GET /__dev/cost/{request_id}`, local only: what a request cost, added up over the functions it touched.

use tollgate_domain::id::RequestId;
use tollgate_platform::{Code, Problem, cost::Counts, http};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;
use worker::Env;

use crate::{forward, health, routes::bindings};

/// Asks every function what it remembers.
pub async fn cost(env: &Env, id: &str, request_id: RequestId) -> Result<Response, JsValue> {
    // Parsed, so that nothing but an id goes into the inner address.
    let Ok(id) = id.parse::<RequestId>() else {
        return http::problem(&Problem::new(Code::BadRequest, "This is not a request id."), request_id, false);
    };
    let mut total: Option<Counts> = None;
    for binding in bindings() {
        let url = JsValue::from_str(&format!("https://function/__dev/cost/{id}"));
        let response = forward::fetch(env, binding, &url).await?;
        if response.status() == 200 {
            let text = JsFuture::from(response.text()?).await?.as_string().unwrap_or_default();
            let counts: Counts = serde_json::from_str(&text).unwrap_or_default();
            total = Some(total.unwrap_or_default().plus(counts));
        }
    }
    match total {
        Some(counts) => health::json(200, &serde_json::to_string(&counts).unwrap_or_default(), request_id),
        None => http::problem(&Problem::not_found("request, or it was long ago"), request_id, false),
    }
}
