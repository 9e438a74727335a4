//! How a sign-in ends: with tokens, or with a page that exchanges a code for them.

use base64ct::{Base64UrlUnpadded, Encoding};
use http::StatusCode;
use tollgate_api::{Problem, account::SignedInOut};
use tollgate_domain::{
    federation::{SIGN_IN_CODE_MS, return_to},
    id::{TenantId, UserId},
    secret_hash::SecretHash,
};

use super::{Admitted, Browser, refused};
use crate::{
    Scope,
    exchange::form,
    http::Reply,
    random, sign_in,
    store::{
        directory_federation::FlowRow,
        provider_identities::{self, NewSignInCode},
    },
};

/// The answer to a callback.
///
/// # Errors
/// Those of the outcome, and 503.
pub async fn finish(scope: &Scope, flow: &FlowRow, outcome: Result<Admitted, Problem>) -> Result<Reply, Problem> {
    let Some(back) = flow.return_to.as_deref() else {
        let admitted = outcome?;
        let status = if admitted.is_new { StatusCode::CREATED } else { StatusCode::OK };
        let signed_in = tokens(scope, admitted.tenant, admitted.user, &admitted.credential, &flow.realm).await?;
        return Ok(Reply::json(status, &signed_in).with("cache-control", "no-store"));
    };
    let query = match outcome {
        Ok(admitted) => form(&[("code", &code(scope, flow, back, &admitted).await?)]),
        Err(problem) => form(&[
            ("error", problem.code.as_str()),
            ("error_description", &problem.detail),
            ("request_id", &scope.request_id().to_string()),
        ]),
    };
    let joint = if back.contains('?') { '&' } else { '?' };
    let reply =
        Reply::bytes(StatusCode::SEE_OTHER, "text/plain", "").with("location", &format!("{back}{joint}{query}"));
    Ok(reply.with("cache-control", "no-store").with("referrer-policy", "no-referrer"))
}

/// Opens the session and gets its tokens.
///
/// # Errors
/// 401 when the password was set anew in the meantime, 503.
pub async fn tokens(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    credential: &str,
    realm: &str,
) -> Result<SignedInOut, Problem> {
    let through = if realm.starts_with(TenantId::PREFIX) { "sso" } else { realm };
    let opened = sign_in::open(scope, tenant, user, credential, Some(through)).await?;
    let opened = opened.ok_or_else(|| refused(&"the account's password was set anew in the meantime"))?;
    let tokens = sign_in::tokens_from_auth(scope, &opened.refresh).await?;
    Ok(opened.with(tokens))
}

async fn code(scope: &Scope, flow: &FlowRow, back: &str, admitted: &Admitted) -> Result<String, Problem> {
    let code = format!("tgc_{}", Base64UrlUnpadded::encode_string(&random::bytes::<32>()?));
    // A page of our own origin sends the cookie along; one on a developer's machine is of another, and cannot.
    let own = return_to(back, &scope.settings().public_url, false).is_some();
    let browser = Browser::of(scope).filter(|_| own).map(|browser| browser.hash());
    let row = NewSignInCode {
        hash: &code_hash(&code),
        browser: browser.as_deref(),
        user: admitted.user,
        realm: &flow.realm,
        is_new: admitted.is_new,
        expires_at: scope.now().plus_millis(SIGN_IN_CODE_MS),
    };
    provider_identities::add_sign_in_code(scope, admitted.tenant, &row).await?;
    Ok(code)
}

/// What is stored of a code.
pub fn code_hash(code: &str) -> String {
    SecretHash::of("sign_in_code", code.as_bytes()).to_string()
}
