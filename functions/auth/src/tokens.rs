//! Signing the tokens of a session.

use tollgate_api::account::{SignedInOut, TokensOut};
use tollgate_domain::{
    id::{TenantId, UserId},
    time::Timestamp,
};
use tollgate_platform::{
    Problem, Scope,
    identity::{ACCESS_TOKEN_SECONDS, AccessClaims, RefreshToken, SigningKey, issue},
    log, settings, sign_in as session,
};

/// Opens a session for a user whose password was looked at, and answers who it is and with which tokens. `None` when the
/// password is another one by now.
pub async fn sign_in(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    password_hash: &str,
) -> Result<Option<SignedInOut>, Problem> {
    let Some(opened) = session::open(scope, tenant, user, password_hash, None).await? else { return Ok(None) };
    let tokens = tokens(scope, opened.access, &opened.refresh, scope.now())?;
    Ok(Some(opened.with(tokens)))
}

/// A pair of tokens for a session.
pub fn tokens(
    scope: &Scope,
    access: AccessClaims,
    refresh: &RefreshToken,
    now: Timestamp,
) -> Result<TokensOut, Problem> {
    let access_token = settings::text(scope.env(), "SIGNING_KEY")
        .and_then(|jwk| SigningKey::from_jwk(&jwk))
        .and_then(|key| issue(&key, access, now))
        .ok_or_else(|| {
            log::error("tokens", "SIGNING_KEY is missing or no Ed25519 JWK with kid and d", Some(scope));
            Problem::internal()
        })?;
    Ok(TokensOut {
        access_token,
        refresh_token: refresh.reveal(),
        token_type: "Bearer",
        expires_in: ACCESS_TOKEN_SECONDS,
    })
}
