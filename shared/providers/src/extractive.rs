//! `tollgate/extractive`: answers from the conversation (and documents) by quoting the best passages. It calls no model and says so.
//!
//! It is there so that a fresh clone answers before anyone has an API key, and so that tests have a provider that costs nothing
//! and always says the same. What it can do is find; it does not know anything and does not put anything in its own words.

mod rank;

use crate::completion::{ChoiceOut, Completion, CompletionMeta, completion_body};
use crate::model::Provider;
use crate::request::{ChatRequest, InvalidRequest, Message, ResponseFormat, Role, ToolChoice};
use crate::session::Session;
use crate::tokens::{self, TextTally};
use crate::usage::Usage;

use rank::Sentence;
use serde_json::Value;

/// A piece of a document to answer from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// What to name beside a quote: a title or a link.
    pub source: String,
    /// The text.
    pub text: String,
}

/// Most quotes of one answer.
const MOST_QUOTES: usize = 3;
/// How much of a conversation is looked at, from its end: a long one is about what was said last. Each word of it costs an
/// allocation, so this is what bounds the time of an answer: some tens of milliseconds.
const MOST_CONTEXT_BYTES: usize = 256 * 1024;
/// How much of a question is looked at. A question of this length is 2,500 words.
const MOST_QUESTION_BYTES: usize = 16 * 1024;

const NOT_ALL: &str = "Only the last 256 kB of the conversation were looked at.";

const FOUND: &str = "This is an extractive answer: no model was called. The passages that match your question best:";
const NOT_FOUND: &str =
    "This is an extractive answer: no model was called. Nothing in this conversation matches your question.";
const NOT_FOUND_ANYWHERE: &str = "This is an extractive answer: no model was called. Nothing in this conversation or in the documents matches your question.";

/// Answers the last user message from the conversation itself.
pub fn answer(req: &ChatRequest, meta: &CompletionMeta) -> Completion {
    answer_with(req, &[], meta)
}

/// Answers the last user message from the conversation and from passages of documents, whose sources are named beside the quotes.
///
/// The client's limit on tokens holds (`finish_reason` is `length` when it cut the answer), and `n` gives the same answer n times.
pub fn answer_with(req: &ChatRequest, passages: &[Passage], meta: &CompletionMeta) -> Completion {
    let written = write(req, passages);
    let choice =
        || ChoiceOut { text: Some(written.text.clone()), finish_reason: written.finish_reason, ..ChoiceOut::default() };
    let choices = (0..req.choices()).map(|_| choice()).collect();
    let usage = usage(req, &written);
    Completion { body: completion_body(meta, choices, usage), usage }
}

/// [`answer`] as the whole text of an SSE stream, in several chunks.
pub fn stream(req: &ChatRequest, meta: &CompletionMeta) -> (String, Usage) {
    stream_with(req, &[], meta)
}

/// [`answer_with`] as the whole text of an SSE stream, in several chunks; the usage is where the client asked for it.
pub fn stream_with(req: &ChatRequest, passages: &[Passage], meta: &CompletionMeta) -> (String, Usage) {
    let written = write(req, passages);
    let usage = usage(req, &written);
    let mut session = Session::new(req, Provider::Tollgate, meta.clone());
    let mut finished = Vec::new();
    for choice in 0..req.choices() {
        session.open(choice);
        for piece in pieces(&written.text) {
            session.text(choice, piece);
        }
        finished.push((choice, written.finish_reason));
    }
    session.finish_chunks(&finished, usage);
    (session.take_out() + "data: [DONE]\n\n", usage)
}

struct Written {
    text: String,
    finish_reason: &'static str,
}

/// Tollgate is its own provider here: its counting rule is the definition, not an estimate of someone else's.
fn usage(req: &ChatRequest, written: &Written) -> Usage {
    Usage {
        prompt_tokens: req.prompt_tokens_estimate(),
        completion_tokens: tokens::estimate(&written.text).saturating_mul(req.choices()),
        ..Usage::default()
    }
}

fn write(req: &ChatRequest, passages: &[Passage]) -> Written {
    let last = req.messages.iter().rposition(|message| message.role == Role::User);
    let question = last.map(|last| Question::read(&req.messages[last])).unwrap_or_default();
    let mut candidates = Vec::new();
    for passage in passages {
        candidates.extend(rank::sentences(&passage.text).map(|text| Sentence { text, source: Some(&passage.source) }));
    }
    let before = req.messages[..last.unwrap_or(0)].iter().rev().filter(|message| is_spoken(message));
    let latest_first = std::iter::once(question.context.clone()).chain(before.map(Message::text));
    let (mut texts, mut left, mut all) = (Vec::new(), MOST_CONTEXT_BYTES, true);
    for text in latest_first {
        let kept = end_of(&text, left);
        all &= kept.len() == text.len();
        left -= kept.len();
        texts.push(kept.to_owned());
        if left == 0 {
            break;
        }
    }
    for text in texts.iter().rev() {
        candidates.extend(rank::sentences(text).map(|text| Sentence { text, source: None }));
    }
    // An earlier answer of this kind quotes what is there anyway, and its lead sentence is about nothing.
    candidates.retain(|sentence| {
        !sentence.text.starts_with("This is an extractive answer") && !sentence.text.starts_with('>')
    });
    let best = rank::best(start_of(&question.text, MOST_QUESTION_BYTES), &candidates, MOST_QUOTES);
    let mut text = match best.as_slice() {
        [] if passages.is_empty() => NOT_FOUND.to_owned(),
        [] => NOT_FOUND_ANYWHERE.to_owned(),
        best => best.iter().fold(FOUND.to_owned(), |text, sentence| match sentence.source {
            Some(source) => format!("{text}\n\n> {} — {source}", sentence.text),
            None => format!("{text}\n\n> {}", sentence.text),
        }),
    };
    if !all {
        text = format!("{text}\n\n{NOT_ALL}");
    }
    if let Some(end) = req.stop.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop.as_str())).min()
    {
        text.truncate(end);
    }
    cut(text, req.requested_max_tokens())
}

/// The beginning of a text, at most so many bytes of it.
fn start_of(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// The end of a text, at most so many bytes of it.
fn end_of(text: &str, most: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(most))..]
}

/// What this can not do, by the member that asks for it: whoever gets prose for JSON, or no call of a tool that had to be
/// called, would take it for a fault of their own.
///
/// # Errors
/// The first such member.
pub fn check(req: &ChatRequest) -> Result<(), InvalidRequest> {
    let refused = |field: &str, what: &str| {
        let message = format!("is not something tollgate/extractive can do: {what}. Choose another model for it.");
        Err(InvalidRequest::unsupported(field, message))
    };
    if req.response_format != ResponseFormat::Text {
        return refused("response_format", "it quotes, and writes no JSON");
    }
    if !req.tools.is_empty() {
        return refused("tools", "it calls no tools");
    }
    if matches!(req.tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_) | ToolChoice::Other)) {
        return refused("tool_choice", "it calls no tools");
    }
    for (field, what) in [
        ("functions", "it calls no functions"),
        ("function_call", "it calls no functions"),
        ("logprobs", "it has no probabilities"),
        ("top_logprobs", "it has no probabilities"),
    ] {
        match req.member(field) {
            None | Some(Value::Bool(false)) => {}
            Some(Value::String(word)) if field == "function_call" && word != "required" => {}
            Some(Value::Number(number)) if number.as_u64() == Some(0) => {}
            Some(Value::Array(items)) if items.is_empty() => {}
            Some(_) => return refused(field, what),
        }
    }
    Ok(())
}

fn is_spoken(message: &Message) -> bool {
    matches!(message.role, Role::System | Role::User | Role::Assistant)
}

/// The last user message, taken apart: people paste a text and ask about it in one message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Question {
    text: String,
    context: String,
}

impl Question {
    /// What ends in a question mark asks. Without one, a short message asks as a whole, and of a longer one the first and the last
    /// sentence do, where instructions stand. The rest is context to answer from.
    fn read(message: &Message) -> Self {
        let text = message.text();
        let sentences: Vec<&str> = rank::sentences(&text).collect();
        let is_question = |sentence: &str| sentence.ends_with(['?', '？', '؟']);
        let has_question = sentences.iter().any(|sentence| is_question(sentence));
        let asks = |index: usize, sentence: &str| {
            let stands_out = sentences.len() <= 3 || index == 0 || index + 1 == sentences.len();
            if has_question { is_question(sentence) } else { stands_out }
        };
        let mut question = Self::default();
        for (index, sentence) in sentences.iter().enumerate() {
            let part = if asks(index, sentence) { &mut question.text } else { &mut question.context };
            part.push_str(sentence);
            part.push('\n');
        }
        question
    }
}

/// Cuts at the limit, between characters.
fn cut(mut text: String, max_tokens: Option<u64>) -> Written {
    let Some(max_tokens) = max_tokens else {
        return Written { text, finish_reason: "stop" };
    };
    let mut tally = TextTally::default();
    let mut buffer = [0; 4];
    let end = text.char_indices().find_map(|(at, c)| {
        tally.add(c.encode_utf8(&mut buffer));
        (tally.tokens() > max_tokens).then_some(at)
    });
    match end {
        Some(end) => {
            text.truncate(end);
            Written { text, finish_reason: "length" }
        }
        None => Written { text, finish_reason: "stop" },
    }
}

/// The text in pieces of a few words, each with the blanks that follow it.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    const BYTES: usize = 48;
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let wanted = rest.char_indices().map(|(at, _)| at).find(|at| *at >= BYTES).unwrap_or(rest.len());
        let end = rest[wanted..].find(char::is_whitespace).map_or(rest.len(), |at| wanted + at + 1);
        // A whitespace character may be longer than a byte.
        let end = (end..=rest.len()).find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
        let (piece, tail) = rest.split_at(end);
        rest = tail;
        Some(piece)
    })
}

#[cfg(test)]
mod tests;
