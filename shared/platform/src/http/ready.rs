//! `GET /health/ready` inside a function: do its stores answer?

use js_sys::Reflect;
use wasm_bindgen::JsValue;
use worker::Env;

/// What does not answer; `None` when all is well.
pub(super) async fn failing_store(env: &Env) -> Option<String> {
    for index in 0.. {
        let binding = format!("DB_{index}");
        let bound = Reflect::get(env, &JsValue::from_str(&binding)).is_ok_and(|value| !value.is_undefined());
        if !bound {
            return None;
        }
        let answered = match env.d1(&binding) {
            Ok(d1) => d1.prepare("SELECT count(*) FROM tenants LIMIT 1").all().await.is_ok(),
            Err(_) => false,
        };
        if !answered {
            return Some(format!("the database {binding} does not answer"));
        }
    }
    None
}
