//! `POST /auth/login`

use http::StatusCode;
use tollgate_api::account::{LoginIn, SignedInOut};
use tollgate_domain::{
    account::{Email, MAX_PASSWORD_CHARS},
    audit::{Action, Outcome},
};
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Json, Reply},
    store::directory,
};

use crate::{guard::Guard, noted, password, tokens};

/// Signs a user in. The same answer, and the same time, for an unknown address and for a wrong password.
#[utoipa::path(post, path = "/auth/login", tag = "accounts", request_body = LoginIn, responses(
    (status = 200, body = SignedInOut), (status = 400, body = Problem), (status = 401, body = Problem, description = "`invalid_credentials`"),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn login(scope: Scope, Json(input): Json<LoginIn>) -> Result<Reply, Problem> {
    // Longer ones were never taken; hashing them would only cost.
    let password = if input.password.chars().count() <= MAX_PASSWORD_CHARS { input.password.as_str() } else { "" };
    let mut guard = Guard::of(&scope, &input.email);
    guard.admit(&scope).await?;
    let account = match Email::parse(&input.email) {
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
    if !password::verify(password, &account.password_hash)? {
        return Err(denied("password"));
    }
    let signed_in = tokens::sign_in(&scope, tenant, user, &account.password_hash).await?;
    let signed_in = signed_in.ok_or_else(|| denied("password was changed"))?;
    guard.succeeded(&scope, Reply::json(StatusCode::OK, &signed_in)).await
}

fn refused() -> Problem {
    Problem::new(Code::InvalidCredentials, "E-mail or password is wrong.")
}
