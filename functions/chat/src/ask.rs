//! The call of the provider.

use tollgate_platform::{
    Problem, Scope,
    outgoing::{self, Answer, Unreachable},
};
use tollgate_providers::{ChatRequest, CompletionMeta, Endpoint, ModelRef, encode_request};

use crate::{admission::Hold, completions::invalid, failure};

/// One question to one provider, held for.
pub struct Question<'a> {
    pub scope: &'a Scope,
    pub hold: &'a Hold,
    pub request: &'a ChatRequest,
    pub model: &'a ModelRef,
    pub endpoint: &'a Endpoint,
}

impl Question<'_> {
    /// Asks, with an answer no longer than the plan has left; any status is an answer.
    pub async fn ask(&self) -> Result<Answer, Problem> {
        let cap = self.hold.output_cap(self.request.requested_max_tokens(), self.model);
        let upstream = encode_request(self.request, self.model, self.endpoint, cap).map_err(|error| invalid(&error))?;
        let headers = upstream.headers.iter().map(|(name, value)| (*name, value.as_str()));
        outgoing::post(self.scope, &upstream.url, headers, &upstream.body)
            .await
            .map_err(|error| self.unreachable(&error))
    }

    /// The provider could not be reached, or broke off.
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
