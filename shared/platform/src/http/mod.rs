//! Requests and answers: what a handler sees of HTTP.
//!
//! axum routes and extracts; the bridge in [`serve`] is ours, because it decides what a request costs. Crossing
//! from WASM to JavaScript is the price of everything here, so headers are read one by one when asked for and
//! never copied as a whole (axum's `HeaderMap` extractor is therefore empty: use [`Scope::header`]), bodies are
//! read in one piece, and answers are handed over as bytes.

mod body;
mod cookie;
mod csv;
mod export;
mod instant;
mod openapi;
mod page;
mod pump;
mod query;
mod ready;
mod respond;
mod scope;
mod serve;

pub use body::{Json, Place, ReadBody, UNPROVEN_BYTES, read_bounded, read_proven};
pub use cookie::cookie;
pub use csv::csv_text;
pub use export::{Export, Format, export};
pub use instant::{LATEST_INSTANT, instant};
pub use page::{Page, cursor, cut, limit};
pub use pump::{Pump, fixed_length_pipe, piece_of, pipe};
pub use query::{NoParameters, OpenQuery, Query};
pub use respond::{Reply, no_content, problem, stamp};
pub use scope::Scope;
pub use serve::{RouterCell, serve};
