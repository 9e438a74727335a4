//! `POST /auth/login`

use http::StatusCode;
use tollgate_api::account::{LoginIn, SignedInOut};
use tollgate_domain::{
    account::{Email, MAX_PASSWORD_CHARS},
    audit::{Action, Outcome},
    id::{TenantId, UserId},
};
use tollgate_platform::{
    Code, Problem, Scope, credentials,
    http::{Json, Reply},
    mailbox,
    password::Verified,
    store::{self, directory},
};

use crate::{guard::Guard, noted, password, tokens};

/// Signs a user in. The same answer, and the same time, for an unknown address and for a wrong password. Where the account has a
/// second factor, a right password alone is answered with `totp_required`.
#[utoipa::path(post, path = "/auth/login", tag = "accounts", request_body = LoginIn, responses(
    (status = 200, body = SignedInOut), (status = 400, body = Problem), (status = 401, body = Problem, description = "`invalid_credentials` or `totp_required`"),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn login(scope: Scope, Json(input): Json<LoginIn>) -> Result<Reply, Problem> {
    // Longer ones were never taken; hashing them would only cost.
    let length = password::normalized(&input.password).chars().count();
    let password = if length <= MAX_PASSWORD_CHARS { input.password.as_str() } else { "" };
    let mut guard = Guard::of(&scope, &input.email);
    guard.admit(&scope).await?;
    // As it was typed: who has an account of before under another spelling than today's finds it first.
    let account = match Email::parse(&input.email).or_else(|_| mailbox::canonical(&input.email)) {
        Ok(email) => directory::account_by_email(&scope, &email).await?,
        Err(_) => None,
    };
    let Some(account) = account else {
        password::verify_nobody(password)?;
        return Err(refused());
    };
    let (Ok(tenant), Ok(user)) = (account.tenant_id.parse(), account.user_id.parse()) else {
        return Err(Problem::internal());
    };
    let denied = |why| {
        let id = account.user_id.clone();
        noted::of_stranger(&scope, tenant, Action::SignIn, "user", id, Outcome::Denied, why);
        refused()
    };
    let verified = password::look_at(password, &account.password_hash)?;
    if verified == Verified::No {
        return Err(denied("password"));
    }
    if account.second_factor != 0 {
        let Some(code) = input.totp else {
            // No guess: the password was right, and who sent it is asked for more.
            guard.give_back(&scope);
            return Err(Problem::new(Code::TotpRequired, "Send the code of your authenticator app too, as `totp`."));
        };
        if !credentials::second_factor(&scope, tenant, user, code).await? {
            denied("code");
            return Err(Problem::new(Code::InvalidCredentials, "The code is wrong, or was used before."));
        }
    }
    let mut signed_in = tokens::sign_in(&scope, tenant, user, &account.password_hash).await?;
    if signed_in.is_none() {
        // Another hash by now: of the same password, when another sign-in has just renewed it.
        let hash = store::password(&scope, tenant, user).await?.ok_or_else(refused)?.password_hash;
        if password::verify(password, &hash)? {
            signed_in = tokens::sign_in(&scope, tenant, user, &hash).await?;
        }
    }
    let signed_in = signed_in.ok_or_else(|| denied("password was changed"))?;
    if verified == Verified::AsTyped || password::is_outdated(&account.password_hash) {
        renew(&scope, tenant, user, account.password_hash, password)?;
    }
    guard.succeeded(&scope, Reply::json(StatusCode::OK, &signed_in)).await
}

/// Stores the password under a hash of today, after the answer.
fn renew(scope: &Scope, tenant: TenantId, user: UserId, before: String, password: &str) -> Result<(), Problem> {
    let (writer, after) = (scope.clone(), password::hash(password)?);
    scope.wait_until(async move {
        // What is not written now is with the next sign-in.
        let _ = store::renew_password_hash(&writer, tenant, user, &before, &after).await;
    });
    Ok(())
}

fn refused() -> Problem {
    Problem::new(Code::InvalidCredentials, "E-mail or password is wrong.")
}
