//! `GET /v1/models`, `GET /v1/models/{provider}/{model}`, `GET /v1/models/{id}`

use axum::extract::Path;
use http::StatusCode;
use tollgate_platform::{
    Code, Problem, Scope,
    http::{NoParameters, Query, Reply},
    identity::{Allowed, needs::ChatRead},
};
use tollgate_providers::{ModelRef, Provider, models_list};

use crate::providers;

/// Models have no date of their own here: 2025-01-01.
const CREATED: i64 = 1_735_689_600;

/// The models of the configured providers, in OpenAI's shape. Others of the same providers work too: any name is passed on.
#[utoipa::path(get, path = "/v1/models", tag = "chat", security(("bearer" = [])), responses(
    (status = 200, body = serde_json::Value), (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn list(scope: Scope, _caller: Allowed<ChatRead>, _: Query<NoParameters>) -> Result<Reply, Problem> {
    let body = models_list(&providers::configured(scope.env()), CREATED);
    Ok(Reply::bytes(StatusCode::OK, "application/json", body))
}

/// One model. OpenAI's clients escape the slash in its id, curl does not: both addresses lead here.
#[utoipa::path(get, path = "/v1/models/{provider}/{model}", tag = "chat", security(("bearer" = [])),
    params(("provider" = String, Path), ("model" = String, Path)), responses(
    (status = 200, body = serde_json::Value), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn retrieve(
    scope: Scope,
    _caller: Allowed<ChatRead>,
    Path((provider, model)): Path<(String, String)>,
) -> Result<Reply, Problem> {
    one(&scope, &format!("{provider}/{model}"))
}

/// One model by its id with an escaped slash: `openai%2Fgpt-5`.
#[utoipa::path(get, path = "/v1/models/{id}", tag = "chat", security(("bearer" = [])),
    params(("id" = String, Path)), responses(
    (status = 200, body = serde_json::Value), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn retrieve_by_id(
    scope: Scope,
    _caller: Allowed<ChatRead>,
    Path(id): Path<String>,
) -> Result<Reply, Problem> {
    one(&scope, &id)
}

fn one(scope: &Scope, id: &str) -> Result<Reply, Problem> {
    let model = ModelRef::parse(id).map_err(|error| Problem::new(Code::ModelNotFound, error.to_string()))?;
    if model.provider != Provider::Tollgate && providers::provided(scope.env(), model.provider).is_none() {
        return Err(providers::not_configured(&model));
    }
    Ok(Reply::json(
        StatusCode::OK,
        &serde_json::json!({"id": model.to_string(), "object": "model", "created": CREATED, "owned_by": model.provider.as_str()}),
    ))
}
