//! Streams: `message_start`, content blocks, `message_delta`, `message_stop`; `ping` and events not known here mean nothing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::response::{finish_reason, read_error};
use crate::error::{self, ProviderError};
use crate::openai::error_body;
use crate::session::{FrameDecoder, Session};
use crate::usage::{Report, Usage};

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: u64,
        content_block: Block,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        #[serde(default)]
        delta: End,
        #[serde(default)]
        usage: Option<Value>,
    },
    MessageStop,
    Error,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Start {
    #[serde(default)]
    usage: Option<Value>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        #[serde(default)]
        text: String,
    },
    Thinking {
        #[serde(default)]
        thinking: String,
    },
    ToolUse {
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    #[serde(other)]
    Other,
}

#[expect(clippy::enum_variant_names, reason = "the names are the wire's")]
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Delta {
    TextDelta {
        text: String,
    },
    ThinkingDelta {
        thinking: String,
    },
    InputJsonDelta {
        partial_json: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Default, Deserialize)]
struct End {
    #[serde(default)]
    stop_reason: Option<String>,
}

/// A tool call that is being streamed.
#[derive(Debug)]
struct OpenCall {
    /// Its place among the tool calls, which is what OpenAI counts.
    index: u64,
    has_arguments: bool,
}

/// The state of a stream from Anthropic.
#[derive(Debug, Default)]
pub(crate) struct AnthropicStream {
    /// By the content block it is.
    open_calls: BTreeMap<u64, OpenCall>,
    calls: u64,
    stop_reason: Option<String>,
}

impl FrameDecoder for AnthropicStream {
    fn frame(&mut self, data: &str, session: &mut Session) {
        if data.trim().is_empty() || data.trim() == "[DONE]" {
            return;
        }
        let Ok(event) = serde_json::from_str::<Event>(data) else {
            if let Some(value) = serde_json::from_str::<Value>(data).ok().as_ref()
                && let Some(error) = error::stated(value)
            {
                return session.fail(ProviderError::in_stream(session.provider, error_body(error)));
            }
            return session.fail_unreadable("an event that is no message event");
        };
        match event {
            Event::MessageStart { message } => {
                session.report(message.usage.as_ref().and_then(Report::of));
                session.open(0);
            }
            Event::ContentBlockStart { index, content_block } => self.block_start(index, content_block, session),
            Event::ContentBlockDelta { index, delta } => self.block_delta(index, &delta, session),
            Event::ContentBlockStop { index } => self.block_stop(index, session),
            Event::MessageDelta { delta, usage } => {
                session.report(usage.as_ref().and_then(Report::of));
                self.stop_reason = delta.stop_reason.or(self.stop_reason.take());
            }
            Event::MessageStop => {
                session.complete = true;
                session.done = true;
            }
            Event::Error => {
                let body = read_error(data.as_bytes()).unwrap_or_default();
                session.fail(ProviderError::in_stream(session.provider, body));
            }
            Event::Other => {}
        }
    }

    fn tail(&mut self, usage: Usage, session: &mut Session) {
        session.finish_chunks(&[(0, finish_reason(self.stop_reason.as_deref()))], usage);
    }
}

impl AnthropicStream {
    fn block_start(&mut self, block: u64, content: Block, session: &mut Session) {
        match content {
            Block::Text { text } => session.text(0, &text),
            Block::Thinking { thinking } => session.reasoning(0, &thinking),
            Block::ToolUse { id, name, input } => {
                let index = self.calls;
                self.calls += 1;
                session.tally.add(&name);
                let function = json!({"name": name, "arguments": ""});
                session.tool_call(0, &json!({"index": index, "id": id, "type": "function", "function": function}));
                self.open_calls.insert(block, OpenCall { index, has_arguments: false });
                // Normally `{}`, with the arguments to follow; some servers send all of them here.
                if input.as_object().is_some_and(|input| !input.is_empty()) {
                    self.arguments(block, &input.to_string(), session);
                }
            }
            Block::Other => {}
        }
    }

    fn block_delta(&mut self, block: u64, delta: &Delta, session: &mut Session) {
        match delta {
            Delta::TextDelta { text } => session.text(0, text),
            Delta::ThinkingDelta { thinking } => session.reasoning(0, thinking),
            Delta::InputJsonDelta { partial_json } => self.arguments(block, partial_json, session),
            Delta::Other => {}
        }
    }

    fn arguments(&mut self, block: u64, piece: &str, session: &mut Session) {
        let Some(call) = self.open_calls.get_mut(&block) else {
            return;
        };
        if !piece.is_empty() {
            call.has_arguments = true;
            session.tally.add(piece);
            session.tool_call(0, &json!({"index": call.index, "function": {"arguments": piece}}));
        }
    }

    /// A call without arguments streams none at all; clients parse the text as JSON, so it must be an object.
    fn block_stop(&mut self, block: u64, session: &mut Session) {
        if self.open_calls.get(&block).is_some_and(|call| !call.has_arguments) {
            self.arguments(block, "{}", session);
        }
        self.open_calls.remove(&block);
    }
}
