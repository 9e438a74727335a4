//! `GET /user/profile`, `PATCH /user/profile`

use http::StatusCode;
use tollgate_api::account::{ProfilePatch, UserOut};
use tollgate_domain::{
    audit::{Action, Outcome},
    time::Timestamp,
};
use tollgate_platform::{
    Code, Problem, Scope, audit,
    http::{Json, Reply},
    identity::{
        Allowed, Identity,
        needs::{Account, AccountRead},
    },
    store,
};

/// Who the caller is.
#[utoipa::path(get, path = "/user/profile", tag = "accounts", security(("bearer" = [])), responses(
    (status = 200, body = UserOut), (status = 401, body = Problem), (status = 403, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn read(scope: Scope, caller: Allowed<AccountRead>) -> Result<Reply, Problem> {
    Ok(Reply::json(StatusCode::OK, &profile(&scope, &caller).await?))
}

/// Changes how to address the caller.
#[utoipa::path(patch, path = "/user/profile", tag = "accounts", security(("bearer" = [])), request_body = ProfilePatch, responses(
    (status = 200, body = UserOut), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 413, body = Problem),
    (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn change(scope: Scope, caller: Allowed<Account>, Json(patch): Json<ProfilePatch>) -> Result<Reply, Problem> {
    let mut user = profile(&scope, &caller).await?;
    if let Some(name) = patch.name {
        let name = name.map(|name| name.trim().to_owned());
        store::rename(&scope, caller.tenant, caller.user, name.as_deref()).await?;
        user.name = name;
        let id = Some(caller.user.to_string());
        let entry = audit::entry(&scope, caller.actor(), Action::ProfileChange, "user", id, Outcome::Success);
        // That the name changed, not what it is: the log is kept when the user is deleted.
        audit::record(&scope, caller.tenant, &entry.with("changed", "name")).await;
    }
    Ok(Reply::json(StatusCode::OK, &user))
}

async fn profile(scope: &Scope, caller: &Identity) -> Result<UserOut, Problem> {
    let row = store::profile(scope, caller.tenant, caller.user, caller.session).await?;
    let row = row.filter(|row| caller.session.is_none() || row.session_stands()).ok_or_else(session_ended)?;
    Ok(UserOut {
        id: caller.user,
        email: row.email,
        email_verified: row.email_verified != 0,
        name: row.name,
        tenant_id: caller.tenant,
        role: row.role,
        created_at: Timestamp::from_millis(row.created_at),
    })
}

/// 401 for a session that was ended.
pub fn session_ended() -> Problem {
    Problem::new(Code::SessionRevoked, "This session was ended. Sign in again.")
}
