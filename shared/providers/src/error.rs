//! What a provider's refusal means to us, and what of it a client may see.

mod table;

use std::fmt;

use serde_json::{Value, json};

use crate::model::Provider;

/// Why a provider gave no (whole) answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderErrorKind {
    /// The client's request was wrong.
    Rejected,
    /// It was refused for what it says.
    Refused,
    /// It is longer than the model's context.
    TooLong,
    /// Its body is larger than the provider takes.
    TooLarge,
    /// There is no such model (any more), or it is not open to this installation.
    NoModel,
    /// Our credentials or our account: 401, 402, 403.
    Unauthorized,
    /// We send too much: 429.
    RateLimited,
    /// The provider is in trouble: 5xx, Anthropic's 529, 408.
    Overloaded,
    /// An answer that cannot be read.
    BadAnswer,
    /// The stream ended before its end.
    Cut,
}

/// What an operator's log has of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logged {
    /// Nothing: it is the caller's to mend.
    Nothing,
    /// A warning: it passes, or somebody wants to know.
    Warning,
    /// An error: only the operator can mend it.
    Error,
}

/// What an error of a kind means to all who hear of it. The caller reads [`ProviderError::client_message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The status of an answer that has not begun.
    pub status: u16,
    /// The code for programs, in problem documents and in the frames of a stream.
    pub code: &'static str,
    /// Whether the same request may succeed a little later: `x-should-retry`.
    pub should_retry: bool,
    /// What the log has.
    pub logged: Logged,
}

impl ProviderErrorKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Rejected,
        Self::Refused,
        Self::TooLong,
        Self::TooLarge,
        Self::NoModel,
        Self::Unauthorized,
        Self::RateLimited,
        Self::Overloaded,
        Self::BadAnswer,
        Self::Cut,
    ];

    /// What it means: the second half of the table in `error/table.rs`.
    pub const fn meaning(self) -> Meaning {
        use Logged::{Error, Nothing, Warning};
        let (status, code, should_retry, logged) = match self {
            Self::Rejected => (400, "provider_rejected", false, Nothing),
            Self::Refused => (400, "content_policy_violation", false, Nothing),
            Self::TooLong => (400, "context_length_exceeded", false, Nothing),
            Self::TooLarge => (413, "payload_too_large", false, Nothing),
            // A model may have been withdrawn: whoever runs the installation wants to know.
            Self::NoModel => (404, "model_not_found", false, Warning),
            // The operator's key, credit or account: it does not come right by asking again, and nobody else can mend it.
            Self::Unauthorized => (502, "provider_error", false, Error),
            Self::RateLimited | Self::Overloaded => (503, "provider_unavailable", true, Warning),
            Self::BadAnswer | Self::Cut => (502, "provider_error", true, Warning),
        };
        Meaning { status, code, should_retry, logged }
    }

    /// Whether it is the client's to mend.
    pub const fn is_of_the_request(self) -> bool {
        self.meaning().status < 500
    }
}

/// A provider's error, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderError {
    /// Who failed.
    pub provider: Provider,
    /// What it means.
    pub kind: ProviderErrorKind,
    /// The HTTP status, if the error came as one.
    pub status: Option<u16>,
    /// The provider's own message for the log: one line, at most 300 characters, nothing in it that looks like a key.
    /// A client may see it only when it is about the client's request; [`ProviderError::client_message`] decides.
    pub message: String,
    /// The provider's own code: `context_length_exceeded`, `overloaded_error`, `RESOURCE_EXHAUSTED`.
    pub code: Option<String>,
    /// When to try again, in seconds, as the provider said. A date in `Retry-After` is for the shell to turn into seconds: there is
    /// no clock here.
    pub retry_after_seconds: Option<u32>,
}

/// The parts of an error body that the providers share under different names.
#[derive(Debug, Default)]
pub(crate) struct ErrorBody {
    pub(crate) message: Option<String>,
    pub(crate) code: Option<String>,
    /// All names it gives itself: code, type, status, reasons.
    pub(crate) names: Vec<String>,
    pub(crate) retry_after_seconds: Option<u32>,
}

impl ProviderError {
    pub(crate) fn new(provider: Provider, kind: ProviderErrorKind, message: &str) -> Self {
        Self { provider, kind, status: None, message: safe_line(message), code: None, retry_after_seconds: None }
    }

    pub(crate) fn bad_answer(provider: Provider, message: &str) -> Self {
        Self::new(provider, ProviderErrorKind::BadAnswer, message)
    }

    /// An HTTP answer that is no success.
    pub(crate) fn from_status(provider: Provider, status: u16, retry_after: Option<&str>, mut body: ErrorBody) -> Self {
        body.retry_after_seconds = retry_after.and_then(parse_seconds).or(body.retry_after_seconds);
        let kind = table::kind_of(Some(status), &body);
        let message = body.message.unwrap_or_else(|| format!("HTTP status {status} without a message"));
        Self {
            status: Some(status),
            code: body.code.map(|code| safe_line(&code)),
            retry_after_seconds: body.retry_after_seconds,
            ..Self::new(provider, kind, &message)
        }
    }

    /// An error that came inside a stream, after a 200.
    pub(crate) fn in_stream(provider: Provider, body: ErrorBody) -> Self {
        let kind = table::kind_of(None, &body);
        Self {
            code: body.code.map(|code| safe_line(&code)),
            retry_after_seconds: body.retry_after_seconds,
            ..Self::new(provider, kind, body.message.as_deref().unwrap_or("error without a message"))
        }
    }

    /// What a client may read: the provider's words when they are about the client's request, else only what happened.
    pub fn client_message(&self) -> String {
        let name = self.provider.display_name();
        match self.kind {
            ProviderErrorKind::Rejected
            | ProviderErrorKind::Refused
            | ProviderErrorKind::TooLong
            | ProviderErrorKind::TooLarge => without_links(&self.message),
            ProviderErrorKind::NoModel => {
                format!("{name} has no model of this name (any more), or it is not open to this service.")
            }
            ProviderErrorKind::Unauthorized => {
                format!("{name} did not accept this service's credentials.")
            }
            ProviderErrorKind::RateLimited => {
                format!("{name} is receiving too many requests at the moment; try again later.")
            }
            ProviderErrorKind::Overloaded => {
                format!("{name} is not able to answer at the moment; try again later.")
            }
            ProviderErrorKind::BadAnswer => {
                format!("{name} sent an answer that could not be read.")
            }
            ProviderErrorKind::Cut => {
                format!("The answer from {name} ended early; what arrived is incomplete.")
            }
        }
    }

    /// The error as an SSE frame. The official SDKs raise an `APIError` on any `data:` that has an `error`
    /// (openai-node `core/streaming.ts`, openai-python `_streaming.py`), so no `[DONE]` follows: the stream just ends.
    pub(crate) fn to_frame(&self) -> String {
        let kind = if self.kind.is_of_the_request() { "invalid_request_error" } else { "server_error" };
        let error =
            json!({"message": self.client_message(), "type": kind, "param": null, "code": self.kind.meaning().code});
        format!("data: {}\n\n", json!({"error": error}))
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.provider, self.kind)?;
        if let Some(status) = self.status {
            write!(f, " (status {status})")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for ProviderError {}

/// Seconds from `Retry-After: 12`, `1.5` or Gemini's `34.07s`, rounded up.
pub(crate) fn parse_seconds(text: &str) -> Option<u32> {
    let text = text.trim();
    let (whole, rest) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let seconds: u32 = whole.parse().ok()?;
    let rest = rest.strip_suffix('s').unwrap_or(rest);
    if rest.is_empty() {
        return Some(seconds);
    }
    let fraction = rest.strip_prefix('.').filter(|f| f.bytes().all(|b| b.is_ascii_digit()))?;
    Some(seconds.saturating_add(u32::from(fraction.bytes().any(|b| b != b'0'))))
}

/// A string or a number as text, for codes that are sometimes the one and sometimes the other.
/// The error in an answer or an event that states one, in any provider's spelling: `error` as an object or a text, `errors`,
/// `{"type":"error"}`, `{"object":"error"}`, `{"detail":…}`. An answer with choices, candidates or content is none.
pub(crate) fn stated(body: &Value) -> Option<&Value> {
    let body = body.get(0).unwrap_or(body);
    let is_said = |value: &&Value| !matches!(value, Value::Null | Value::Bool(false)) && *value != "";
    if let Some(error) = body.get("error").filter(is_said) {
        return Some(error);
    }
    if ["choices", "candidates", "content"].iter().any(|name| body.get(name).is_some_and(Value::is_array)) {
        return None;
    }
    let is_error =
        body.get("type").is_some_and(|kind| kind == "error") || body.get("object").is_some_and(|kind| kind == "error");
    if is_error {
        return Some(body);
    }
    body.get("errors").filter(is_said).or_else(|| body.get("detail").filter(is_said))
}

pub(crate) fn code_text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A text without addresses: a provider's lead to pages of the operator's account, where the caller has none.
fn without_links(text: &str) -> String {
    let is_link = |word: &&str| {
        let word = word.to_ascii_lowercase();
        word.contains("://") || word.contains("www.") || word.contains(".com/")
    };
    text.split(' ').filter(|word| !is_link(word)).collect::<Vec<_>>().join(" ")
}

/// Longest message kept, in characters.
const LONGEST_MESSAGE: usize = 300;

/// One line of at most 300 characters without anything that looks like a secret.
pub(crate) fn safe_line(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_*+=".contains(c);
    let mut out = String::new();
    let mut rest = text;
    // A message is read far enough to be cut at 300 characters; a megabyte of HTML is not scanned to its end.
    while !rest.is_empty() && out.len() < 4 * LONGEST_MESSAGE {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        out.push_str(if looks_secret(word) { "[redacted]" } else { word });
        let mut chars = tail.chars();
        if let Some(c) = chars.next() {
            let blank = c.is_whitespace() || c.is_control();
            if !blank {
                out.push(c);
            } else if !out.ends_with(' ') && !out.is_empty() {
                out.push(' ');
            }
        }
        rest = chars.as_str();
    }
    let line = out.trim();
    if line.chars().count() <= LONGEST_MESSAGE {
        return line.to_owned();
    }
    line.chars().take(LONGEST_MESSAGE - 3).chain("...".chars()).collect()
}

fn looks_secret(word: &str) -> bool {
    const PREFIXES: [&str; 9] = ["sk-", "sk_", "rk_", "AIza", "tg_live_", "xai-", "eyJ", "org-", "proj_"];
    let known = PREFIXES.iter().any(|prefix| word.starts_with(prefix) && word.len() > prefix.len() + 3);
    let starred = word.contains("***");
    let random =
        word.len() >= 32 && word.bytes().any(|b| b.is_ascii_digit()) && word.bytes().any(|b| b.is_ascii_alphabetic());
    known || starred || random
}

#[cfg(test)]
mod tests;
