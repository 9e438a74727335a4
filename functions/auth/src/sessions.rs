//! `GET /auth/sessions`, `DELETE /auth/sessions/{id}`

use axum::extract::Path;
use http::StatusCode;
use tollgate_api::account::{PlaceOut, SessionOut, SessionsOut};
use tollgate_domain::{audit::Action, id::SessionId, time::Timestamp};
use tollgate_platform::{
    Problem, Scope,
    http::{NoParameters, Query, Reply, no_content},
    identity::Caller,
    store::{self, ListedSession},
};

use crate::{
    ending::{end, end_in_meters},
    noted,
    verify_email::session_ended,
};

/// How many are listed, the one that was used last first.
const LISTED: u32 = 200;

/// The devices the caller is signed in on.
#[utoipa::path(get, path = "/auth/sessions", operation_id = "list_sessions", tag = "accounts", security(("bearer" = [])), responses(
    (status = 200, body = SessionsOut), (status = 401, body = Problem), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn list(scope: Scope, caller: Caller, _: Query<NoParameters>) -> Result<Reply, Problem> {
    let now = scope.now();
    let mut rows = store::sessions(&scope, caller.tenant, caller.user, now, LISTED).await?;
    let current = caller.session.to_string();
    if !rows.iter().any(|row| row.session_id == current) {
        rows.insert(0, standing(&scope, &caller, caller.session).await?.ok_or_else(session_ended)?);
    }
    let data = rows.into_iter().filter_map(|row| shown(row, caller.session)).collect();
    Ok(Reply::json(StatusCode::OK, &SessionsOut { data }))
}

/// Ends one of the caller's sessions: its tokens stop working with the next request.
#[utoipa::path(delete, path = "/auth/sessions/{id}", operation_id = "revoke_session", tag = "accounts", security(("bearer" = [])),
    params(("id" = String, Path, description = "`ses_…`")), responses(
    (status = 204), (status = 401, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn revoke(scope: Scope, caller: Caller, Path(id): Path<String>) -> Result<Reply, Problem> {
    standing(&scope, &caller, caller.session).await?.ok_or_else(session_ended)?;
    let unknown = || Problem::not_found("session");
    let id: SessionId = id.parse().map_err(|_| unknown())?;
    standing(&scope, &caller, id).await?.ok_or_else(unknown)?;
    // A session speaks for one product, the token for another perhaps: all of the user's meters are told.
    let products = store::users_products(&scope, caller.tenant, caller.user).await?;
    end_in_meters(&scope, caller.tenant, caller.user, &products, &[id]).await?;
    if !end(&scope, caller.tenant, caller.user, caller.product, id).await? {
        return Err(unknown());
    }
    noted::of_session(&scope, caller.tenant, caller.user, Action::SessionRevoke, id).await;
    Ok(no_content())
}

async fn standing(scope: &Scope, caller: &Caller, id: SessionId) -> Result<Option<ListedSession>, Problem> {
    Ok(store::listed_session(scope, caller.tenant, caller.user, id, scope.now()).await?)
}

fn shown(row: ListedSession, current: SessionId) -> Option<SessionOut> {
    let id: SessionId = row.session_id.parse().ok()?;
    let place =
        (row.country.is_some() || row.city.is_some()).then_some(PlaceOut { country: row.country, city: row.city });
    Some(SessionOut {
        id,
        device: row.user_agent,
        address: row.address,
        place,
        created_at: Timestamp::from_millis(row.created_at),
        refreshed_at: Timestamp::from_millis(row.refreshed_at),
        expires_at: Timestamp::from_millis(row.expires_at),
        current: id == current,
    })
}
