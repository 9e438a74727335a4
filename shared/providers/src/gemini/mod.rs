//! Google's Gemini API, `generateContent` and `streamGenerateContent`.
//!
//! Source: <https://ai.google.dev/api/generate-content>.

mod message;
mod part;
mod request;
mod response;
mod stream;

pub(crate) use request::encode;
pub(crate) use response::{decode, read_error};
pub(crate) use stream::GeminiStream;
