//! The OpenAPI document and its page.

use tollgate_domain::id::RequestId;
use tollgate_platform::{Problem, http::stamp, log};
use wasm_bindgen::JsValue;
use web_sys::{Request, Response, ResponseInit};
use worker::Env;

use crate::forward::fetch;

/// The file behind the request's path, with what every answer of ours carries.
pub async fn serve(env: &Env, request: &Request, request_id: RequestId) -> Result<Response, Problem> {
    file(env, request, request_id).await.map_err(|error| {
        log::error("assets", &format!("{error:?}"), None);
        Problem::dependency("ASSETS")
    })
}

async fn file(env: &Env, request: &Request, request_id: RequestId) -> Result<Response, JsValue> {
    let found = fetch(env, "ASSETS", request).await?;
    let headers = stamp(request_id)?;
    for name in ["content-type", "etag", "cache-control", "location"] {
        if let Some(value) = found.headers().get(name)? {
            headers.set(name, &value)?;
        }
    }
    let init = ResponseInit::new();
    init.set_status(found.status());
    init.set_headers(&headers);
    Response::new_with_opt_readable_stream_and_init(found.body().as_ref(), &init)
}
