//! `POST /auth/logout`

use tollgate_api::account::RefreshIn;
use tollgate_domain::{
    catalogue::Product,
    id::{SessionId, TenantId, UserId},
};
use tollgate_platform::{
    Problem, Scope,
    http::{Json, Reply, no_content},
    identity::{ACCESS_TOKEN_SECONDS, RefreshToken},
    meter::MeterClient,
    store,
};

/// Ends a session: its refresh token is dead, and its access token stops working with the next request. The same answer
/// for a token that is not known (any more).
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
    if session.refresh_hash != token.hash() || session.revoked_at.is_some() {
        return Ok(no_content());
    }
    let product = Product::parse(&session.product).ok_or_else(Problem::internal)?;
    let user = session.user_id.parse().map_err(|_| Problem::internal())?;
    end(&scope, token.tenant, user, product, token.session).await?;
    Ok(no_content())
}

/// Ends a session in the database, and in the meter for as long as an access token of it may live.
pub async fn end(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    product: Product,
    session: SessionId,
) -> Result<(), Problem> {
    let now = scope.now();
    // The meter first: should the second step fail, the client tries again and nothing is left open.
    MeterClient::named(tenant, user, product)
        .revoke_session(scope, session, now.plus_millis(ACCESS_TOKEN_SECONDS * 1000))
        .await?;
    store::end_session(scope, tenant, session, now).await?;
    Ok(())
}
