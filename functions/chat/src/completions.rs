//! `POST /v1/chat/completions`

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use tollgate_api::FieldError;
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Reply, read_proven},
    identity::{Asker, Metered, Payer, needs::Chat},
    meter::{MeterClient, RESERVATION_TTL_MS},
};
use tollgate_providers::{ChatRequest, InvalidRequest, InvalidRequestKind, ModelRef, Provider};

use crate::{
    admission::{Admission, admit},
    ask::Question,
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
    let caller = caller.into_asker();
    let prove = async || MeterClient::of(&caller).prove(&scope, &caller).await;
    let body = read_proven(&scope, MAX_BODY_BYTES, prove).await?;
    let request = ChatRequest::parse(&body).map_err(|error| invalid(&error))?;
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
        tollgate_providers::encode_request(&request, &model, &provided.endpoint, None)
            .map_err(|error| invalid(&error))?;
    }
    let worker = scope.clone();
    let request = request.on_behalf_of(end_user(&caller));
    // What is held must be settled, whatever the client does.
    scope.outlive(async move { answer(&worker, &caller, &request, &body, model, provided).await }).await?
}

/// Reserves, asks and settles.
async fn answer(
    scope: &Scope,
    caller: &Asker,
    request: &ChatRequest,
    body: &[u8],
    model: ModelRef,
    provided: Option<Provided>,
) -> Result<Reply, Problem> {
    let ttl_ms = provided.as_ref().map_or(RESERVATION_TTL_MS, |provided| provided.limits.hold_ms());
    match (admit(scope, caller, request, &model, body, ttl_ms).await?, provided) {
        (Admission::Replay(reply), _) => Ok(reply),
        (Admission::Go(hold), None) => Ok(extractive::answer(scope, &hold, request, &model)),
        (Admission::Go(hold), Some(provided)) if request.stream() => {
            streamed::answer(scope, hold, request, model, provided).await
        }
        (Admission::Go(hold), Some(provided)) => {
            once::answer(&Question::new(scope, &hold, request, &model, &provided)).await
        }
    }
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
