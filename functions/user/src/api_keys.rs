//! `GET /user/api-keys`, `POST /user/api-keys`

use http::StatusCode;
use tollgate_api::{
    FieldError,
    api_keys::{ApiKeyIn, ApiKeyMadeOut, ApiKeyOut},
    usage::PageOut,
};
use tollgate_domain::{
    api_key::{ApiKey, NewApiKey, Token},
    audit::{Action, Actor, Outcome},
    id::ApiKeyId,
    meter::RateLimit,
    time::Timestamp,
};
use tollgate_platform::{
    Code, Problem, Scope, audit,
    http::{Json, Page, Query, Reply, cut},
    identity::{Allowed, Caller, needs::AccountRead},
    log,
    meter::MeterClient,
    once::Once,
    random,
    store::{self, ApiKeyRow},
};

use crate::profile::session_ended;

/// The most keys of a user. Those that live on after a rotation do not count.
const MAX_KEYS: u32 = 100;

/// The caller's API keys, the newest first, without their secrets. Revoked ones are gone; those whose time is over are
/// listed until they are revoked.
#[utoipa::path(get, path = "/user/api-keys", operation_id = "list_api_keys", tag = "accounts", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100, 20 when left out"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, body = PageOut<ApiKeyOut>), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "A key without `account:read`"), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn list(scope: Scope, caller: Allowed<AccountRead>, Query(page): Query<Page>) -> Result<Reply, Problem> {
    let (limit, after) = (page.limit()?, page.after::<ApiKeyId>()?);
    if let Some(session) = caller.session
        && !store::session_stands(&scope, caller.tenant, caller.user, session).await?
    {
        return Err(session_ended());
    }
    let rows = store::api_keys(&scope, caller.tenant, caller.user, after, limit + 1).await?;
    let keys = rows.into_iter().filter_map(|row| row.key(caller.tenant).map(|key| (key, row)));
    let (keys, next_cursor) = cut(keys, limit, |(key, _)| key.id.to_string());
    let data = keys.into_iter().map(|(key, row)| shown(&key, row)).collect();
    Ok(Reply::json(StatusCode::OK, &PageOut::<ApiKeyOut> { data, next_cursor }))
}

fn shown(key: &ApiKey, row: ApiKeyRow) -> ApiKeyOut {
    ApiKeyOut::new(key, row.name, row.last_four, row.last_used_at.map(Timestamp::from_millis))
}

/// Makes an API key. Its secret is answered now and never again. Only who signed in makes keys: a key that leaked cannot make
/// others.
#[utoipa::path(post, path = "/user/api-keys", operation_id = "make_api_key", tag = "accounts", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key gets the same answer, and nothing is done twice, for 24 hours")),
    request_body = ApiKeyIn, responses(
    (status = 201, body = ApiKeyMadeOut), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem, description = "Asked for with an API key"), (status = 409, body = Problem, description = "`conflict`: 100 keys are there"),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn make(scope: Scope, caller: Caller, once: Once, Json(input): Json<ApiKeyIn>) -> Result<Reply, Problem> {
    once.answer(&scope, (caller.tenant, caller.user), &input, make_once(&scope, &caller, &input)).await
}

async fn make_once(scope: &Scope, caller: &Caller, input: &ApiKeyIn) -> Result<Reply, Problem> {
    let now = scope.now();
    let new = NewApiKey {
        scopes: input.scopes().map_err(|error| Problem::invalid(vec![error]))?,
        rate: input.requests_per_minute.map(RateLimit::of_key),
        expires_at: input.expires_at,
    };
    let id = ApiKeyId::new(now, random::entropy()?);
    let token = Token::new(caller.product, caller.tenant, caller.user, id, random::bytes()?);
    let key = ApiKey::issue(&token, &new, now)
        .map_err(|invalid| Problem::invalid(vec![FieldError::new("expires_at", invalid.to_string())]))?;
    if !store::session_stands(scope, caller.tenant, caller.user, caller.session).await? {
        return Err(session_ended());
    }
    let name = input.name.trim();
    if !store::add_api_key(scope, &key, name, &token.last_four(), MAX_KEYS).await? {
        return Err(Problem::new(
            Code::Conflict,
            format!("There are {MAX_KEYS} API keys already. Revoke one that is not needed any more."),
        ));
    }
    push(scope, caller, &[&key]).await;
    let actor = Actor::User { id: caller.user };
    let entry = audit::entry(scope, actor, Action::ApiKeyCreate, "api_key", Some(id.to_string()), Outcome::Success);
    audit::record(scope, caller.tenant, &entry.with("name", name).with("scopes", &key.scopes.to_string())).await;
    Ok(made(StatusCode::CREATED, &key, name, &token))
}

/// The answer that has the secret.
pub fn made(status: StatusCode, key: &ApiKey, name: &str, token: &Token) -> Reply {
    let key = ApiKeyOut::new(key, name.to_owned(), token.last_four(), None);
    Reply::json(status, &ApiKeyMadeOut { key, secret: token.reveal() })
}

/// Tells the meter of keys. A push that is lost is made up for when a key is used first.
pub async fn push(scope: &Scope, caller: &Caller, keys: &[&ApiKey]) {
    let told = keys.iter().map(|key| key.for_meter()).collect();
    if MeterClient::of(caller).know_keys(scope, told).await.is_err() {
        log::warn("api_keys", "the meter was not told of a key; it will ask", Some(scope));
    }
}
