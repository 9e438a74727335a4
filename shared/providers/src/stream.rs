//! A stream of bytes from a provider in, a stream of OpenAI chunks for the client out.

use crate::anthropic::AnthropicStream;
use crate::completion::CompletionMeta;
use crate::error::{ProviderError, ProviderErrorKind};
use crate::gemini::GeminiStream;
use crate::model::{ModelRef, Provider};
use crate::openai::OpenAiStream;
use crate::request::ChatRequest;
use crate::session::{FrameDecoder, Session};
use crate::sse::SseParser;
use crate::usage::Usage;

/// Decodes one streamed answer. Fed with bytes as they arrive, cut anywhere, even inside a UTF-8 character; holds at most one
/// event (1 MiB) and no text that was sent on.
///
/// `push` until [`is_done`](Self::is_done) or until the upstream ends, then [`finish`](Self::finish) - always: what it returns is
/// what is metered.
pub struct StreamDecoder {
    sse: SseParser,
    codec: Codec,
    session: Session,
}

enum Codec {
    OpenAi(OpenAiStream),
    Anthropic(AnthropicStream),
    Gemini(GeminiStream),
}

impl Codec {
    fn as_decoder(&mut self) -> &mut dyn FrameDecoder {
        match self {
            Self::OpenAi(codec) => codec,
            Self::Anthropic(codec) => codec,
            Self::Gemini(codec) => codec,
        }
    }
}

/// How a stream came to its end, as the caller saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamEnd {
    /// The upstream closed the connection (or [`StreamDecoder::is_done`] said there is no more to wait for).
    Closed,
    /// The client went away.
    ClientGone,
    /// Reading from upstream failed, with the reason for the log.
    UpstreamFailed(String),
}

/// How a stream ended, by the provider's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamOutcome {
    /// The whole answer was delivered.
    Completed,
    /// The upstream closed before its terminal event: OpenAI's finish reason, Anthropic's `message_stop`, Gemini's finish reason.
    Cut,
    /// The client left before the end.
    ClientGone,
    /// An error event, an unreadable frame, or a broken connection.
    Failed(ProviderError),
}

/// The end of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamFinish {
    /// The last SSE text for the client: what was held back and `data: [DONE]`, or an error frame; empty when nobody listens.
    pub out: String,
    /// What to meter: the provider's count if it sent one, else an estimate from the prompt and from what was delivered.
    pub usage: Usage,
    /// What happened.
    pub outcome: StreamOutcome,
}

impl StreamDecoder {
    /// A decoder for the answer to `req`. `meta` names the answer to Anthropic's and Gemini's streams; OpenAI's keep their own names.
    pub fn new(req: &ChatRequest, model: &ModelRef, meta: CompletionMeta) -> Self {
        let codec = match model.provider {
            // `tollgate/extractive` has no upstream; its own format is OpenAI's.
            Provider::OpenAi | Provider::Tollgate => Codec::OpenAi(OpenAiStream::default()),
            Provider::Anthropic => Codec::Anthropic(AnthropicStream::default()),
            Provider::Gemini => Codec::Gemini(GeminiStream::default()),
        };
        Self { sse: SseParser::default(), codec, session: Session::new(req, model.provider, meta) }
    }

    /// Takes bytes from upstream; returns SSE text to send on now (may be empty). Bytes after the end are ignored.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        if self.session.done {
            return String::new();
        }
        let mut frames = Vec::new();
        let fits = self.sse.push(bytes, &mut frames);
        self.decode(&frames);
        if fits.is_err() && !self.session.done {
            self.session.fail_unreadable("an event of more than 1 MiB");
        }
        self.session.take_out()
    }

    fn decode(&mut self, frames: &[String]) {
        for frame in frames {
            if !self.session.done {
                self.codec.as_decoder().frame(frame, &mut self.session);
            }
        }
    }

    /// Tokens of the answer that were delivered so far, estimated from their text: for a reservation that is to be checked in mid-stream.
    pub fn delivered_tokens_estimate(&self) -> u64 {
        self.session.tally.tokens()
    }

    /// Whether the terminal event was seen, or an error: there is nothing more to wait for.
    pub fn is_done(&self) -> bool {
        self.session.done
    }

    /// Ends the stream.
    pub fn finish(mut self, end: StreamEnd) -> StreamFinish {
        if end == StreamEnd::Closed && !self.session.done {
            let mut frames = Vec::new();
            self.sse.finish(&mut frames);
            // Half a frame is no news: the stream was cut in it.
            frames.retain(|frame| {
                frame == "[DONE]" || serde_json::from_str::<&serde_json::value::RawValue>(frame).is_ok()
            });
            self.decode(&frames);
        }
        let usage = self.session.settled_usage();
        if let Some(error) = self.session.error.take() {
            return self.failed(usage, error);
        }
        if self.session.complete {
            self.codec.as_decoder().tail(usage, &mut self.session);
            let out = self.session.take_out() + "data: [DONE]\n\n";
            return StreamFinish { out, usage, outcome: StreamOutcome::Completed };
        }
        let cut = |message: &str| ProviderError::new(self.session.provider, ProviderErrorKind::Cut, message);
        match end {
            StreamEnd::ClientGone => StreamFinish { out: String::new(), usage, outcome: StreamOutcome::ClientGone },
            StreamEnd::Closed => {
                let out = cut("the stream ended before its end").to_frame();
                let out = self.session.take_out() + &out;
                StreamFinish { out, usage, outcome: StreamOutcome::Cut }
            }
            StreamEnd::UpstreamFailed(reason) => {
                let error = cut(&reason);
                self.failed(usage, error)
            }
        }
    }

    fn failed(&mut self, usage: Usage, error: ProviderError) -> StreamFinish {
        let out = self.session.take_out() + &error.to_frame();
        StreamFinish { out, usage, outcome: StreamOutcome::Failed(error) }
    }
}
