//! `POST /auth/refresh`

use http::StatusCode;
use tollgate_api::account::{RefreshIn, TokensOut};
use tollgate_domain::{
    account::Role,
    audit::{Action, Outcome},
    catalogue::Product,
    id::UserId,
    time::Timestamp,
};
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Json, Reply},
    identity::{AccessClaims, GRACE_MS, REFRESH_TOKEN_MS, RefreshToken, TagKey},
    log, random,
    store::{self, Rotation, SessionRow},
};

use crate::{ending::end, noted, tokens::tokens};

/// Answers a new pair of tokens; the old refresh token is dead. For ten seconds it is answered with the same new one, so that
/// two refreshes at once do no harm; after that, using it ends the session: somebody else holds a copy.
#[utoipa::path(post, path = "/auth/refresh", tag = "accounts", request_body = RefreshIn, responses(
    (status = 200, body = TokensOut), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn refresh(scope: Scope, Json(input): Json<RefreshIn>) -> Result<Reply, Problem> {
    let old = RefreshToken::parse(&input.refresh_token).ok_or_else(refused)?;
    let now = scope.now();
    let before = store::session(&scope, old.tenant, old.session).await?.ok_or_else(refused)?;
    let key = before.tag_key.as_deref().and_then(TagKey::parse).ok_or_else(refused)?;
    // An invented secret, for a session whose ids somebody knows: nothing happens to the session.
    if !old.is_ours(&key) {
        return Err(refused());
    }
    let secret = random::bytes()?;
    let next = RefreshToken::new(old.tenant, old.session, &key, secret);
    let rotation = Rotation {
        old_hash: &old.hash(),
        new_hash: &next.hash(),
        successor: &old.seal(&secret),
        now,
        expires_at: now.plus_millis(REFRESH_TOKEN_MS),
    };
    if store::rotate(&scope, old.tenant, old.session, &rotation).await? {
        return answer(&scope, &before, &next, now);
    }
    // It is not the latest one, or was not any more a moment later.
    let session = store::session(&scope, old.tenant, old.session).await?.ok_or_else(refused)?;
    if session.revoked_at.is_some() || session.expires_at <= now.as_millis() {
        return Err(refused());
    }
    if let Some(secret) = successor(&session, &old, now) {
        return answer(&scope, &session, &RefreshToken::new(old.tenant, old.session, &key, secret), now);
    }
    log::warn("refresh", "a refresh token was used twice; its session is ended", Some(&scope));
    let product = Product::parse(&session.product).ok_or_else(Problem::internal)?;
    let user: UserId = session.user_id.parse().map_err(|_| Problem::internal())?;
    if end(&scope, old.tenant, user, product, old.session).await? {
        let id = old.session.to_string();
        noted::of_stranger(&scope, old.tenant, Action::RefreshReuse, "session", id, Outcome::Denied, "");
    }
    Err(refused())
}

/// The secret of the token that replaced this one a moment ago.
fn successor(session: &SessionRow, old: &RefreshToken, now: Timestamp) -> Option<[u8; 32]> {
    let is_previous = session.previous_hash.as_deref() == Some(&old.hash());
    let in_grace = now.apart_ms(Timestamp::from_millis(session.refreshed_at)) < GRACE_MS;
    let sealed = session.successor.as_deref().filter(|_| is_previous && in_grace)?;
    old.open(sealed)
}

fn answer(scope: &Scope, session: &SessionRow, refresh: &RefreshToken, now: Timestamp) -> Result<Reply, Problem> {
    let role = Role::parse(&session.role).ok_or_else(Problem::internal)?;
    let product = Product::parse(&session.product).ok_or_else(Problem::internal)?;
    let user: UserId = session.user_id.parse().map_err(|_| Problem::internal())?;
    let access = AccessClaims { user, tenant: refresh.tenant, session: refresh.session, role, product };
    Ok(Reply::json(StatusCode::OK, &tokens(scope, access, refresh, now)?))
}

fn refused() -> Problem {
    Problem::new(Code::Unauthorized, "The refresh token is not valid. Sign in again.")
}
