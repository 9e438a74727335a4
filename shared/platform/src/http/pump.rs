//! Streams: an answer that is written while it is made.

use js_sys::{Reflect, Uint8Array};
use std::time::Duration;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStream, ReadableStreamDefaultReader, WritableStream, WritableStreamDefaultWriter};
use worker::Delay;

#[wasm_bindgen]
extern "C" {
    /// The runtime's own byte stream: passed on without JavaScript, and a write to it fails once the reader is gone. The
    /// standard `TransformStream` does neither: its writer waits for ever.
    type IdentityTransformStream;

    #[wasm_bindgen(constructor, catch)]
    fn new() -> Result<IdentityTransformStream, JsValue>;

    #[wasm_bindgen(method, getter)]
    fn readable(this: &IdentityTransformStream) -> ReadableStream;

    #[wasm_bindgen(method, getter)]
    fn writable(this: &IdentityTransformStream) -> WritableStream;

    /// The same of a length that is known: a call whose body it is says its `Content-Length`.
    #[wasm_bindgen(extends = IdentityTransformStream)]
    type FixedLengthStream;

    #[wasm_bindgen(constructor, catch)]
    fn new(length: f64) -> Result<FixedLengthStream, JsValue>;
}

/// The writing end of a streamed answer.
///
/// The runtime tells that a client has gone when something is written to it, and not before: whoever has nothing to write
/// sends a heartbeat now and then. A write that is not taken for [`Pump::PATIENCE`] counts as gone too.
#[derive(Debug)]
pub struct Pump {
    writer: WritableStreamDefaultWriter,
    gone: bool,
}

/// A new stream: what is written to the pump comes out of the readable end.
///
/// # Errors
/// What the runtime says when it cannot make one.
pub fn pipe() -> Result<(Pump, ReadableStream), JsValue> {
    halves(&IdentityTransformStream::new()?)
}

/// As [`pipe`], for exactly so many bytes.
///
/// # Errors
/// What the runtime says when it cannot make one.
pub fn fixed_length_pipe(length: usize) -> Result<(Pump, ReadableStream), JsValue> {
    #[expect(clippy::cast_precision_loss, reason = "no body has 2^53 bytes")]
    halves(&FixedLengthStream::new(length as f64)?.into())
}

fn halves(stream: &IdentityTransformStream) -> Result<(Pump, ReadableStream), JsValue> {
    let writer = stream.writable().get_writer()?;
    Ok((Pump { writer, gone: false }, stream.readable()))
}

impl Pump {
    /// How long a client may leave a piece untaken.
    pub const PATIENCE: Duration = Duration::from_secs(20);

    /// The client is known to have gone before anything was written: the runtime would keep the first write waiting.
    pub fn nobody_reads(&mut self) {
        self.gone = true;
    }

    /// Whether the client is known to be gone.
    pub const fn is_gone(&self) -> bool {
        self.gone
    }

    /// Writes a piece and waits until it is taken. Does nothing once the client is gone.
    pub async fn write(&mut self, piece: &str) {
        if self.gone || piece.is_empty() {
            return;
        }
        let chunk = Uint8Array::from(piece.as_bytes());
        let written = JsFuture::from(self.writer.write_with_chunk(&chunk));
        let waited = futures::future::select(written, Delay::from(Self::PATIENCE)).await;
        self.gone = !matches!(waited, futures::future::Either::Left((Ok(_), _)));
    }

    /// Breaks the stream off: whoever reads it must not take it for whole.
    pub async fn abort(self) {
        let _ = JsFuture::from(self.writer.abort_with_reason(&JsValue::from_str("the source failed"))).await;
    }

    /// Ends the stream.
    pub async fn close(self) {
        if self.gone {
            // A promise that nobody waits for would be reported as an unhandled rejection.
            let _ = JsFuture::from(self.writer.abort()).await;
        } else {
            let _ = JsFuture::from(self.writer.close()).await;
        }
    }
}

/// The next piece of a stream; `None` at its end.
///
/// # Errors
/// What the runtime says when the stream breaks.
pub async fn read(reader: &ReadableStreamDefaultReader) -> Result<Option<Vec<u8>>, JsValue> {
    piece_of(&JsFuture::from(reader.read()).await?)
}

/// What a read has brought; `None` at the end of the stream.
///
/// # Errors
/// When it is not what a read brings.
pub fn piece_of(read: &JsValue) -> Result<Option<Vec<u8>>, JsValue> {
    if Reflect::get(read, &JsValue::from_str("done"))?.is_truthy() {
        return Ok(None);
    }
    let value = Reflect::get(read, &JsValue::from_str("value"))?;
    Ok(Some(value.dyn_into::<Uint8Array>().map_or_else(|_| Vec::new(), |bytes| bytes.to_vec())))
}
