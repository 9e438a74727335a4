//! `POST /auth/verify-email`, `POST /auth/verify-email/resend`

use tollgate_api::{FieldError, account::TokenIn};
use tollgate_domain::{audit::Action, outgoing_rates::Outgoing};
use tollgate_platform::{
    Code, Problem, Scope,
    account::first_proof,
    guard::{self, Asking},
    http::{Json, Reply, no_content},
    identity::{Caller, MailToken, MailTokenKind},
    store, trials,
};

use crate::{mailed, noted};

/// Confirms an address with the token that was mailed to it: good once, for three days. Send the access token of the account
/// along, as `Authorization: Bearer`, and everything stays as it is: account and mailbox are one person's. Without it, whoever
/// made the account may be a stranger to the mailbox, and the first proof of the address ends what was made before: sessions,
/// API keys, second factor, linked providers, invitations and single sign-on; who was let in stays as a plain member. The
/// password stays: sign in with it.
#[utoipa::path(post, path = "/auth/verify-email", operation_id = "verify_email", tag = "accounts", request_body = TokenIn, responses(
    (status = 204), (status = 400, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
    (status = 422, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn verify(scope: Scope, Json(input): Json<TokenIn>) -> Result<Reply, Problem> {
    let token = MailToken::parse(MailTokenKind::VerifyEmail, &input.token).ok_or_else(dead)?;
    let holder = store::mail_token_holder(&scope, &token, scope.now()).await?.ok_or_else(dead)?;
    let stays =
        holder.email_verified != 0 || first_proof::comes_from_its_maker(&scope, token.tenant, token.user).await?;
    let stopped = if stays { None } else { Some(first_proof::stop(&scope, token.tenant, token.user, true).await?) };
    if !store::verify_email(&scope, &token, stays, scope.now()).await? {
        return Err(dead());
    }
    if let Some(stopped) = stopped {
        stopped.stop_the_rest(&scope).await?;
        noted::of_first_proof(&scope, token.tenant, token.user, Action::EmailVerify).await;
    } else {
        noted::of_user(&scope, token.tenant, token.user, Action::EmailVerify).await;
    }
    trials::confirm(&scope, token.tenant, token.user).await;
    mailed::welcome(&scope, token.tenant, token.user);
    Ok(no_content())
}

/// Mails the caller another token; the one before is dead. Nothing is mailed when the address is
/// confirmed: then the meters are told so again.
#[utoipa::path(post, path = "/auth/verify-email/resend", operation_id = "resend_verification", tag = "accounts", security(("bearer" = [])), responses(
    (status = 204), (status = 401, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn resend(scope: Scope, caller: Caller) -> Result<Reply, Problem> {
    let row = store::profile(&scope, caller.tenant, caller.user, caller.session).await?;
    let row = row.filter(store::ProfileRow::session_stands).ok_or_else(session_ended)?;
    if row.email_verified == 0 {
        guard::admit(&scope, Outgoing::LinkMail, Asking::to(&row.email)).await?;
        mailed::send_token(&scope, MailTokenKind::VerifyEmail, caller.tenant, caller.user, &row.email).await?;
    } else {
        trials::tell_meters(&scope, caller.tenant, caller.user).await?;
    }
    Ok(no_content())
}

/// 401 for a session that was ended.
pub fn session_ended() -> Problem {
    Problem::new(Code::SessionRevoked, "This session was ended. Sign in again.")
}

/// The same for a token that is used up, too old, replaced by a later one, or invented.
pub fn dead() -> Problem {
    Problem::invalid(vec![FieldError::new("token", "is not good (any more); ask for another mail")])
}
