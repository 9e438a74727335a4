//! `POST /auth/reset-password`

use tollgate_api::{FieldError, account::ResetPasswordIn};
use tollgate_domain::{
    account::{Email, check_password},
    audit::Action,
};
use tollgate_platform::{
    Problem, Scope,
    account::first_proof,
    credentials,
    http::{Json, Reply, no_content},
    identity::{MailToken, MailTokenKind},
    store, trials,
};

use crate::{
    guard::Guard,
    mailed::{self, Notice},
    noted, password,
    verify_email::dead,
};

/// Sets another password with a mailed token, good once and for half an hour, and ends every session; with `revoke_api_keys`
/// every API key of the user too (the mail lists them). Where the address was never confirmed, this is its first proof: keys,
/// second factor, linked providers, invitations and single sign-on made before end with it in any case.
#[utoipa::path(post, path = "/auth/reset-password", operation_id = "reset_password", tag = "accounts", request_body = ResetPasswordIn, responses(
    (status = 204), (status = 400, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
    (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn reset(scope: Scope, Json(input): Json<ResetPasswordIn>) -> Result<Reply, Problem> {
    let token = MailToken::parse(MailTokenKind::ResetPassword, &input.token).ok_or_else(dead)?;
    // An invented token is a failure of the address it comes from.
    let now = scope.now();
    let mut stranger = Guard::of(&scope, "");
    stranger.admit_address(&scope).await?;
    let holder = store::mail_token_holder(&scope, &token, now).await?.ok_or_else(dead)?;
    stranger.give_back(&scope);
    let (address, is_first_proof) = (holder.email, holder.email_verified == 0);
    let email = Email::parse(&address).map_err(|_| Problem::internal())?;
    let password = password::normalized(&input.password);
    check_password(&password, &email)
        .map_err(|weak| Problem::invalid(vec![FieldError::new("password", weak.to_string())]))?;
    credentials::check_not_breached(&scope, "password", &password).await?;
    let hash = password::hash(&password)?;

    // The meters first: should a later step fail, the token is still good, and whoever tries again leaves nothing open.
    let keys_too = is_first_proof || input.revoke_api_keys;
    let stopped = first_proof::stop(&scope, token.tenant, token.user, keys_too).await?;
    if !store::reset_password(&scope, &token, &hash, now).await? {
        return Err(dead());
    }
    // Those that were opened or refreshed in the meantime. From here on the old password opens none.
    stopped.stop_the_rest(&scope).await?;

    if is_first_proof {
        noted::of_first_proof(&scope, token.tenant, token.user, Action::PasswordReset).await;
        trials::confirm(&scope, token.tenant, token.user).await;
    } else {
        noted::of_user(&scope, token.tenant, token.user, Action::PasswordReset).await;
        if keys_too {
            noted::of_user(&scope, token.tenant, token.user, Action::ApiKeyRevoke).await;
        }
    }
    let event = format!("password_changed {}", scope.request_id());
    mailed::tell(&scope, token.tenant, event, address, Notice::PasswordChanged);
    // Whoever reads the mail is let in: this device is not a stranger's any more.
    Guard::of(&scope, email.as_str()).succeeded(&scope, no_content()).await
}
