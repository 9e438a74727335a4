//! What belongs to one request.

use std::rc::Rc;

use axum::extract::FromRequestParts;
use futures::channel::oneshot;
use http::request::Parts;
use tollgate_api::{Code, FieldError, Problem};
use tollgate_domain::{id::RequestId, time::Timestamp};
use worker::{Context, Env, send::SendWrapper};

use super::serve::path_of;
use crate::{clock, cost::Cost, settings::Settings};

/// One request with its environment: cheap to clone, and an axum extractor.
#[derive(Clone, Debug)]
pub struct Scope(SendWrapper<Rc<Inner>>);

#[derive(Debug)]
struct Inner {
    request: web_sys::Request,
    env: Env,
    /// None in the background, where everything is waited for.
    context: Option<Context>,
    settings: Rc<Settings>,
    request_id: RequestId,
    cost: Rc<Cost>,
}

impl Scope {
    pub(crate) fn new(
        request: web_sys::Request,
        env: Env,
        context: Context,
        settings: Rc<Settings>,
        request_id: RequestId,
        cost: Rc<Cost>,
    ) -> Self {
        let context = Some(context);
        Self(SendWrapper::new(Rc::new(Inner { request, env, context, settings, request_id, cost })))
    }

    /// For work that no request caused: a queue's message, a schedule. It has an id of its own for the log.
    ///
    /// # Errors
    /// When the runtime cannot make an empty request.
    pub fn background(env: Env) -> Result<Self, wasm_bindgen::JsValue> {
        let settings = Settings::of(&env);
        let request_id = RequestId::new(clock::now(&settings), crate::random::entropy().unwrap_or_default());
        let request = web_sys::Request::new_with_str("https://background/")?;
        let cost = Rc::new(Cost::default());
        Ok(Self(SendWrapper::new(Rc::new(Inner { request, env, context: None, settings, request_id, cost }))))
    }

    /// The request as the runtime gave it.
    pub fn request(&self) -> &web_sys::Request {
        &self.0.request
    }

    /// The path that was asked for, without its query.
    pub fn path(&self) -> String {
        let url = self.0.request.url();
        path_of(&url).split('?').next().unwrap_or_default().to_owned()
    }

    /// The bindings.
    pub fn env(&self) -> &Env {
        &self.0.env
    }

    /// Shared settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The id in `X-Request-Id` and in the log.
    pub fn request_id(&self) -> RequestId {
        self.0.request_id
    }

    /// Where costs are counted.
    pub fn cost(&self) -> &Cost {
        &self.0.cost
    }

    /// The instant.
    pub fn now(&self) -> Timestamp {
        clock::now(self.settings())
    }

    /// A header's value; several of one name come joined by a comma.
    pub fn header(&self, name: &str) -> Option<String> {
        self.0.request.headers().get(name).ok().flatten()
    }

    /// Whether the client broke the line before the answer began. (While an answer is streamed, only a write tells.)
    pub fn client_is_gone(&self) -> bool {
        self.0.request.signal().aborted()
    }

    /// Goes on with work after the answer has left. The runtime gives it up to thirty seconds.
    pub fn wait_until(&self, work: impl Future<Output = ()> + 'static) {
        match &self.0.context {
            Some(context) => context.wait_until(work),
            None => wasm_bindgen_futures::spawn_local(work),
        }
    }

    /// Does work that goes on when the client breaks the line: a connection that is reset ends the request, and with it
    /// everything that is not waited for in this way.
    ///
    /// # Errors
    /// When the runtime ends the work.
    pub async fn outlive<T: 'static>(&self, work: impl Future<Output = T> + 'static) -> Result<T, Problem> {
        let (sender, receiver) = oneshot::channel();
        self.wait_until(async move {
            // Nobody waits any more: the work is done all the same.
            let _ = sender.send(work.await);
        });
        receiver.await.map_err(|_| Problem::internal())
    }

    /// The client's `Idempotency-Key`.
    ///
    /// # Errors
    /// 400 when it is longer than 255 characters or not printable ASCII.
    pub fn idempotency_key(&self) -> Result<Option<String>, Problem> {
        match self.header("idempotency-key") {
            None => Ok(None),
            Some(key) if !key.is_empty() && key.len() <= 255 && key.bytes().all(|b| (0x20..0x7f).contains(&b)) => {
                Ok(Some(key))
            }
            Some(_) => Err(Problem {
                errors: vec![FieldError::new("Idempotency-Key", "must have 1 to 255 printable ASCII characters")],
                ..Problem::new(Code::BadRequest, "Idempotency-Key must have 1 to 255 printable ASCII characters.")
            }),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Scope {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Put there by `serve` for every request.
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}
