//! Mails of an account.

use tollgate_api::Problem;
use tollgate_domain::{
    id::{TenantId, UserId},
    mail::Letter,
};

use crate::{
    Scope,
    identity::{MailToken, MailTokenKind},
    log, mail, random,
    store::{self, ApiKeyRow},
};

/// Makes a token and mails it to its user; an older one of its kind is dead from now on.
pub async fn send_token(
    scope: &Scope,
    kind: MailTokenKind,
    tenant: TenantId,
    user: UserId,
    address: &str,
) -> Result<(), Problem> {
    let token = MailToken::new(kind, tenant, user, random::bytes()?);
    store::issue_mail_token(scope, &token, scope.now()).await?;
    let public = &scope.settings().public_url;
    let link = |page: &str| format!("{public}/{page}?token={}", token.reveal());
    // Half of the hash names the mail and opens nothing.
    let hash = token.hash();
    let event = format!("{} {}", kind.as_str(), hash.get(..32).unwrap_or_default());
    match kind {
        MailTokenKind::VerifyEmail => {
            mail::send(scope, tenant, event, address, &Letter::VerifyEmail { link: &link("verify-email") }).await
        }
        MailTokenKind::ResetPassword => {
            let minutes = kind.lives_ms() / 60_000;
            // More than the newest twenty would bury the link; `GET /user/api-keys` has them all.
            let keys = store::api_keys(scope, tenant, user, None, 20).await?;
            let keys: Vec<_> = keys.iter().map(ApiKeyRow::line).collect();
            let letter = Letter::ResetPassword { link: &link("reset-password"), minutes, keys: &keys };
            mail::send(scope, tenant, event, address, &letter).await
        }
    }
}

/// The same where the request is carried out whether it works or not.
pub async fn try_token(scope: &Scope, kind: MailTokenKind, tenant: TenantId, user: UserId, address: &str) {
    if let Err(problem) = send_token(scope, kind, tenant, user, address).await {
        log::warn(
            "mailed",
            &format!("a {} mail could not be asked for: {}", kind.as_str(), problem.detail),
            Some(scope),
        );
    }
}

/// Tells a user what happened, after the answer.
pub fn tell(scope: &Scope, tenant: TenantId, event: String, address: String, letter: Notice) {
    let sender = scope.clone();
    scope.wait_until(async move {
        let sent = match &letter {
            Notice::PasswordChanged => mail::send(&sender, tenant, event, &address, &Letter::PasswordChanged).await,
            Notice::NewDevice { device, from } => {
                let letter = Letter::NewDevice { device, address: from.as_deref(), at: sender.now() };
                mail::send(&sender, tenant, event, &address, &letter).await
            }
        };
        if let Err(problem) = sent {
            log::warn("mailed", &format!("a notice could not be asked for: {}", problem.detail), Some(&sender));
        }
    });
}

/// Welcomes a user whose address is confirmed, after the answer and once.
pub fn welcome(scope: &Scope, tenant: TenantId, user: UserId) {
    let sender = scope.clone();
    scope.wait_until(async move {
        let Ok(readers) = store::notifications::readers(&sender, tenant, Some(user)).await else { return };
        let link = sender.settings().public_url.clone();
        for reader in readers {
            let event = format!("welcome {user}");
            if mail::send(&sender, tenant, event, &reader.email, &Letter::Welcome { link: &link }).await.is_err() {
                log::warn("mailed", "a welcome could not be asked for", Some(&sender));
            }
        }
    });
}

/// What a user is told without having asked.
pub enum Notice {
    /// The password was changed.
    PasswordChanged,
    /// A device signed in that did not before.
    NewDevice {
        /// What it calls itself.
        device: String,
        /// Where it is.
        from: Option<String>,
    },
}
