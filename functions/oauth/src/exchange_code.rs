//! `POST /auth/oauth/token`

use http::StatusCode;
use tollgate_api::account::{SignInCodeIn, SignedInOut};
use tollgate_platform::{
    Problem, Scope,
    federation::{Browser, code_hash, refused, tokens},
    http::{Json, Reply},
    store::{directory_federation, provider_identities},
};

/// Answers the tokens for the `code` that a page got in its address: once, within a minute, in the browser that signed in.
#[utoipa::path(post, path = "/auth/oauth/token", operation_id = "exchange_sign_in_code", tag = "accounts", request_body = SignInCodeIn, responses(
    (status = 200, body = SignedInOut), (status = 201, body = SignedInOut, description = "The account was made just now"),
    (status = 400, body = Problem), (status = 401, body = Problem, description = "`sign_in_refused`"),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn exchange(scope: Scope, Json(input): Json<SignInCodeIn>) -> Result<Reply, Problem> {
    let dead = || refused(&"the code is not good (any more), or was given to another browser");
    let browser = Browser::of(&scope).map(|browser| browser.hash());
    let row = directory_federation::take_code(&scope, &code_hash(&input.code), browser.as_deref()).await?;
    let row = row.ok_or_else(dead)?;
    let (Ok(tenant), Ok(user)) = (row.tenant_id.parse(), row.user_id.parse()) else { return Err(Problem::internal()) };
    let credential = provider_identities::credential(&scope, tenant, user).await?.ok_or_else(dead)?;
    let signed_in = tokens(&scope, tenant, user, &credential, &row.realm).await?;
    let status = if row.is_new != 0 { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Reply::json(status, &signed_in).with("cache-control", "no-store"))
}
