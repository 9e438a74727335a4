//! A stream of bytes from a provider in, a stream of OpenAI chunks for the client out.

use crate::anthropic::AnthropicStream;
use serde_json::Value;

use crate::completion::CompletionMeta;
use crate::dispatch::decode_completion;
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
    /// Whether there is anything to charge: something was delivered, or the provider said that its answer is whole.
    pub delivered: bool,
}

/// What is charged for a stream that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Charge {
    /// Nothing, and its idempotency key is free again: nothing was delivered.
    Nothing,
    /// What was used, under a word for how it ended: `completed`, `cut`, `failed`, `client_gone`.
    Used(Usage, &'static str),
}

impl StreamFinish {
    /// What is charged. `left` is whether the client went before the end, and then whether the provider's own count of the
    /// whole answer came all the same; `held_tokens` is what was held for it.
    ///
    /// Who leaves pays what the provider reports. Where it never does, what was held or what was seen, whichever is more: the
    /// provider bills what it made, thinking that nobody saw included.
    pub fn charge(&self, left: Option<Counted>, held_tokens: u64) -> Charge {
        let outcome = match &self.outcome {
            // Before a piece of its answer the provider has made nothing, whether somebody listened or not.
            StreamOutcome::Failed(_) if !self.delivered => return Charge::Nothing,
            StreamOutcome::Failed(_) => "failed",
            StreamOutcome::Cut => "cut",
            StreamOutcome::Completed if left.is_none() => "completed",
            StreamOutcome::Completed | StreamOutcome::ClientGone => "client_gone",
        };
        let usage = match left {
            Some(Counted::Never) => self.usage.at_least(held_tokens),
            Some(Counted::ByTheProvider) | None => self.usage,
        };
        Charge::Used(usage, outcome)
    }
}

/// Whether the provider has counted a whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// It has said what the answer took.
    ByTheProvider,
    /// It has not, and nobody waits for it any longer.
    Never,
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

    /// A whole answer in place of a stream, as some servers send it whatever they were asked: the stream that says the same,
    /// and what it took.
    ///
    /// # Errors
    /// When it is an error, or no answer.
    pub fn of_whole(
        req: &ChatRequest,
        model: &ModelRef,
        body: &[u8],
        meta: &CompletionMeta,
    ) -> Result<(String, Usage), ProviderError> {
        let completion = decode_completion(req, model, 200, None, body, meta)?;
        let answer: Value = serde_json::from_str(&completion.body)
            .map_err(|_| ProviderError::bad_answer(model.provider, "a completion that is no JSON"))?;
        let mut session = Session::new(req, model.provider, meta.clone());
        let mut finished = Vec::new();
        for choice in answer["choices"].as_array().into_iter().flatten() {
            let index = choice["index"].as_u64().unwrap_or(0);
            let message = &choice["message"];
            session.open(index);
            session.reasoning(index, message["reasoning_content"].as_str().unwrap_or_default());
            session.text(index, message["content"].as_str().unwrap_or_default());
            session.refusal(index, message["refusal"].as_str().unwrap_or_default());
            for (place, call) in message["tool_calls"].as_array().into_iter().flatten().enumerate() {
                let mut call = call.clone();
                if let Some(members) = call.as_object_mut() {
                    members.insert("index".into(), place.into());
                }
                session.tool_call(index, &call);
            }
            finished.push((index, choice["finish_reason"].as_str().unwrap_or("stop").to_owned()));
        }
        let finished: Vec<_> = finished.iter().map(|(index, reason)| (*index, reason.as_str())).collect();
        session.finish_chunks(&finished, completion.usage);
        Ok((session.take_out() + "data: [DONE]\n\n", completion.usage))
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

    /// Whether there is something for the client: a piece of the answer, or its end. Before that nothing needs to be sent,
    /// and a failure can still be told as what it is.
    pub fn has_begun(&self) -> bool {
        self.session.has_delivered() || self.session.complete
    }

    /// Whether the answer is whole; what may follow is its usage and the end of the stream.
    pub fn is_complete(&self) -> bool {
        self.session.complete
    }

    /// Whether the provider has counted the whole answer.
    pub fn counted(&self) -> Counted {
        if self.session.complete && self.session.reported().is_some() { Counted::ByTheProvider } else { Counted::Never }
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
        let delivered = self.has_begun();
        if let Some(error) = self.session.error.take() {
            return self.failed(usage, error);
        }
        if self.session.complete {
            self.codec.as_decoder().tail(usage, &mut self.session);
            let out = self.session.take_out() + "data: [DONE]\n\n";
            return StreamFinish { out, usage, outcome: StreamOutcome::Completed, delivered };
        }
        let cut = |message: &str| ProviderError::new(self.session.provider, ProviderErrorKind::Cut, message);
        match end {
            StreamEnd::ClientGone => {
                StreamFinish { out: String::new(), usage, outcome: StreamOutcome::ClientGone, delivered }
            }
            StreamEnd::Closed if !delivered => {
                let error = ProviderError::bad_answer(self.session.provider, "a stream without an answer in it");
                self.failed(usage, error)
            }
            StreamEnd::Closed => {
                let out = cut("the stream ended before its end").to_frame();
                let out = self.session.take_out() + &out;
                StreamFinish { out, usage, outcome: StreamOutcome::Cut, delivered }
            }
            StreamEnd::UpstreamFailed(reason) => {
                let error = cut(&reason);
                self.failed(usage, error)
            }
        }
    }

    fn failed(&mut self, usage: Usage, error: ProviderError) -> StreamFinish {
        let out = self.session.take_out() + &error.to_frame();
        StreamFinish { out, usage, outcome: StreamOutcome::Failed(error), delivered: self.has_begun() }
    }
}
