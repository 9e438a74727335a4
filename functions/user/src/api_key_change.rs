//! `POST /user/api-keys/{id}/rotate`, `DELETE /user/api-keys/{id}`

use axum::extract::Path;
use http::StatusCode;
use tollgate_api::api_keys::{ApiKeyMadeOut, RotateIn};
use tollgate_domain::{
    api_key::{ApiKey, RotateRefusal},
    audit::{Action, Actor, Entry, Outcome},
    id::ApiKeyId,
};
use tollgate_platform::{
    Code, Problem, Scope, audit,
    http::{Json, Reply, no_content},
    identity::Caller,
    meter::MeterClient,
    once::Once,
    random,
    store::{self, ApiKeyRow},
};

use crate::{
    api_keys::{made, push},
    profile::session_ended,
};

/// The most keys of a user that live at once, those among them that live on after a rotation.
const MAX_LIVING: u32 = 200;

/// Replaces an API key by a new one with the same rights and the same end. The old one goes on working for the overlap. The
/// new secret is answered now and never again.
#[utoipa::path(post, path = "/user/api-keys/{id}/rotate", operation_id = "rotate_api_key", tag = "accounts", security(("bearer" = [])),
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "The same key gets the same answer, and nothing is done twice, for 24 hours")), request_body = RotateIn, responses(
    (status = 201, body = ApiKeyMadeOut), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem, description = "Asked for with an API key"), (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`conflict`: rotated already, or its time is over"),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn rotate(
    scope: Scope,
    caller: Caller,
    once: Once,
    Path(id): Path<String>,
    Json(input): Json<RotateIn>,
) -> Result<Reply, Problem> {
    once.answer(&scope, (caller.tenant, caller.user), &input, rotate_once(&scope, &caller, &id, &input)).await
}

async fn rotate_once(scope: &Scope, caller: &Caller, id: &str, input: &RotateIn) -> Result<Reply, Problem> {
    let (old, row) = own(scope, caller, id).await?;
    if old.revoked_at.is_some() {
        return Err(not_found());
    }
    let now = scope.now();
    let new_id = ApiKeyId::new(now, random::entropy()?);
    let (rotated, token) = old.rotate(new_id, random::bytes()?, input.overlap_ms(), now).map_err(|refusal| {
        let detail = match refusal {
            RotateRefusal::Dead => "The time of this API key is over; make a new one.",
            RotateRefusal::Replaced => "This API key was rotated already; rotate the one that replaced it.",
            RotateRefusal::Overlap => "The overlap must be 0 to 7 days.",
        };
        Problem::new(Code::Conflict, detail)
    })?;
    // The meter first: it must not let the old key in for longer than its overlap. Should the second step fail, it looks the
    // key up again then.
    MeterClient::of(caller).know_keys(scope, vec![rotated.old.for_meter()]).await?;
    let written = store::replace_api_key(scope, &rotated.old, &rotated.new, &token.last_four(), MAX_LIVING).await?;
    if !written {
        return Err(Problem::new(
            Code::Conflict,
            "This API key was changed at the same time, or too many keys live on after their rotation.",
        ));
    }
    // The old one again: a request between the two steps may have told the meter of it as it was.
    push(scope, caller, &[&rotated.old, &rotated.new]).await;
    let entry = entry(scope, caller, Action::ApiKeyRotate, old.id).with("replaced_by", &new_id.to_string());
    audit::record(scope, caller.tenant, &entry).await;
    Ok(made(StatusCode::CREATED, &rotated.new, &row.name, &token))
}

/// Revokes an API key: the very next request with it is refused. Revoking it again is answered the same.
#[utoipa::path(delete, path = "/user/api-keys/{id}", operation_id = "revoke_api_key", tag = "accounts", security(("bearer" = [])),
    params(("id" = String, Path)), responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem, description = "Asked for with an API key"),
    (status = 404, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn revoke(scope: Scope, caller: Caller, Path(id): Path<String>) -> Result<Reply, Problem> {
    let (key, _) = own(&scope, &caller, &id).await?;
    // The meter first: should the second step fail, the client tries again and nothing is left open.
    MeterClient::named(caller.tenant, caller.user, key.product).revoke_keys(&scope, vec![key.id]).await?;
    if store::revoke_api_key(&scope, caller.tenant, caller.user, key.id, scope.now()).await? {
        audit::record(&scope, caller.tenant, &entry(&scope, &caller, Action::ApiKeyRevoke, key.id)).await;
    }
    Ok(no_content())
}

fn not_found() -> Problem {
    Problem::not_found("API key")
}

/// The caller's own key of that id; somebody else's is not there.
async fn own(scope: &Scope, caller: &Caller, id: &str) -> Result<(ApiKey, ApiKeyRow), Problem> {
    let id: ApiKeyId = id.parse().map_err(|_| not_found())?;
    let row = store::own_api_key(scope, caller.tenant, caller.user, id, caller.session).await?.ok_or_else(not_found)?;
    if !row.session_stands() {
        return Err(session_ended());
    }
    let key = row.key(caller.tenant).ok_or_else(Problem::internal)?;
    Ok((key, row))
}

fn entry(scope: &Scope, caller: &Caller, action: Action, id: ApiKeyId) -> Entry {
    let actor = Actor::User { id: caller.user };
    audit::entry(scope, actor, action, "api_key", Some(id.to_string()), Outcome::Success)
}
