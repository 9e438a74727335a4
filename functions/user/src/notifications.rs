//! `GET /user/notifications`, `PUT /user/notifications`

use http::StatusCode;
use tollgate_api::notifications::{NotificationsIn, NotificationsOut};
use tollgate_domain::audit::{Action, Outcome};
use tollgate_platform::{
    Problem, Scope, audit,
    http::{Json, Reply},
    identity::{
        Allowed, Identity,
        needs::{Account, AccountRead},
    },
    notifications::key,
    store::notifications,
};

use crate::profile::session_ended;

/// Which mails the caller gets. Mails about the account's safety and about money cannot be switched off.
#[utoipa::path(get, path = "/user/notifications", operation_id = "read_notifications", tag = "accounts", security(("bearer" = [])), responses(
    (status = 200, body = NotificationsOut), (status = 401, body = Problem), (status = 403, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn read(scope: Scope, caller: Allowed<AccountRead>) -> Result<Reply, Problem> {
    Ok(Reply::json(StatusCode::OK, &wanted(&scope, &caller).await?))
}

/// Says which mails the caller wants; what is left out stays as it is.
#[utoipa::path(put, path = "/user/notifications", operation_id = "put_notifications", tag = "accounts", security(("bearer" = [])),
    request_body = NotificationsIn, responses(
    (status = 200, body = NotificationsOut), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn put(scope: Scope, caller: Allowed<Account>, Json(input): Json<NotificationsIn>) -> Result<Reply, Problem> {
    let before = wanted(&scope, &caller).await?;
    let now = NotificationsOut {
        reminders: input.reminders.unwrap_or(before.reminders),
        quota_warnings: input.quota_warnings.unwrap_or(before.quota_warnings),
        summary: input.summary.unwrap_or(before.summary),
    };
    let key = key(&scope, caller.tenant, caller.user).await?;
    let switches = [now.reminders, now.quota_warnings, now.summary];
    notifications::put(&scope, caller.tenant, caller.user, switches, &key).await?;
    let id = Some(caller.user.to_string());
    let entry = audit::entry(&scope, caller.actor(), Action::ProfileChange, "user", id, Outcome::Success);
    audit::record(&scope, caller.tenant, &entry.with("changed", "notifications")).await;
    Ok(Reply::json(StatusCode::OK, &now))
}

async fn wanted(scope: &Scope, caller: &Identity) -> Result<NotificationsOut, Problem> {
    let row = notifications::preferences(scope, caller.tenant, caller.user, caller.session).await?;
    let row = row.filter(|row| caller.session.is_none() || row.session_stands != 0).ok_or_else(session_ended)?;
    Ok(NotificationsOut {
        reminders: row.reminders != 0,
        quota_warnings: row.quota_warnings != 0,
        summary: row.summary != 0,
    })
}
