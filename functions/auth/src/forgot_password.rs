//! `POST /auth/forgot-password`

use tollgate_api::account::EmailIn;
use tollgate_domain::{
    account::Email,
    audit::{Action, Outcome},
    outgoing_rates::Outgoing,
};
use tollgate_platform::{
    Problem, Scope,
    guard::{self, Asking},
    http::{Json, Reply, no_content},
    identity::MailTokenKind,
    log,
    store::directory,
};

use crate::{mailed, noted};

/// Mails a token to set another password with. The answer is the same, and as quick, for an address nobody registered: all of
/// the work comes after it.
#[utoipa::path(post, path = "/auth/forgot-password", operation_id = "forgot_password", tag = "accounts", request_body = EmailIn, responses(
    (status = 204), (status = 400, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
    (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn forgot(scope: Scope, Json(input): Json<EmailIn>) -> Result<Reply, Problem> {
    let email = Email::parse(&input.email).map_err(|_| Problem::internal())?;
    guard::admit(&scope, Outgoing::LinkMail, Asking::to(email.as_str())).await?;
    let worker = scope.clone();
    scope.wait_until(async move {
        let account = match directory::account_by_email(&worker, &email).await {
            Ok(Some(account)) => account,
            Ok(None) => return,
            Err(_) => {
                log::warn("forgot_password", "a mail was not sent: the database cannot be read", Some(&worker));
                return;
            }
        };
        let (Ok(tenant), Ok(user)) = (account.tenant_id.parse(), account.user_id.parse()) else { return };
        // To the address as it is stored, not as it was typed.
        mailed::try_token(&worker, MailTokenKind::ResetPassword, tenant, user, &account.email).await;
        noted::of_stranger(&worker, tenant, Action::PasswordForgot, "user", account.user_id, Outcome::Success, "");
    });
    Ok(no_content())
}
