//! `DELETE /user`

use http::StatusCode;
use tollgate_api::{
    FieldError,
    account::{DeleteUserIn, DeletionOut},
};
use tollgate_domain::{
    account::{MAX_PASSWORD_CHARS, NO_PASSWORD},
    audit::{Action, Outcome},
    deletion::{State, subject},
};
use tollgate_platform::{
    Code, Problem, Scope, audit, deletion,
    http::{Json, Reply},
    identity::{MemberOf, actor},
    log, store,
};

use crate::{password, session_ended};

/// Deletes the caller, with all that is kept about them: sign-in, sessions and keys at once, the rest in the minutes after.
///
/// It cannot be undone. Who is alone in a tenant is deleted with the tenant; a team keeps what it is billed for, under a pseudonym.
/// The only owner of a team with others hands it over first. The address can be registered again at once.
#[utoipa::path(delete, path = "/user", operation_id = "delete_user", tag = "accounts", security(("bearer" = [])), request_body = DeleteUserIn, responses(
    (status = 202, body = DeletionOut), (status = 400, body = Problem),
    (status = 401, body = Problem, description = "Also `invalid_credentials`: the password is wrong"),
    (status = 403, body = Problem, description = "Asked for with an API key"),
    (status = 409, body = Problem, description = "`last_owner`"), (status = 413, body = Problem), (status = 415, body = Problem),
    (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn delete(scope: Scope, member: MemberOf, Json(input): Json<DeleteUserIn>) -> Result<Reply, Problem> {
    let stored = store::password_hash(&scope, member.tenant, member.user).await?.ok_or_else(session_ended)?;
    // Who signs in with another provider has none.
    if stored != NO_PASSWORD {
        let password = input.password.filter(|password| password.chars().count() <= MAX_PASSWORD_CHARS);
        let password =
            password.ok_or_else(|| Problem::invalid(vec![FieldError::new("password", "is missing, or too long")]))?;
        if !password::is_right(&scope, member.user, &password, &stored).await? {
            let id = Some(member.user.to_string());
            let denied = audit::entry(&scope, actor(&member), Action::AccountDelete, "user", id, Outcome::Denied);
            audit::record(&scope, member.tenant, &denied.with("why", "password")).await;
            return Err(Problem::new(Code::InvalidCredentials, "The password is wrong; nothing was deleted."));
        }
    }
    let requested_at = scope.now();
    let (tenant, user) = (member.tenant, member.user);
    let id = deletion::request(&scope, &member).await?;
    // The address is free with the answer, unless something is away just now; then the schedule does it.
    if let Err(problem) = deletion::run(&scope, tenant, id, Some(State::Unlisted)).await {
        log::warn("delete_user", &format!("{id} goes on by schedule: {}", problem.detail), Some(&scope));
    }
    let worker = scope.clone();
    scope.wait_until(async move {
        if let Err(problem) = deletion::run(&worker, tenant, id, None).await {
            log::warn("delete_user", &format!("{id} goes on by schedule: {}", problem.detail), Some(&worker));
        }
    });
    Ok(Reply::json(StatusCode::ACCEPTED, &DeletionOut { id, subject: subject(user).to_string(), requested_at }))
}
