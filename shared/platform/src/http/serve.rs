//! The bridge: the runtime's request in, axum's router, the runtime's answer out.

use std::{cell::RefCell, rc::Rc, thread::LocalKey};

use axum::{Router, body::Body};
use tollgate_api::Problem;
use tollgate_domain::id::RequestId;
use tower_service::Service;
use wasm_bindgen::JsValue;
use worker::{Context, Env};

use super::{Scope, ready, respond};
use crate::{clock, cost, random, settings::Settings};

/// Where a function keeps its router: built once per isolate.
pub type RouterCell = LocalKey<RefCell<Option<Router>>>;

/// Serves one request with a function's router.
///
/// # Errors
/// What the runtime says when it cannot make an answer; the Worker then answers a bare 500.
pub async fn serve(
    request: web_sys::Request,
    env: Env,
    context: Context,
    routers: &'static RouterCell,
    build: fn() -> Router,
) -> worker::Result<web_sys::Response> {
    let settings = Settings::of(&env);
    let url = request.url();
    let path_and_query = path_of(&url);
    if settings.is_local()
        && let Some(id) = path_and_query.strip_prefix("/__dev/cost/")
    {
        return Ok(recalled_cost(id)?);
    }
    // Reached by the gateway only: it answers this address itself.
    if path_and_query == "/health/ready" {
        return Ok(readiness(&env).await?);
    }
    // No clock but this one; the entropy of a request id need not be secret, so a failure to draw it is not fatal.
    let request_id = RequestId::new(clock::now(&settings), random::entropy().unwrap_or_default());
    let cost = Rc::new(cost::Cost::default());
    if settings.is_local() {
        cost::remember(request_id.to_string(), Rc::clone(&cost));
    }
    let openai = path_and_query.trim_start_matches('/').starts_with("v1/");
    let path = path_and_query.to_owned();
    let Ok(mut call) =
        http::Request::builder().method(request.method().as_str()).uri(path_and_query).body(Body::empty())
    else {
        let unreadable = Problem::new(tollgate_api::Code::BadRequest, "The address cannot be read.");
        return Ok(respond::problem(&unreadable, request_id, openai)?);
    };
    let scope = Scope::new(request, env, context, settings, request_id, cost);
    call.extensions_mut().insert(scope);
    let mut router = routers.with_borrow_mut(|router| router.get_or_insert_with(build).clone());
    let response = match router.call(call).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    Ok(respond::send(response, request_id, openai, &path).await?)
}

/// The part of an absolute URL from the path on.
pub(super) fn path_of(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    url.get(after_scheme..).and_then(|rest| rest.find('/').map(|at| &rest[at..])).unwrap_or("/")
}

fn recalled_cost(id: &str) -> Result<web_sys::Response, JsValue> {
    match cost::recall(id) {
        Some(counts) => plain(200, &serde_json::to_string(&counts).unwrap_or_default()),
        None => plain(404, ""),
    }
}

async fn readiness(env: &Env) -> Result<web_sys::Response, JsValue> {
    match ready::failing_store(env).await {
        None => plain(200, "ready"),
        Some(failing) => plain(503, &failing),
    }
}

/// An answer to the gateway, not to a client.
fn plain(status: u16, body: &str) -> Result<web_sys::Response, JsValue> {
    let init = web_sys::ResponseInit::new();
    init.set_status(status);
    web_sys::Response::new_with_opt_str_and_init(Some(body), &init)
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn the_path_is_cut_from_the_url() {
        assert_eq!(path_of("http://127.0.0.1:8787/a/b?c=d"), "/a/b?c=d");
        assert_eq!(path_of("https://example.com"), "/");
        assert_eq!(path_of("https://example.com/"), "/");
    }
}
