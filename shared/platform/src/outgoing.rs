//! HTTP to other parties: the only place that calls out.
//!
//! What leaves carries credentials and people's words, so it goes where it was addressed and nowhere else: a redirect is not
//! followed, whoever sends it. Every answer is bounded in time and bytes: whoever answers is not trusted with ours.

use std::{cell::RefCell, time::Duration};

use futures::future::{Either, select};
use js_sys::{Promise, Uint8Array};
use tollgate_domain::time::Timestamp;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, AbortSignal, Headers, RequestInit, RequestRedirect, Response};
use worker::Delay;

use crate::{
    Scope, clock,
    http::{Place, Pump, fixed_length_pipe},
};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = fetch, catch)]
    fn global_fetch(url: &str, init: &RequestInit) -> Result<Promise, JsValue>;
}

/// The other party could not be reached, or broke off, or took too long.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unreachable {
    /// No answer, or half of one.
    #[error("{0}")]
    Broken(String),
    /// It did not answer within its time.
    #[error("it took longer than {0} s")]
    TooSlow(u64),
}

impl Unreachable {
    /// Why there is no answer.
    pub fn broken(reason: impl Into<String>) -> Self {
        Self::Broken(reason.into())
    }
}

impl From<JsValue> for Unreachable {
    fn from(error: JsValue) -> Self {
        let message = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
        Self::Broken(message.or_else(|| error.as_string()).unwrap_or_else(|| format!("{error:?}")))
    }
}

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// `GET`, `POST`, `DELETE`.
    pub method: &'a str,
    /// Where to.
    pub url: &'a str,
    /// The headers, credentials among them.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body, where there is one.
    pub body: Option<&'a str>,
}

/// How long the other party may take.
#[derive(Debug, Clone, Copy)]
pub enum Within {
    /// For the head of its answer. Whoever reads the body says how long that may take.
    Head(Duration),
    /// For the whole of its answer, from the call to the last byte.
    Whole(Duration),
}

/// An answer of another party, its body not read yet.
#[derive(Debug)]
pub struct Answer {
    response: Response,
    end: End,
}

/// How a call is ended before its time.
#[derive(Debug)]
enum End {
    /// By us. It costs a timer for each thing that is waited for.
    Controller(AbortController),
    /// By the runtime, so many seconds after the call. One timer, and none of ours.
    Deadline(AbortSignal, u64),
}

/// Sends a request and waits for the head of its answer, for as long as `patience`.
///
/// # Errors
/// When the other party cannot be reached, takes too long, or redirects; any other status is an answer.
pub async fn send(scope: &Scope, call: &Outgoing<'_>, patience: Duration) -> Result<Answer, Unreachable> {
    let init = head(call)?;
    if let Some(body) = call.body {
        init.set_body(&Uint8Array::from(body.as_bytes()));
    }
    fetch(scope, call.url, &init, Within::Head(patience)).await
}

/// A call without its body.
fn head(call: &Outgoing<'_>) -> Result<RequestInit, JsValue> {
    let init = RequestInit::new();
    init.set_method(call.method);
    init.set_redirect(RequestRedirect::Manual);
    let headers = Headers::new()?;
    for (name, value) in call.headers {
        headers.set(name, value)?;
    }
    init.set_headers(&headers);
    Ok(init)
}

/// As [`send`] with a body of its own that is large: it is handed over piece by piece, and with the last one it is out of memory and
/// its place is free for another. What is answered meanwhile is not waited with.
///
/// # Errors
/// As [`send`].
pub async fn send_large(
    scope: &Scope,
    call: &Outgoing<'_>,
    (body, place): (String, Option<Place>),
    within: Within,
) -> Result<Answer, Unreachable> {
    let init = head(call)?;
    let Some(place) = place else {
        init.set_body(&Uint8Array::from(body.as_bytes()));
        return fetch(scope, call.url, &init, within).await;
    };
    let (pump, readable) = fixed_length_pipe(body.len())?;
    init.set_body(&readable);
    // When the call is given up or refused, writing fails and this ends, too.
    scope.wait_until(hand_over(body, pump, place));
    fetch(scope, call.url, &init, within).await
}

/// What is handed over at once.
const PIECE: usize = 64 * 1024;

async fn hand_over(body: String, mut pump: Pump, place: Place) {
    let mut at = 0;
    while at < body.len() && !pump.is_gone() {
        let end = body.ceil_char_boundary((at + PIECE).min(body.len()));
        pump.write(&body[at..end]).await;
        at = end;
    }
    pump.close().await;
    drop(place);
}

async fn fetch(scope: &Scope, url: &str, init: &RequestInit, within: Within) -> Result<Answer, Unreachable> {
    scope.cost().fetch();
    let answer = match within {
        Within::Head(patience) => {
            let abort = AbortController::new()?;
            init.set_signal(Some(&abort.signal()));
            let head = JsFuture::from(global_fetch(url, init)?);
            match select(head, Delay::from(patience)).await {
                Either::Left((response, _)) => {
                    Answer { response: response?.unchecked_into(), end: End::Controller(abort) }
                }
                Either::Right(_) => {
                    abort.abort();
                    return Err(Unreachable::TooSlow(patience.as_secs()));
                }
            }
        }
        Within::Whole(patience) => {
            let signal = AbortSignal::timeout_with_u32(u32::try_from(patience.as_millis()).unwrap_or(u32::MAX));
            init.set_signal(Some(&signal));
            let end = End::Deadline(signal, patience.as_secs());
            let response = JsFuture::from(global_fetch(url, init)?).await.map_err(|error| end.why(error.into()))?;
            Answer { response: response.unchecked_into(), end }
        }
    };
    let status = answer.status();
    if (300..400).contains(&status) && status != 304 {
        answer.give_up().await;
        return Err(Unreachable::broken(format!(
            "it answered a redirect ({status}), and what was sent is for the configured address alone"
        )));
    }
    Ok(answer)
}

impl End {
    /// Why nothing more came: where the time is over, that is the reason.
    fn why(&self, error: Unreachable) -> Unreachable {
        match self {
            Self::Deadline(signal, seconds) if signal.aborted() => Unreachable::TooSlow(*seconds),
            _ => error,
        }
    }
}

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.response.status()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<String> {
        self.response.headers().get(name).ok().flatten()
    }

    /// `Retry-After` in seconds, also where it is a date (RFC 9110, section 10.2.3); as it is where it is neither.
    pub fn retry_after(&self) -> Option<String> {
        let text = self.header("retry-after")?;
        let at = if text.trim_end().ends_with("GMT") { js_sys::Date::parse(&text) } else { f64::NAN };
        if !at.is_finite() {
            return Some(text);
        }
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 are far below 2^53")]
        let at = Timestamp::from_millis(at as i64);
        Some(at.seconds_since(clock::wall()).to_string())
    }

    /// The whole body, of at most `most` bytes, within `patience`; a call with a deadline for the whole has that one instead.
    ///
    /// # Errors
    /// When it breaks off, is longer, or takes longer.
    pub async fn bytes(&self, most: usize, patience: Duration) -> Result<Vec<u8>, Unreachable> {
        let reading = Box::pin(self.read(most));
        let End::Controller(abort) = &self.end else {
            return reading.await.map_err(|error| self.end.why(error));
        };
        match select(reading, Delay::from(patience)).await {
            Either::Left((read, _)) => read,
            Either::Right(_) => {
                abort.abort();
                Err(Unreachable::TooSlow(patience.as_secs()))
            }
        }
    }

    /// Nobody wants the rest.
    async fn give_up(&self) {
        match (&self.end, self.pieces()) {
            (End::Controller(abort), _) => abort.abort(),
            (End::Deadline(..), Some(pieces)) => pieces.cancel().await,
            (End::Deadline(..), None) => {}
        }
    }

    async fn read(&self, most: usize) -> Result<Vec<u8>, Unreachable> {
        // What it says of its length is enforced by the runtime, unless what is read is not what was sent.
        let declared = self.header("content-length").and_then(|length| length.parse::<usize>().ok());
        if declared.is_some_and(|length| length <= most) && self.header("content-encoding").is_none() {
            let buffer = JsFuture::from(self.response.array_buffer()?).await?;
            return Ok(Uint8Array::new(&buffer).to_vec());
        }
        let Some(pieces) = self.pieces() else {
            return Ok(Vec::new());
        };
        let mut body = Vec::new();
        while let Some(piece) = pieces.next().await? {
            if body.len() + piece.len() > most {
                pieces.cancel().await;
                return Err(Unreachable::broken(format!("it answered more than {most} bytes")));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// The body piece by piece; `None` when there is none.
    pub fn pieces(&self) -> Option<Pieces> {
        self.response
            .body()
            .map(|stream| Pieces { reader: stream.get_reader().unchecked_into(), reading: RefCell::default() })
    }
}

/// A body that is read as it comes.
#[derive(Debug)]
pub struct Pieces {
    reader: web_sys::ReadableStreamDefaultReader,
    /// A read that somebody began and did not wait for: its piece is the next one.
    reading: RefCell<Option<Promise>>,
}

impl Pieces {
    /// The next piece; `None` at the end. Whoever gives up waiting loses nothing: the next call has the piece.
    ///
    /// # Errors
    /// When the other party breaks off.
    pub async fn next(&self) -> Result<Option<Vec<u8>>, Unreachable> {
        let promise = self.reading.borrow_mut().get_or_insert_with(|| self.reader.read()).clone();
        let piece = JsFuture::from(promise).await;
        self.reading.take();
        Ok(crate::http::piece_of(&piece?)?)
    }

    /// Tells the other party that nobody wants the rest.
    pub async fn cancel(&self) {
        let _ = JsFuture::from(self.reader.cancel()).await;
    }
}
