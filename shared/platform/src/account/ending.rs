//! Ending sessions.

use tollgate_api::Problem;
use tollgate_domain::{
    catalogue::Product,
    id::{SessionId, TenantId, UserId},
    time::Timestamp,
};

use crate::{Scope, identity::ACCESS_TOKEN_SECONDS, meter::MeterClient, store};

/// How long a meter refuses an ended session: the life of an access token, and a minute for one that is being signed now.
const REFUSED_MS: i64 = (ACCESS_TOKEN_SECONDS + 60) * 1000;

/// Ends a session in the database, and in the meter for as long as an access token of it may live. `false` when it was ended
/// before.
pub async fn end(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    product: Product,
    session: SessionId,
) -> Result<bool, Problem> {
    // The meter first: should the second step fail, the client tries again and nothing is left open.
    end_in_meters(scope, tenant, user, &[product], &[session]).await?;
    Ok(store::end_session(scope, tenant, session, scope.now()).await?)
}

/// Ends sessions in the meters of products.
pub async fn end_in_meters(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    products: &[Product],
    sessions: &[SessionId],
) -> Result<(), Problem> {
    let until = scope.now().plus_millis(REFUSED_MS);
    for product in products {
        let meter = MeterClient::named(tenant, user, *product);
        for session in sessions {
            meter.revoke_session(scope, *session, until).await?;
        }
    }
    Ok(())
}

/// A user's sessions that an access token may be out for: those that stand, and those ended at `ended_from` or later.
pub async fn reachable(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    ended_from: Timestamp,
) -> Result<Vec<SessionId>, Problem> {
    let oldest = scope.now().plus_millis(-REFUSED_MS);
    Ok(store::recent_sessions(scope, tenant, user, oldest, ended_from).await?)
}
