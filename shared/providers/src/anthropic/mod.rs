//! Anthropic's Messages API.
//!
//! Source: <https://platform.claude.com/docs/en/api/messages> and `/docs/en/build-with-claude/streaming`.

mod message;
mod request;
mod response;
mod stream;

pub(crate) use request::encode;
pub(crate) use response::{decode, read_error};
pub(crate) use stream::AnthropicStream;
