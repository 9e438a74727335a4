//! Preflight requests (the Fetch standard, section 4.8). Tokens travel in a header and never in a cookie, so any origin may ask.

use tollgate_domain::id::RequestId;
use tollgate_platform::http::stamp;
use wasm_bindgen::JsValue;
use web_sys::{Request, Response, ResponseInit};

/// Answers `OPTIONS`.
pub fn preflight(request: &Request, request_id: RequestId) -> Result<Response, JsValue> {
    let headers = stamp(request_id)?;
    headers.set("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS")?;
    // Browsers do not take `*` for Authorization: the asked-for headers are named back.
    let asked = request.headers().get("access-control-request-headers").ok().flatten();
    headers.set(
        "access-control-allow-headers",
        asked.as_deref().unwrap_or("authorization, content-type, idempotency-key"),
    )?;
    headers.set("access-control-max-age", "86400")?;
    headers.set("vary", "Access-Control-Request-Headers")?;
    let init = ResponseInit::new();
    init.set_status(204);
    init.set_headers(&headers);
    Response::new_with_opt_str_and_init(None, &init)
}
