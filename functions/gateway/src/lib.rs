//! The only public entry: CORS, the table of functions, health, static assets.
//!
//! A request is handed on as it came and its answer as it is: what every answer carries (`X-Request-Id`, CORS) is put on
//! where it is made, so that nothing is copied on the way.

mod assets;
mod cors;
mod dev;
mod forward;
mod health;
mod look;
pub mod routes;

use tollgate_domain::id::RequestId;
use tollgate_platform::{Code, Problem, clock, http, random, settings::Settings};
use wasm_bindgen::JsValue;
use web_sys::{Request, Response};
use worker::{Context, Env, event};

use routes::{Target, target};

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    let url = request.url();
    let path = routes::path_of(&url);
    Ok(answer(&request, &env, path).await?)
}

async fn answer(request: &Request, env: &Env, path: &str) -> Result<Response, JsValue> {
    if request.method() == "OPTIONS" {
        return cors::preflight(request, own_request_id(env));
    }
    let target = target(path);
    let own = !matches!(target, Some(Target::Function(_) | Target::Dev(_)) | None);
    if own && !matches!(request.method().as_str(), "GET" | "HEAD") {
        let problem = Problem::new(Code::MethodNotAllowed, "This address exists, but not with this method.");
        let response = http::problem(&problem, own_request_id(env), false)?;
        response.headers().set("allow", "GET, HEAD")?;
        return Ok(response);
    }
    let outcome = match target {
        Some(Target::Function(binding)) => forward::to(env, binding, request).await,
        Some(Target::Health) => return health::alive(own_request_id(env)),
        Some(Target::Ready) => return health::ready(env, own_request_id(env)).await,
        Some(Target::Assets) => assets::serve(env, request, own_request_id(env)).await,
        Some(Target::Cost(id)) if Settings::of(env).is_local() => return dev::cost(env, id, own_request_id(env)).await,
        Some(Target::Dev(binding)) if Settings::of(env).is_local() => forward::to(env, binding, request).await,
        Some(Target::Cost(_) | Target::Dev(_)) | None => {
            Err(Problem::new(Code::NotFound, "There is no such address. GET /openapi.json lists them all."))
        }
    };
    match outcome {
        Ok(response) => Ok(response),
        Err(problem) => http::problem(&problem, own_request_id(env), is_openai(path)),
    }
}

/// Whether OpenAI's clients read the answer: below `/v1`, however many slashes stand before it.
fn is_openai(path: &str) -> bool {
    let path = path.trim_start_matches('/');
    path == "v1" || path.starts_with("v1/")
}

/// The id of an answer that the gateway makes itself.
fn own_request_id(env: &Env) -> RequestId {
    RequestId::new(clock::now(&Settings::of(env)), random::entropy().unwrap_or_default())
}
