//! `tollgate/extractive`: always there, calls no model.

use http::StatusCode;
use tollgate_platform::{Scope, http::Reply};
use tollgate_providers::{ChatRequest, ModelRef, extractive};

use crate::{
    admission::{Finished, Hold},
    ask::meta,
};

/// Answers from the conversation itself, whole or as a stream.
pub fn answer(scope: &Scope, hold: &Hold, request: &ChatRequest, model: &ModelRef) -> Reply {
    let meta = meta(scope, hold, request);
    let limited = request.clone().limited_to(hold.output_cap(request.requested_max_tokens(), model));
    let request = &limited;
    let (content_type, body, usage) = if request.stream() {
        let (text, usage) = extractive::stream(request, &meta);
        ("text/event-stream", text, usage)
    } else {
        let completion = extractive::answer(request, &meta);
        ("application/json", completion.body, completion.usage)
    };
    let answer = hold.key.is_some().then(|| (200, content_type, body.clone()));
    hold.settle(scope, model, Finished { usage, outcome: "completed", answer });
    hold.with_remaining(Reply::bytes(StatusCode::OK, content_type, body), Some(&usage))
        .with("x-tollgate-cost-microusd", "0")
}
