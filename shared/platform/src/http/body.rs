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

/// A JSON body as bytes, of at most `LIMIT` bytes, for handlers that parse it themselves.
#[derive(Debug)]
pub struct RawBody<const LIMIT: usize>(pub Bytes);

impl<S: Sync, const LIMIT: usize> FromRequest<S> for RawBody<LIMIT> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let scope = request.extensions().get::<Scope>().cloned().ok_or_else(Problem::internal)?;
        drop(request);
        require_json(&scope)?;
        read_bounded(&scope, LIMIT).into_send().await.map(Self)
    }
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
    let declared = scope.header("content-length").and_then(|length| length.parse::<usize>().ok());
    match declared {
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
