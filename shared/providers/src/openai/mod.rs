//! OpenAI's chat completions, and whatever speaks them. The public surface has the same shape, so bodies pass through as they are.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat>.

mod calls;
mod request;
mod response;
mod stream;

pub(crate) use request::encode;
pub(crate) use response::{decode, error_body, read_error};
pub(crate) use stream::OpenAiStream;
