//! What a client sends to `POST /v1/chat/completions`: parsed once, checked with the field named, kept for the provider.
//!
//! Source of the shape: <https://platform.openai.com/docs/api-reference/chat/create>. Fields that are not read here are kept as
//! they came and go on to OpenAI unchanged; the other providers' encoders refuse those that would change the answer.

pub(crate) mod allowed;
mod message;
mod read;
mod tools;

use serde_json::Value;
use tollgate_domain::json_shape::{self, Bounds};

pub(crate) use message::{Message, Part, Role};
pub(crate) use tools::{ResponseFormat, Tool, ToolCall, ToolChoice};

use crate::members::{Members, TooManyMembers};
use crate::model::ModelRef;
use crate::tokens;

/// What is wrong with a request, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct InvalidRequest {
    /// JSON path of the field, such as `messages[2].role`; empty for the body as a whole.
    pub field: String,
    /// One sentence for the client.
    pub message: String,
    /// The kind of fault.
    pub kind: InvalidRequestKind,
}

/// Kinds of [`InvalidRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidRequestKind {
    /// The body is not a JSON object (400).
    NotJson,
    /// A field has another JSON type than it must (422).
    WrongType,
    /// A required field is absent (422).
    Missing,
    /// A value outside what is allowed (422).
    OutOfRange,
    /// Valid for OpenAI, but the chosen provider has nothing like it (422).
    Unsupported,
}

impl InvalidRequest {
    pub(crate) fn new(kind: InvalidRequestKind, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), kind }
    }

    pub(crate) fn wrong_type(field: impl Into<String>, expected: &str) -> Self {
        Self::new(InvalidRequestKind::WrongType, field, format!("must be {expected}."))
    }

    pub(crate) fn missing(field: impl Into<String>) -> Self {
        Self::new(InvalidRequestKind::Missing, field, "is required.")
    }

    pub(crate) fn out_of_range(field: impl Into<String>, allowed: &str) -> Self {
        Self::new(InvalidRequestKind::OutOfRange, field, format!("must be {allowed}."))
    }

    pub(crate) fn unsupported(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(InvalidRequestKind::Unsupported, field, message)
    }
}

/// A checked chat-completions request.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    pub(crate) members: Members,
    pub(crate) messages: Vec<Message>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) tool_choice: Option<ToolChoice>,
    pub(crate) response_format: ResponseFormat,
    pub(crate) stop: Vec<String>,
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) max_completion_tokens: Option<u64>,
    pub(crate) max_tokens: Option<u64>,
    model: String,
    stream: bool,
    include_usage: bool,
    choices: u64,
    prompt_tokens: u64,
    pub(crate) end_user: Option<String>,
}

/// Most choices of one request. OpenAI allows 128, Gemini 8; each is an answer that has to be paid for.
const MOST_CHOICES: u64 = 8;
/// Beyond this a token limit is a mistake, and sums of it stay far from overflow.
const MOST_TOKENS: u64 = 100_000_000;

impl ChatRequest {
    /// Parses and checks a request body.
    ///
    /// Checked is what Tollgate reads itself; a value that only the provider understands is left to the provider to judge.
    /// A member that comes twice counts once, the last one winning.
    ///
    /// # Errors
    /// [`InvalidRequest`] with the JSON path of the first field at fault.
    pub fn parse(body: &[u8]) -> Result<Self, InvalidRequest> {
        let not_json = |message: String| InvalidRequest::new(InvalidRequestKind::NotJson, "", message);
        let text = std::str::from_utf8(body).map_err(|_| not_json("The body must be UTF-8.".into()))?;
        json_shape::measure(body, Bounds::CONVERSATION)
            .map_err(|too_much| InvalidRequest::new(InvalidRequestKind::OutOfRange, "", format!("{too_much}.")))?;
        let mut members: Members = serde_json::from_str(text).map_err(|error| {
            if error.to_string().starts_with(&TooManyMembers.to_string()) {
                return InvalidRequest::new(InvalidRequestKind::OutOfRange, "", format!("{TooManyMembers}."));
            }
            not_json(format!("The body must be a JSON object (line {}, column {}).", error.line(), error.column()))
        })?;
        members.drop_nulls();
        allowed::check(&members)?;
        let messages = message::read_messages(read::value(&members, "messages")?)?;
        let tools = tools::read_tools(read::value(&members, "tools")?)?;
        let tool_choice = tools::read_tool_choice(read::value(&members, "tool_choice")?)?;
        let response_format = tools::read_response_format(read::value(&members, "response_format")?)?;
        let stream = read::boolean(&members, "stream")?.unwrap_or(false);
        let model = read::text(&members, "model")?.ok_or_else(|| InvalidRequest::missing("model"))?;
        let prompt_tokens = estimate_prompt(&messages, &members, ModelRef::parse(&model).ok().as_ref());
        Ok(Self {
            model,
            include_usage: stream && read_include_usage(read::value(&members, "stream_options")?)?,
            choices: read::integer(&members, "n", 1, MOST_CHOICES)?.unwrap_or(1),
            max_completion_tokens: read::integer(&members, "max_completion_tokens", 1, MOST_TOKENS)?,
            max_tokens: read::integer(&members, "max_tokens", 1, MOST_TOKENS)?,
            temperature: read::number(&members, "temperature", 0.0, 2.0)?,
            top_p: read::number(&members, "top_p", 0.0, 1.0)?,
            stop: read_stop(read::value(&members, "stop")?)?,
            stream,
            messages,
            tools,
            tool_choice,
            response_format,
            prompt_tokens,
            end_user: None,
            members,
        })
    }

    /// `model` as the client sent it; [`ModelRef::parse`](crate::ModelRef::parse) routes it.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether the answer is to be streamed.
    pub fn stream(&self) -> bool {
        self.stream
    }

    /// Whether the client asked for `stream_options.include_usage` (and streams).
    pub fn include_usage(&self) -> bool {
        self.include_usage
    }

    /// The client's own limit on tokens of one choice. Where both of its names are used the larger counts: that is what
    /// some provider would take, so that is what is held, and one name is sent.
    pub fn requested_max_tokens(&self) -> Option<u64> {
        self.max_completion_tokens.max(self.max_tokens)
    }

    /// The same with a limit on the answer, where the client named none.
    #[must_use]
    pub fn limited_to(mut self, most: Option<u64>) -> Self {
        if self.requested_max_tokens().is_none() {
            self.max_completion_tokens = most;
        }
        self
    }

    /// Who asks, as the provider is told: the same for the same person, and leading to nobody.
    #[must_use]
    pub fn on_behalf_of(mut self, end_user: String) -> Self {
        self.end_user = Some(end_user);
        self
    }

    /// The same without what was said: all that is needed to read an answer. What was encoded is in memory once then.
    #[must_use]
    pub fn without_content(self) -> Self {
        Self {
            members: Members::default(),
            messages: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            response_format: ResponseFormat::Text,
            stop: Vec::new(),
            ..self
        }
    }

    /// How many answers were asked for (`n`), 1 to 8. A limit on tokens holds for each of them.
    pub fn choices(&self) -> u64 {
        self.choices
    }

    /// Tokens of the prompt; at least 1. For the reservation, before anything is sent.
    ///
    /// Text as `tokens` counts it, within -10 % and +30 % of `o200k_base`; 4 tokens a message and 3 for the answer's opening
    /// (<https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken>); tool definitions and schemas by their text; images by
    /// their size and the provider's rules, documents by their pages and text, recordings by their length (`attachment`).
    pub fn prompt_tokens_estimate(&self) -> u64 {
        self.prompt_tokens
    }

    /// A member of the body as JSON, for encoders that look at what is not parsed here. `None` for absent and for null.
    pub(crate) fn member(&self, name: &str) -> Option<Value> {
        self.members.get(name).and_then(|raw| serde_json::from_str(raw).ok()).filter(|value: &Value| !value.is_null())
    }

    /// What may be sent as the limit on one choice: the client's wish, cut to what the plan allows.
    pub(crate) fn clamped_max_tokens(&self, allowed: Option<u64>) -> Option<u64> {
        match (self.requested_max_tokens(), allowed) {
            (Some(requested), Some(allowed)) => Some(requested.min(allowed)),
            (requested, allowed) => requested.or(allowed),
        }
    }
}

const MESSAGE_TOKENS: u64 = 4;
const ANSWER_OPENING_TOKENS: u64 = 3;

fn estimate_prompt(messages: &[Message], members: &Members, model: Option<&ModelRef>) -> u64 {
    let definitions: u64 =
        ["tools", "tool_choice", "functions", "response_format", "prediction", "chat_template_kwargs"]
            .iter()
            .filter_map(|name| members.get(name))
            .map(tokens::estimate)
            .sum();
    let spoken: u64 = messages
        .iter()
        .map(|message| MESSAGE_TOKENS.saturating_add(message.tokens_estimate(model)))
        .fold(0, u64::saturating_add);
    spoken.saturating_add(ANSWER_OPENING_TOKENS + definitions)
}

fn read_include_usage(options: Option<Value>) -> Result<bool, InvalidRequest> {
    match options {
        None => Ok(false),
        Some(Value::Object(mut options)) => match options.remove("include_usage") {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(wanted)) => Ok(wanted),
            Some(_) => Err(InvalidRequest::wrong_type("stream_options.include_usage", "a boolean")),
        },
        Some(_) => Err(InvalidRequest::wrong_type("stream_options", "an object")),
    }
}

fn read_stop(stop: Option<Value>) -> Result<Vec<String>, InvalidRequest> {
    match stop {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one]),
        Some(Value::Array(many)) => many
            .into_iter()
            .enumerate()
            .map(|(index, item)| match item {
                Value::String(text) => Ok(text),
                _ => Err(InvalidRequest::wrong_type(format!("stop[{index}]"), "a string")),
            })
            .collect(),
        Some(_) => Err(InvalidRequest::wrong_type("stop", "a string or an array of strings")),
    }
}

#[cfg(test)]
mod tests;
