//! The client's body with the few members changed that are Tollgate's business.

use crate::dispatch::{Endpoint, UpstreamRequest};
use crate::members::{Members, quoted};
use crate::model::ModelRef;
use crate::request::{ChatRequest, allowed};

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
    changes.extend(allowed::dropped().map(|name| (name, None)));
    if let Some(end_user) = &request.end_user {
        // `safety_identifier` is its newer name, which few compatible servers know.
        changes.retain(|(name, _)| *name != "user");
        changes.push(("user", Some(quoted(end_user))));
    }
    UpstreamRequest {
        url: endpoint.url("/chat/completions"),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("authorization", format!("Bearer {}", endpoint.api_key)),
        ],
        body: request.members.with(&changes),
    }
}

/// The limit, once, under the name the client used: `max_tokens` is deprecated and refused by reasoning models, but the only
/// one that many compatible servers know. Where both were sent it is the newer one, and the other is taken out.
fn limit(request: &ChatRequest, allowed: Option<u64>) -> Vec<(&'static str, Option<String>)> {
    let Some(limit) = request.clamped_max_tokens(allowed) else {
        return Vec::new();
    };
    let limit = Some(limit.to_string());
    if request.max_tokens.is_some() && request.max_completion_tokens.is_none() {
        vec![("max_tokens", limit)]
    } else {
        vec![("max_completion_tokens", limit), ("max_tokens", None)]
    }
}
