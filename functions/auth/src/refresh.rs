//! `POST /auth/refresh`

use http::StatusCode;
use tollgate_api::account::{RefreshIn, TokensOut};
use tollgate_domain::{account::Role, catalogue::Product, id::UserId};
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Json, Reply},
    identity::{AccessClaims, REFRESH_TOKEN_MS, RefreshToken},
    log, random, store,
};

use crate::{logout::end, tokens::tokens};

/// Answers a new pair of tokens; the old refresh token is dead. Using a dead one ends the session: either the client or
/// somebody else holds a copy.
#[utoipa::path(post, path = "/auth/refresh", tag = "accounts", request_body = RefreshIn, responses(
    (status = 200, body = TokensOut), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn refresh(scope: Scope, Json(input): Json<RefreshIn>) -> Result<Reply, Problem> {
    let old = RefreshToken::parse(&input.refresh_token).ok_or_else(refused)?;
    let now = scope.now();
    let new = RefreshToken::new(old.tenant, old.session, random::bytes()?);
    let expires_at = now.plus_millis(REFRESH_TOKEN_MS);
    let rotated = store::rotate(&scope, old.tenant, old.session, &old.hash(), &new.hash(), now, expires_at).await?;
    let session = store::session(&scope, old.tenant, old.session).await?.ok_or_else(refused)?;
    let product = Product::parse(&session.product).ok_or_else(Problem::internal)?;
    let user: UserId = session.user_id.parse().map_err(|_| Problem::internal())?;
    if !rotated {
        // Expired and ended sessions are dead already; a live one was entered with a token that is not its latest.
        if session.revoked_at.is_none() && session.expires_at > now.as_millis() {
            log::warn("refresh", "a refresh token was used twice; its session is ended", Some(&scope));
            end(&scope, old.tenant, user, product, old.session).await?;
        }
        return Err(refused());
    }
    let role = Role::parse(&session.role).ok_or_else(Problem::internal)?;
    let access = AccessClaims { user, tenant: old.tenant, session: old.session, role, product };
    Ok(Reply::json(StatusCode::OK, &tokens(&scope, access, &new, now)?))
}

fn refused() -> Problem {
    Problem::new(Code::Unauthorized, "The refresh token is not valid. Sign in again.")
}
