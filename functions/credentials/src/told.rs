//! Mails that tell a user what happened to the account.

use tollgate_domain::{
    id::{TenantId, UserId},
    mail::Letter,
};
use tollgate_platform::{Problem, Scope, log, mail, store};

/// Writes to a user, after the answer.
pub fn user(scope: &Scope, tenant: TenantId, user: UserId, letter: Letter<'static>) {
    let sender = scope.clone();
    scope.wait_until(async move {
        if let Err(problem) = write(&sender, tenant, user, &letter).await {
            log::warn("told", &format!("a notice could not be asked for: {}", problem.detail), Some(&sender));
        }
    });
}

async fn write(scope: &Scope, tenant: TenantId, user: UserId, letter: &Letter<'static>) -> Result<(), Problem> {
    let Some(account) = store::password(scope, tenant, user).await? else { return Ok(()) };
    let event = format!("{} {}", letter.kind(), scope.request_id());
    mail::send(scope, tenant, event, &account.email, letter).await
}
