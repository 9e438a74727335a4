//! Reading a request's body: bounded, and with a problem that says what is wrong.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

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
use crate::clock;

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

/// A body that was read. A large one takes up one of the places there are for such until its [`Place`] is dropped, however the work
/// with it ends.
#[derive(Debug)]
pub struct ReadBody {
    /// What was sent.
    pub bytes: Bytes,
    /// The place it takes up, when it is larger than [`UNPROVEN_BYTES`]: to be kept as long as it, or what was made of it, is in
    /// memory.
    pub place: Option<Place>,
}

/// Reads a JSON body of at most `limit` bytes. Of one that is larger than [`UNPROVEN_BYTES`] the rest is read once `prove`
/// says that whoever asks is somebody, and once there is a place for it.
///
/// # Errors
/// As [`read_bounded`], what `prove` has to say, and 503 `too_busy` when no place gets free.
pub async fn read_proven(
    scope: &Scope,
    limit: usize,
    prove: impl AsyncFnOnce() -> Result<(), Problem>,
) -> Result<ReadBody, Problem> {
    require_json(scope)?;
    match declared_length(scope) {
        Some(length) if length <= UNPROVEN_BYTES => Ok(ReadBody { bytes: read_whole(scope).await?, place: None }),
        Some(length) => {
            prove().await?;
            // What is too large is not kept, so it takes no place.
            let place = if length <= limit { Some(Place::take().await?) } else { None };
            match select(Box::pin(read_bounded(scope, limit)), Delay::from(READ_WITHIN)).await {
                Either::Left((bytes, _)) => Ok(ReadBody { bytes: bytes?, place }),
                Either::Right(_) => Err(too_slow()),
            }
        }
        None => {
            let Some(reader) = reader(scope) else {
                return Ok(ReadBody { bytes: Bytes::new(), place: None });
            };
            let (mut body, mut prove) = (Vec::new(), Some(prove));
            let (mut place, mut until) = (None, None);
            loop {
                let read = Box::pin(super::pump::read(&reader));
                let piece = match &mut until {
                    None => read.await,
                    Some(until) => match select(read, until).await {
                        Either::Left((piece, _)) => piece,
                        Either::Right(_) => return Err(too_slow()),
                    },
                };
                let Some(piece) = piece.map_err(|error| broken(&error))? else { break };
                if body.len() + piece.len() > UNPROVEN_BYTES
                    && let Some(prove) = prove.take()
                {
                    prove().await?;
                    place = Some(Place::take().await?);
                    until = Some(Box::pin(Delay::from(READ_WITHIN)));
                }
                if body.len() + piece.len() > limit {
                    discard(&reader).await;
                    return Err(too_large(limit));
                }
                body.extend_from_slice(&piece);
            }
            Ok(ReadBody { bytes: body.into(), place })
        }
    }
}

/// How many large bodies there are at the same time: an edge Worker has 128 MB, and each of at most 8 MB becomes several times its
/// size while it is read, understood and sent on.
const MOST_AT_ONCE: usize = 3;

/// How long a large body waits for its turn: ten seconds, in which the ones before it are usually read and sent.
const TURN: Duration = Duration::from_millis(50);
const TURNS: u32 = 200;

/// How long a large body may take to arrive: who sends one drop by drop would keep a place from the others.
const READ_WITHIN: Duration = Duration::from_mins(1);

fn too_slow() -> Problem {
    Problem::new(Code::BadRequest, format!("A body of more than {UNPROVEN_BYTES} bytes must arrive within a minute."))
}

/// How long somebody who got no turn is asked to wait.
const RETRY_SECONDS: u64 = 5;

/// How long a place is taken at most. The runtime may end a request without a word, and what it was doing is never heard of again:
/// its place must not be lost with it.
const LONGEST_MS: i64 = 2 * 60 * 1_000;

thread_local! {
    /// The places that are taken: the number of each, and until when.
    static TAKEN: RefCell<Vec<(u64, i64)>> = const { RefCell::new(Vec::new()) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// One of the places for large bodies. It is free again when this is dropped.
#[derive(Debug)]
pub struct Place(u64);

impl Place {
    async fn take() -> Result<Self, Problem> {
        for _ in 0..TURNS {
            if let Some(place) = Self::free(clock::wall().as_millis()) {
                return Ok(place);
            }
            Delay::from(TURN).await;
        }
        Err(Problem {
            retry_after_seconds: Some(RETRY_SECONDS),
            ..Problem::new(
                Code::TooBusy,
                format!(
                    "Too many bodies of more than {UNPROVEN_BYTES} bytes are on their way at the moment; nothing was charged."
                ),
            )
        })
    }

    /// A place, if one is free.
    fn free(now: i64) -> Option<Self> {
        TAKEN.with_borrow_mut(|taken| {
            taken.retain(|(_, until)| *until > now);
            (taken.len() < MOST_AT_ONCE).then(|| {
                let number = NEXT.replace(NEXT.get().wrapping_add(1));
                taken.push((number, now.saturating_add(LONGEST_MS)));
                Self(number)
            })
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        TAKEN.with_borrow_mut(|taken| taken.retain(|(number, _)| *number != self.0));
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

#[cfg(test)]
mod tests {
    use super::{LONGEST_MS, MOST_AT_ONCE, Place};

    #[test]
    fn there_are_three_places_and_one_that_is_dropped_or_lost_is_free_again() {
        let mut taken: Vec<Place> = (0..MOST_AT_ONCE).filter_map(|_| Place::free(0)).collect();
        assert_eq!(taken.len(), MOST_AT_ONCE);
        assert!(Place::free(LONGEST_MS - 1).is_none());
        taken.pop();
        let again = Place::free(1);
        assert!(again.is_some() && Place::free(1).is_none());
        // Two were lost with their requests; what is dropped late frees no other's.
        std::mem::forget(taken.pop());
        let lost = taken.pop();
        let others: Vec<Place> = (0..MOST_AT_ONCE).filter_map(|_| Place::free(LONGEST_MS)).collect();
        assert_eq!(others.len(), 2, "the third was taken a millisecond later");
        drop(lost);
        assert!(Place::free(LONGEST_MS).is_none());
        drop((again, others));
        assert!(Place::free(LONGEST_MS).is_some());
    }
}
