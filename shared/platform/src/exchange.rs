//! Questions to parties that are not trusted with anything: a small answer in a short time, and no redirects. A redirect
//! would lead from an address that was checked to one that was not.

use std::time::Duration;

use futures::future::{Either, select};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Headers, ReadableStreamDefaultReader, RequestInit, RequestRedirect, Response};
use worker::Delay;

use crate::{Scope, outgoing::Unreachable};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = fetch, catch)]
    fn global_fetch(url: &str, init: &RequestInit) -> Result<js_sys::Promise, JsValue>;
}

/// The largest answer that is read.
const MAX_BYTES: usize = 256 * 1024;

/// How long the other party may take for all of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Where to.
    pub url: &'a str,
    /// Its headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// A form: then it is a POST; else a GET.
    pub form: Option<&'a [(&'a str, &'a str)]>,
}

/// Asks, and answers status and body. A redirect is an answer with its status.
///
/// # Errors
/// When the other party cannot be reached, is too slow, or says too much.
pub async fn ask(scope: &Scope, question: &Question<'_>) -> Result<(u16, Vec<u8>), Unreachable> {
    scope.cost().fetch();
    let abort = AbortController::new()?;
    let init = RequestInit::new();
    init.set_redirect(RequestRedirect::Manual);
    init.set_signal(Some(&abort.signal()));
    let headers = Headers::new()?;
    headers.set("accept", "application/json")?;
    for (name, value) in question.headers {
        headers.set(name, value)?;
    }
    if let Some(members) = question.form {
        init.set_method("POST");
        headers.set("content-type", "application/x-www-form-urlencoded")?;
        init.set_body(&Uint8Array::from(form(members).as_bytes()));
    }
    init.set_headers(&headers);
    let answer = Box::pin(answer(question.url, &init));
    match select(answer, Delay::from(PATIENCE)).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => {
            abort.abort();
            Err(Unreachable("it took too long".to_owned()))
        }
    }
}

async fn answer(url: &str, init: &RequestInit) -> Result<(u16, Vec<u8>), Unreachable> {
    let response: Response = JsFuture::from(global_fetch(url, init)?).await?.unchecked_into();
    let mut body = Vec::new();
    if let Some(stream) = response.body() {
        let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
        while let Some(piece) = crate::http::read_piece(&reader).await? {
            if body.len() + piece.len() > MAX_BYTES {
                // Nobody waits for the rest.
                drop(reader.cancel());
                return Err(Unreachable(format!("it answered more than {MAX_BYTES} bytes")));
            }
            body.extend_from_slice(&piece);
        }
    }
    Ok((response.status(), body))
}

/// Members as `application/x-www-form-urlencoded`, and as a query: blanks are `%20`, which both read.
pub fn form(members: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| format!("{}={}", encoded(name), encoded(value));
    members.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// A text as a part of a query. Everything but RFC 3986's unreserved characters is percent-encoded.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            encoded.push('%');
            encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
            encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::form;

    #[test]
    fn what_means_something_in_a_query_is_encoded() {
        assert_eq!(form(&[("a", "b c&d=e"), ("ü", "~+/")]), "a=b%20c%26d%3De&%C3%BC=~%2B%2F");
        assert_eq!(form(&[]), "");
    }
}
