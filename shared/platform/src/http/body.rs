//! Reading a request's body: bounded, and with a problem that says what is wrong.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use futures::future::{Either, select};
use js_sys::Uint8Array;
use serde::de::DeserializeOwned;
use tollgate_api::{Code, Problem, Validate, input};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::ReadableStreamDefaultReader;
use worker::{Delay, send::IntoSendFuture};

use super::Scope;

/// The largest body of an ordinary call.
const MAX_JSON_BYTES: usize = 256 * 1024;

/// A JSON body, read and checked.
///
/// 415 when it is not declared as JSON, 413 above 256 KiB, 400 when it is not JSON, 422 with the field otherwise.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<S: Sync, T: DeserializeOwned + Validate> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let scope = request.extensions().get::<Scope>().cloned().ok_or_else(Problem::internal)?;
        drop(request);
        require_json(&scope)?;
        let body = read_bounded(&scope, MAX_JSON_BYTES).into_send().await?;
        input::from_json(&body).map(Self)
    }
}

/// Until it is proven who asks, no more of a body than this is read: anybody can make a key up whose checksum fits.
pub const UNPROVEN_BYTES: usize = 64 * 1024;

/// Reads a JSON body of at most `limit` bytes. Of one that is larger than [`UNPROVEN_BYTES`] the rest is read once `prove`
/// says that whoever asks is somebody.
///
/// # Errors
/// As [`read_bounded`], and what `prove` has to say.
pub async fn read_proven(
    scope: &Scope,
    limit: usize,
    prove: impl AsyncFnOnce() -> Result<(), Problem>,
) -> Result<Bytes, Problem> {
    require_json(scope)?;
    match declared_length(scope) {
        Some(length) if length <= UNPROVEN_BYTES => read_whole(scope).await,
        Some(_) => {
            prove().await?;
            let _place = Place::take(limit).await?;
            read_bounded(scope, limit).await
        }
        None => {
            let Some(reader) = reader(scope) else {
                return Ok(Bytes::new());
            };
            let (mut body, mut prove) = (Vec::new(), Some(prove));
            let mut place = None;
            while let Some(piece) = super::pump::read(&reader).await.map_err(|error| broken(&error))? {
                if body.len() + piece.len() > UNPROVEN_BYTES
                    && let Some(prove) = prove.take()
                {
                    prove().await?;
                    place = Some(Place::take(limit).await?);
                }
                if body.len() + piece.len() > limit {
                    discard(&reader).await;
                    return Err(too_large(limit));
                }
                body.extend_from_slice(&piece);
            }
            drop(place);
            Ok(body.into())
        }
    }
}

/// How many large bodies are read at the same time: an edge Worker has 128 MB, and each becomes several times its size
/// while it is read, understood and sent on.
const MOST_AT_ONCE: usize = 3;

/// How long a large body waits for its turn.
const TURN: Duration = Duration::from_millis(50);
const TURNS: u32 = 200;

thread_local! {
    static READING: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

/// One of the places for large bodies, while it is read.
struct Place;

impl Place {
    async fn take(limit: usize) -> Result<Self, Problem> {
        for _ in 0..TURNS {
            if READING.get() < MOST_AT_ONCE {
                READING.set(READING.get() + 1);
                return Ok(Self);
            }
            Delay::from(TURN).await;
        }
        Err(Problem {
            retry_after_seconds: Some(5),
            ..Problem::new(
                Code::RateLimited,
                format!(
                    "Too many bodies of up to {limit} bytes are being read at the moment. Try again in some seconds."
                ),
            )
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        READING.set(READING.get().saturating_sub(1));
    }
}

fn declared_length(scope: &Scope) -> Option<usize> {
    scope.header("content-length").and_then(|length| length.parse::<usize>().ok())
}

fn require_json(scope: &Scope) -> Result<(), Problem> {
    let declared = scope.header("content-type").unwrap_or_default();
    let media_type = declared.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") || media_type.to_ascii_lowercase().ends_with("+json") {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "Send the body as JSON, with `Content-Type: application/json`."))
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Code::PayloadTooLarge, format!("The body may have at most {limit} bytes."))
}

/// How much of a body that is too large is read and thrown away before the answer: the runtime closes the line with the
/// answer, and a client that is still sending would see a broken line instead of the 413.
const MAX_DISCARDED_BYTES: usize = 32 * 1024 * 1024;

/// How long such a client may pause.
const DISCARD_PATIENCE: Duration = Duration::from_secs(1);

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// 413 when it is larger, whether it said so in advance or not; 400 when it breaks off.
pub async fn read_bounded(scope: &Scope, limit: usize) -> Result<Bytes, Problem> {
    match declared_length(scope) {
        // The declared length is enforced by the runtime: one read will do.
        Some(length) if length <= limit => read_whole(scope).await,
        Some(_) => {
            if let Some(reader) = reader(scope) {
                discard(&reader).await;
            }
            Err(too_large(limit))
        }
        None => read_in_pieces(scope, limit).await,
    }
}

fn broken(error: &JsValue) -> Problem {
    crate::log::warn("body", &format!("{error:?}"), None);
    Problem::new(Code::BadRequest, "The body broke off before its end.")
}

async fn read_whole(scope: &Scope) -> Result<Bytes, Problem> {
    let promise = scope.request().array_buffer().map_err(|error| broken(&error))?;
    let buffer = JsFuture::from(promise).await.map_err(|error| broken(&error))?;
    Ok(Uint8Array::new(&buffer).to_vec().into())
}

fn reader(scope: &Scope) -> Option<ReadableStreamDefaultReader> {
    scope.request().body().map(|stream| stream.get_reader().unchecked_into())
}

async fn read_in_pieces(scope: &Scope, limit: usize) -> Result<Bytes, Problem> {
    let Some(reader) = reader(scope) else {
        return Ok(Bytes::new());
    };
    let mut body = Vec::new();
    while let Some(piece) = super::pump::read(&reader).await.map_err(|error| broken(&error))? {
        if body.len() + piece.len() > limit {
            discard(&reader).await;
            return Err(too_large(limit));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.into())
}

async fn discard(reader: &ReadableStreamDefaultReader) {
    let mut length = 0;
    while length <= MAX_DISCARDED_BYTES {
        let read = Box::pin(super::pump::read(reader));
        match select(read, Delay::from(DISCARD_PATIENCE)).await {
            Either::Left((Ok(Some(piece)), _)) => length += piece.len(),
            _ => break,
        }
    }
}
