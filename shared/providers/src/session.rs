//! What the streams of all providers share: writing chunks, tallying what was delivered, settling the usage.

use std::fmt::Write as _;

use serde_json::Value;

use crate::completion::CompletionMeta;
use crate::error::ProviderError;
use crate::members::quoted;
use crate::model::Provider;
use crate::request::ChatRequest;
use crate::tokens::TextTally;
use crate::usage::{Report, Tier, Usage};

/// Turns one provider's frames into chunks.
pub(crate) trait FrameDecoder {
    /// Takes the data of one event.
    fn frame(&mut self, data: &str, session: &mut Session);

    /// Writes what was held back until the usage is known: the finish chunks and the usage. Only called for complete streams.
    fn tail(&mut self, usage: Usage, session: &mut Session);
}

/// The state of one stream.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) provider: Provider,
    pub(crate) meta: CompletionMeta,
    /// Whether the client wants the usage as a chunk of its own.
    pub(crate) include_usage: bool,
    pub(crate) choices: u64,
    report: Option<Report>,
    /// What the chunks say they are served as; the one with the usage may not repeat it, and there may be none.
    pub(crate) tier: Tier,
    pub(crate) tally: TextTally,
    /// The answer is whole.
    pub(crate) complete: bool,
    /// Nothing of interest can follow.
    pub(crate) done: bool,
    pub(crate) error: Option<ProviderError>,
    prompt_estimate: u64,
    out: String,
    /// Choices whose opening chunk was sent, a bit each.
    opened: u64,
    head: String,
}

impl Session {
    pub(crate) fn new(request: &ChatRequest, provider: Provider, meta: CompletionMeta) -> Self {
        let (id, model) = (quoted(&meta.id), quoted(&meta.model));
        let head = format!(
            "data: {{\"id\":{id},\"object\":\"chat.completion.chunk\",\"created\":{},\"model\":{model},",
            meta.created
        );
        Self {
            provider,
            meta,
            include_usage: request.include_usage(),
            choices: request.choices(),
            report: None,
            tier: Tier::default(),
            tally: TextTally::default(),
            complete: false,
            done: false,
            error: None,
            prompt_estimate: request.prompt_tokens_estimate(),
            out: String::new(),
            opened: 0,
            head,
        }
    }

    /// Takes what the provider reports, in whatever order.
    pub(crate) fn report(&mut self, report: Option<Report>) {
        if let Some(report) = report {
            self.report = Some(self.report.map_or(report, |earlier| earlier.and_then(report)));
        }
    }

    /// What the provider has reported so far.
    pub(crate) fn reported(&self) -> Option<Usage> {
        self.report.map(Report::usage)
    }

    /// The provider failed. What comes after a whole answer changes nothing of it.
    pub(crate) fn fail(&mut self, error: ProviderError) {
        if !self.complete {
            self.error = Some(error);
        }
        self.done = true;
    }

    /// Whether anything of an answer was handed on: text, thinking, a call.
    pub(crate) fn has_delivered(&self) -> bool {
        self.tally.tokens() > 0
    }

    pub(crate) fn fail_unreadable(&mut self, what: &str) {
        self.fail(ProviderError::bad_answer(self.provider, what));
    }

    pub(crate) fn take_out(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// Passes a chunk on as JSON text. A line break between JSON tokens would end the SSE field; inside strings there is none.
    pub(crate) fn raw(&mut self, json: &str) {
        self.out.push_str("data: ");
        if json.contains(['\n', '\r']) {
            self.out.push_str(&json.replace(['\n', '\r'], " "));
        } else {
            self.out.push_str(json);
        }
        self.out.push_str("\n\n");
    }

    /// Text of the answer.
    pub(crate) fn text(&mut self, choice: u64, text: &str) {
        self.said(choice, "content", text);
    }

    /// Text of the model's thinking, under the name `DeepSeek` introduced and many clients show.
    pub(crate) fn reasoning(&mut self, choice: u64, text: &str) {
        self.said(choice, "reasoning_content", text);
    }

    /// Text of a refusal, which OpenAI keeps apart from the answer.
    pub(crate) fn refusal(&mut self, choice: u64, text: &str) {
        self.said(choice, "refusal", text);
    }

    fn said(&mut self, choice: u64, name: &str, text: &str) {
        if !text.is_empty() {
            self.tally.add(text);
            self.open(choice);
            self.chunk(choice, &format!("{{\"{name}\":{}}}", quoted(text)), None, None);
        }
    }

    /// A piece of a tool call, `call` being one entry of `delta.tool_calls`.
    pub(crate) fn tool_call(&mut self, choice: u64, call: &Value) {
        self.open(choice);
        self.chunk(choice, &format!("{{\"tool_calls\":[{call}]}}"), None, None);
    }

    /// The first chunk of a choice says who speaks; sent once.
    pub(crate) fn open(&mut self, choice: u64) {
        let bit = 1_u64 << choice.min(63);
        if self.opened & bit == 0 {
            self.opened |= bit;
            self.chunk(choice, "{\"role\":\"assistant\",\"content\":\"\"}", None, None);
        }
    }

    fn chunk(&mut self, choice: u64, delta: &str, finish_reason: Option<&str>, usage: Option<Usage>) {
        let finish_reason = finish_reason.map_or_else(|| "null".to_owned(), quoted);
        self.out.push_str(&self.head);
        let _ = write!(
            self.out,
            "\"choices\":[{{\"index\":{choice},\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish_reason}}}]"
        );
        if let Some(usage) = usage {
            let _ = write!(self.out, ",\"usage\":{}", usage.to_openai());
        }
        self.out.push_str("}\n\n");
    }

    /// The end of a translated stream: a finish chunk for each choice, and the usage where the client looks for it.
    pub(crate) fn finish_chunks(&mut self, finished: &[(u64, &str)], usage: Usage) {
        let include_usage = self.include_usage;
        for (position, (choice, reason)) in finished.iter().enumerate() {
            self.open(*choice);
            let last = position + 1 == finished.len();
            self.chunk(*choice, "{}", Some(reason), (last && !include_usage).then_some(usage));
        }
        if include_usage {
            self.usage_chunk(usage);
        }
    }

    /// The chunk that `stream_options.include_usage` asks for.
    pub(crate) fn usage_chunk(&mut self, usage: Usage) {
        self.out.push_str(&self.head);
        let _ = write!(self.out, "\"choices\":[],\"usage\":{}}}\n\n", usage.to_openai());
    }

    /// What is to be metered, whatever has happened.
    pub(crate) fn settled_usage(&self) -> Usage {
        let delivered = self.tally.tokens();
        let usage = match self.reported() {
            None => Usage::estimated(self.prompt_estimate, delivered),
            Some(usage) if self.complete => usage.repaired(self.prompt_estimate, delivered),
            // The provider went on counting after its last report: what arrived since is estimated.
            Some(usage) => Usage {
                completion_tokens: usage.completion_tokens.max(delivered),
                estimated: true,
                ..usage.repaired(self.prompt_estimate, delivered)
            },
        };
        usage.served_as(self.tier)
    }
}
