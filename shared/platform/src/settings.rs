//! What comes from the environment, read once per isolate.

use std::{cell::RefCell, rc::Rc};

use js_sys::Reflect;
use wasm_bindgen::JsValue;
use worker::Env;

/// Where this runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// On somebody's machine: `/__dev/*` exists and requests remember their cost.
    Local,
    /// Being measured: new users get the plan without limits, nothing else differs from production.
    Bench,
    /// For real.
    Production,
}

/// Settings that every function shares.
#[derive(Debug)]
pub struct Settings {
    /// Where this runs.
    pub environment: Environment,
    /// Shift of the clock; 0 in production whatever is set.
    pub clock_offset_ms: i64,
    /// The address clients use, without a slash at its end; empty when it is not set: then links are relative.
    pub public_url: String,
}

/// A setting's text; `None` when it is absent, empty, or no text.
pub fn text(env: &Env, name: &str) -> Option<String> {
    Reflect::get(env, &JsValue::from_str(name)).ok()?.as_string().filter(|text| !text.is_empty())
}

thread_local! {
    static SETTINGS: RefCell<Option<Rc<Settings>>> = const { RefCell::new(None) };
}

impl Settings {
    /// The settings of this isolate: its environment does not change while it lives.
    pub fn of(env: &Env) -> Rc<Self> {
        SETTINGS.with_borrow_mut(|known| Rc::clone(known.get_or_insert_with(|| Rc::new(Self::read(env)))))
    }

    fn read(env: &Env) -> Self {
        let environment = match text(env, "ENVIRONMENT").as_deref() {
            Some("local") => Environment::Local,
            Some("bench") => Environment::Bench,
            _ => Environment::Production,
        };
        let offset_seconds = match environment {
            Environment::Production => 0,
            _ => text(env, "CLOCK_OFFSET_SECONDS").and_then(|seconds| seconds.parse::<i64>().ok()).unwrap_or(0),
        };
        Self {
            environment,
            clock_offset_ms: offset_seconds.saturating_mul(1000),
            public_url: text(env, "PUBLIC_URL").map(|url| url.trim_end_matches('/').to_owned()).unwrap_or_default(),
        }
    }

    /// Whether `/__dev/*` exists.
    pub fn is_local(&self) -> bool {
        self.environment == Environment::Local
    }
}
