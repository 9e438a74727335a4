//! `GET /user/config`, `PUT /user/config`

use http::StatusCode;
use tollgate_api::config::{ConfigIn, Precondition, etag};
use tollgate_domain::audit::{Action, Outcome};
use tollgate_platform::{
    Code, Problem, Scope, audit,
    http::{Json, Reply},
    identity::{
        Allowed, Identity,
        needs::{Account, AccountRead},
    },
    store::{self, ConfigRow},
};

use crate::profile::session_ended;

/// The caller's settings: the object that was put last, `{}` before. Its version is the `ETag`.
#[utoipa::path(get, path = "/user/config", operation_id = "read_config", tag = "accounts", security(("bearer" = [])), responses(
    (status = 200, body = Object, headers(("ETag" = String, description = "The version, for If-Match"))),
    (status = 401, body = Problem), (status = 403, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn read(scope: Scope, caller: Allowed<AccountRead>) -> Result<Reply, Problem> {
    let row = stored(&scope, &caller).await?;
    Ok(answer(row.settings, row.version))
}

/// Replaces the caller's settings: what is left out is gone. With `If-Match` only while they are of the version that the writer
/// has read, with `If-None-Match: *` only while there are none: of two writers at once one is refused.
#[utoipa::path(put, path = "/user/config", operation_id = "put_config", tag = "accounts", security(("bearer" = [])),
    params(
        ("If-Match" = Option<String>, Header, description = "The ETag that was read, or `*` for any that was stored"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only while nothing was stored"),
    ),
    request_body = ConfigIn, responses(
    (status = 200, body = Object, headers(("ETag" = String, description = "The new version"))),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 412, body = Problem, description = "`precondition_failed`: somebody else was faster"), (status = 413, body = Problem),
    (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn put(scope: Scope, caller: Allowed<Account>, Json(input): Json<ConfigIn>) -> Result<Reply, Problem> {
    let (if_match, if_none_match) = (scope.header("if-match"), scope.header("if-none-match"));
    let precondition = Precondition::read(if_match.as_deref(), if_none_match.as_deref())
        .map_err(|header| Problem::new(Code::BadRequest, format!("{header} must be one ETag in quotes, or *.")))?;
    stored(&scope, &caller).await?;
    let settings = input.into_json();
    let version = store::put_config(&scope, caller.tenant, caller.user, &settings, precondition).await?;
    let version = version.ok_or_else(|| {
        Problem::new(Code::PreconditionFailed, "The settings are of another version. Read them again, then put yours.")
    })?;
    let id = Some(caller.user.to_string());
    let entry = audit::entry(&scope, caller.actor(), Action::ProfileChange, "user", id, Outcome::Success);
    audit::record(&scope, caller.tenant, &entry.with("changed", "config")).await;
    Ok(answer(settings, version))
}

async fn stored(scope: &Scope, caller: &Identity) -> Result<ConfigRow, Problem> {
    let row = store::config(scope, caller.tenant, caller.user, caller.session).await?;
    row.filter(|row| caller.session.is_none() || row.session_stands != 0).ok_or_else(session_ended)
}

fn answer(settings: String, version: i64) -> Reply {
    Reply::bytes(StatusCode::OK, "application/json", settings).with("etag", &etag(version))
}
