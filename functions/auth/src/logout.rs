//! `POST /auth/logout`

use tollgate_api::account::RefreshIn;
use tollgate_domain::{audit::Action, catalogue::Product};
use tollgate_platform::{
    Problem, Scope,
    http::{Json, Reply, no_content},
    identity::{RefreshToken, TagKey},
    store,
};

use crate::{ending::end, noted};

/// Ends a session: its refresh token is dead, and its access token stops working with the next request. An older refresh token
/// of the session ends it, too. The same answer for a token that is not known (any more).
#[utoipa::path(post, path = "/auth/logout", tag = "accounts", request_body = RefreshIn, responses(
    (status = 204), (status = 400, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
    (status = 422, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn logout(scope: Scope, Json(input): Json<RefreshIn>) -> Result<Reply, Problem> {
    let Some(token) = RefreshToken::parse(&input.refresh_token) else {
        return Ok(no_content());
    };
    let Some(session) = store::session(&scope, token.tenant, token.session).await? else {
        return Ok(no_content());
    };
    let key = session.tag_key.as_deref().and_then(TagKey::parse);
    if session.revoked_at.is_some() || !key.is_some_and(|key| token.is_ours(&key)) {
        return Ok(no_content());
    }
    let product = Product::parse(&session.product).ok_or_else(Problem::internal)?;
    let user = session.user_id.parse().map_err(|_| Problem::internal())?;
    if end(&scope, token.tenant, user, product, token.session).await? {
        noted::of_session(&scope, token.tenant, user, Action::SignOut, token.session).await;
    }
    Ok(no_content())
}
