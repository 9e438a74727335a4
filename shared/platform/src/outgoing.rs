//! HTTP to other parties.

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, Response};

use crate::Scope;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = fetch, catch)]
    fn global_fetch(url: &str, init: &RequestInit) -> Result<Promise, JsValue>;
}

/// The other party could not be reached, or broke off.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

impl From<JsValue> for Unreachable {
    fn from(error: JsValue) -> Self {
        let message = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
        Self(message.or_else(|| error.as_string()).unwrap_or_else(|| format!("{error:?}")))
    }
}

/// An answer of another party, its body not read yet.
#[derive(Debug)]
pub struct Answer(Response);

/// Sends a POST and waits for the head of its answer.
///
/// # Errors
/// When the other party cannot be reached; any status is an answer.
pub async fn post<'a>(
    scope: &Scope,
    url: &str,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: &str,
) -> Result<Answer, Unreachable> {
    let init = RequestInit::new();
    init.set_method("POST");
    let list = Headers::new()?;
    for (name, value) in headers {
        list.set(name, value)?;
    }
    init.set_headers(&list);
    init.set_body(&Uint8Array::from(body.as_bytes()));
    scope.cost().fetch();
    let response = JsFuture::from(global_fetch(url, &init)?).await?;
    Ok(Answer(response.unchecked_into()))
}

/// Sends any request and waits for the head of its answer; gives up after a time, the body's included.
///
/// # Errors
/// When the other party cannot be reached or takes too long; any status is an answer.
pub async fn send<'a>(
    scope: &Scope,
    method: &str,
    url: &str,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: Option<&str>,
    timeout_ms: u32,
) -> Result<Answer, Unreachable> {
    let init = RequestInit::new();
    init.set_method(method);
    let list = Headers::new()?;
    for (name, value) in headers {
        list.set(name, value)?;
    }
    init.set_headers(&list);
    if let Some(body) = body {
        init.set_body(&Uint8Array::from(body.as_bytes()));
    }
    init.set_signal(Some(&AbortSignal::timeout_with_u32(timeout_ms)));
    scope.cost().fetch();
    let response = JsFuture::from(global_fetch(url, &init)?).await?;
    Ok(Answer(response.unchecked_into()))
}

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.0.status()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<String> {
        self.0.headers().get(name).ok().flatten()
    }

    /// The whole body.
    ///
    /// # Errors
    /// When it breaks off.
    pub async fn bytes(&self) -> Result<Vec<u8>, Unreachable> {
        let buffer = JsFuture::from(self.0.array_buffer()?).await?;
        Ok(Uint8Array::new(&buffer).to_vec())
    }

    /// The body piece by piece; `None` when there is none.
    pub fn pieces(&self) -> Option<Pieces> {
        self.0.body().map(|stream| Pieces(stream.get_reader().unchecked_into()))
    }
}

/// A body that is read as it comes.
#[derive(Debug)]
pub struct Pieces(web_sys::ReadableStreamDefaultReader);

impl Pieces {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When the other party breaks off.
    pub async fn next(&self) -> Result<Option<Vec<u8>>, Unreachable> {
        Ok(crate::http::read_piece(&self.0).await?)
    }

    /// Tells the other party that nobody wants the rest.
    pub async fn cancel(&self) {
        let _ = JsFuture::from(self.0.cancel()).await;
    }
}
