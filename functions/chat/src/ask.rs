//! The call of the provider.

use std::{cell::RefCell, time::Duration};

use tollgate_platform::{
    Problem, Scope, clock,
    http::Place,
    outgoing::{self, Answer, Outgoing, Unreachable, Within},
};
use tollgate_providers::{ChatRequest, CompletionMeta, ModelRef, UpstreamRequest};

use crate::{admission::Hold, failure, providers::Provided};

/// The largest whole answer that is read: more than any model writes, and what an isolate can hold.
pub const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// What is sent to a provider, once.
pub struct Call(RefCell<Option<(UpstreamRequest, Option<Place>)>>);

impl Call {
    /// A call, and the place that it takes up in memory.
    pub const fn new(upstream: UpstreamRequest, place: Option<Place>) -> Self {
        Self(RefCell::new(Some((upstream, place))))
    }
}

/// One question to one provider, held for.
pub struct Question<'a> {
    pub scope: &'a Scope,
    pub hold: &'a Hold,
    /// Without what was said in it, which is in the call.
    pub request: &'a ChatRequest,
    call: Call,
    pub model: &'a ModelRef,
    pub provided: &'a Provided,
    /// When it was begun, by the clock on the wall, in milliseconds.
    pub began: i64,
}

impl<'a> Question<'a> {
    /// A question that is begun now.
    pub fn new(
        scope: &'a Scope,
        hold: &'a Hold,
        request: &'a ChatRequest,
        call: Call,
        model: &'a ModelRef,
        provided: &'a Provided,
    ) -> Self {
        Self { scope, hold, request, call, model, provided, began: clock::wall().as_millis() }
    }

    /// Asks, with an answer no longer than what is held for it; any status is an answer.
    pub async fn ask(&self) -> Result<Answer, Problem> {
        let Some((UpstreamRequest { url, headers, body }, place)) = self.call.0.take() else {
            return Err(Problem::internal());
        };
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let call = Outgoing { method: "POST", url: &url, headers: &headers, body: None };
        let limits = &self.provided.limits;
        // A whole answer's head comes with the answer: most providers send nothing before it is written. Head and body share the
        // time of the whole, so that the hold outlasts them.
        let within = if self.request.stream() { Within::Head(limits.first_byte) } else { Within::Whole(limits.whole) };
        outgoing::send_large(self.scope, &call, (body, place), within).await.map_err(|error| self.unreachable(&error))
    }

    /// The whole of an answer.
    pub async fn read(&self, answer: &Answer) -> Result<Vec<u8>, Problem> {
        // What a stream's call answers in one piece has what is left of the time of the whole.
        let gone = Duration::from_millis((clock::wall().as_millis() - self.began).max(0).unsigned_abs());
        let left = self.provided.limits.whole.saturating_sub(gone).max(Duration::from_secs(1));
        answer.bytes(MAX_ANSWER_BYTES, left).await.map_err(|error| self.unreachable(&error))
    }

    /// The provider could not be reached, or broke off, or took too long.
    pub fn unreachable(&self, error: &Unreachable) -> Problem {
        failure::unreachable(self.scope, self.model.provider, error)
    }

    /// What names the answer, where the provider does not.
    pub fn meta(&self) -> CompletionMeta {
        meta(self.scope, self.hold, self.request)
    }
}

/// What names an answer of ours.
pub fn meta(scope: &Scope, hold: &Hold, request: &ChatRequest) -> CompletionMeta {
    CompletionMeta { id: hold.completion_id(), created: scope.now().as_seconds(), model: request.model().to_owned() }
}
