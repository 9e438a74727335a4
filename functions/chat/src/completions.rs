//! `POST /v1/chat/completions`

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use tollgate_api::FieldError;
use tollgate_platform::{
    Code, Problem, Scope,
    http::{ReadBody, Reply, read_proven},
    identity::{Asker, Metered, Payer, needs::Chat},
    meter::{MeterClient, RESERVATION_TTL_MS},
};
use tollgate_providers::{ChatRequest, InvalidRequest, InvalidRequestKind, ModelRef, Provider, encode_request};

use crate::{
    admission::{Admission, admit},
    ask::{Call, Question},
    extractive, once,
    providers::{self, Provided},
    streamed,
};

/// Images come inside the body.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Answers a conversation: OpenAI's request and answer, for every configured provider. With `stream: true` the answer
/// comes as server-sent events. Metered: one request, and prompt and answer in tokens.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "chat", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key gets the same answer and one charge, for 24 hours")),
    request_body(content = serde_json::Value, description = "OpenAI's chat completion request; `model` is `provider/model`",
        example = json!({"model": "tollgate/extractive", "messages": [{"role": "user", "content": "What is a toll gate?"}]})),
    responses(
        (status = 200, body = serde_json::Value, description = "OpenAI's chat completion, or its chunks as `text/event-stream`; `usage` is always there"),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 402, body = Problem, description = "`trial_expired`"),
        (status = 403, body = Problem), (status = 404, body = Problem, description = "`model_not_found`"), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem, description = "`quota_exceeded`"),
        (status = 502, body = Problem), (status = 503, body = Problem), (status = 504, body = Problem, description = "`provider_timeout`"),
    ))]
#[worker::send]
pub async fn completions(scope: Scope, caller: Metered<Chat>) -> Result<Reply, Problem> {
    let (worker, caller) = (scope.clone(), caller.into_asker());
    // What is held must be settled, whatever the client does; and what is read must be let go when it leaves in the middle of it.
    scope.outlive(async move { complete(&worker, &caller).await }).await?
}

/// Reads the request, and has it answered.
async fn complete(scope: &Scope, caller: &Asker) -> Result<Reply, Problem> {
    let prove = async || MeterClient::of(caller).prove(scope, caller).await;
    let body = read_proven(scope, MAX_BODY_BYTES, prove).await?;
    let request = ChatRequest::parse(&body.bytes).map_err(|error| invalid(&error))?;
    let model =
        ModelRef::parse(request.model()).map_err(|error| Problem::new(Code::ModelNotFound, error.to_string()))?;
    let provided = match model.provider {
        Provider::Tollgate => None,
        provider => Some(providers::provided(scope.env(), provider).ok_or_else(|| providers::not_configured(&model))?),
    };
    if model.provider == Provider::Tollgate {
        tollgate_providers::extractive::check(&request).map_err(|error| invalid(&error))?;
    }
    // What the provider has no equivalent for is said before anything is held. OpenAI has an equivalent for everything.
    if let Some(provided) = provided.as_ref().filter(|_| model.provider != Provider::OpenAi) {
        encode_request(&request, &model, &provided.endpoint, None).map_err(|error| invalid(&error))?;
    }
    let request = request.on_behalf_of(end_user(caller));
    answer(scope, caller, request, body, model, provided).await
}

/// Reserves, asks and settles.
async fn answer(
    scope: &Scope,
    caller: &Asker,
    request: ChatRequest,
    ReadBody { bytes, place }: ReadBody,
    model: ModelRef,
    provided: Option<Provided>,
) -> Result<Reply, Problem> {
    let ttl_ms = provided.as_ref().map_or(RESERVATION_TTL_MS, |provided| provided.limits.hold_ms());
    let hold = match admit(scope, caller, &request, &model, &bytes, ttl_ms).await? {
        Admission::Replay(reply) => return Ok(reply),
        Admission::Go(hold) => hold,
    };
    drop(bytes);
    let Some(provided) = provided else {
        return Ok(extractive::answer(scope, &hold, &request, &model));
    };
    let cap = hold.output_cap(request.requested_max_tokens(), &model);
    let upstream = encode_request(&request, &model, &provided.endpoint, cap).map_err(|error| {
        let problem = invalid(&error);
        hold.release(scope, &problem);
        problem
    })?;
    // What was said is in what is sent now, and nowhere else; with the last of it sent, its place is free.
    let (request, call) = (request.without_content(), Call::new(upstream, place));
    if request.stream() {
        return streamed::answer(scope, hold, &request, call, model, provided).await;
    }
    once::answer(&Question::new(scope, &hold, &request, call, &model, &provided)).await
}

/// Whoever asks, as a provider is told: it can tell one person from the others and blocks an abuser alone, and learns nothing.
/// Ids have 74 random bits, so a digest of them leads to nobody.
fn end_user(caller: &Asker) -> String {
    let (tenant, user, _) = caller.payer();
    let digest = Sha256::digest(format!("tollgate end user\0{tenant}\0{user}"));
    format!("tg_{}", Base64UrlUnpadded::encode_string(&digest[..24]))
}

/// What is wrong with a request, as a problem.
pub fn invalid(error: &InvalidRequest) -> Problem {
    let field = if error.field.is_empty() { "body" } else { &error.field };
    match error.kind {
        InvalidRequestKind::NotJson => Problem::new(Code::BadRequest, error.message.clone()),
        _ => Problem {
            detail: format!("{field}: {}", error.message),
            ..Problem::invalid(vec![FieldError::new(field, error.message.clone())])
        },
    }
}
