//! The client's body with the few members changed that are Tollgate's business.

use crate::dispatch::{Endpoint, UpstreamRequest};
use crate::members::{Members, quoted};
use crate::model::ModelRef;
use crate::request::ChatRequest;

pub(crate) fn encode(
    request: &ChatRequest,
    model: &ModelRef,
    endpoint: &Endpoint,
    max_output_tokens: Option<u64>,
) -> UpstreamRequest {
    let mut changes = vec![("model", Some(quoted(&model.model)))];
    if request.stream() {
        // The usage of a stream is only sent on request, and it is what gets metered.
        let options = request.members.get("stream_options").and_then(Members::parse).unwrap_or_default();
        changes.push(("stream_options", Some(options.with(&[("include_usage", Some("true".to_owned()))]))));
    }
    changes.extend(limit(request, max_output_tokens));
    UpstreamRequest {
        url: endpoint.url("/chat/completions"),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("authorization", format!("Bearer {}", endpoint.api_key)),
        ],
        body: request.members.with(&changes),
    }
}

/// The limit under the name the client used: `max_tokens` is deprecated and refused by reasoning models, but the only one that many
/// compatible servers know.
fn limit(request: &ChatRequest, allowed: Option<u64>) -> Vec<(&'static str, Option<String>)> {
    let Some(allowed) = allowed else {
        return Vec::new();
    };
    let clamp = |requested: Option<u64>| requested.map(|requested| requested.min(allowed).to_string());
    let fields =
        [("max_completion_tokens", clamp(request.max_completion_tokens)), ("max_tokens", clamp(request.max_tokens))];
    let requested: Vec<_> = fields.into_iter().filter(|(_, value)| value.is_some()).collect();
    if requested.is_empty() { vec![("max_completion_tokens", Some(allowed.to_string()))] } else { requested }
}
