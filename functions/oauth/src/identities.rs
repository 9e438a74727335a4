//! `GET /auth/identities`, `DELETE /auth/identities/{id}`

use axum::extract::Path;
use http::StatusCode;
use tollgate_api::account::{IdentitiesOut, IdentityOut};
use tollgate_domain::{
    audit::{Action, Outcome},
    id::{IdentityId, TenantId},
    time::Timestamp,
};
use tollgate_platform::{
    Code, Problem, Scope, audit,
    http::{NoParameters, Query, Reply, no_content},
    identity::{MemberOf, actor},
    store::provider_identities::{self, IdentityRow},
};

/// What the caller signs in with at other parties.
#[utoipa::path(get, path = "/auth/identities", operation_id = "list_identities", tag = "accounts", security(("bearer" = [])), responses(
    (status = 200, body = IdentitiesOut), (status = 401, body = Problem), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn list(scope: Scope, member: MemberOf, _: Query<NoParameters>) -> Result<Reply, Problem> {
    let rows = provider_identities::provider_identities(&scope, member.tenant, member.user).await?;
    Ok(Reply::json(StatusCode::OK, &IdentitiesOut { data: rows.into_iter().filter_map(shown).collect() }))
}

/// Takes a sign-in at another party off the account. The last way to sign in stays.
#[utoipa::path(delete, path = "/auth/identities/{id}", operation_id = "remove_identity", tag = "accounts", security(("bearer" = [])),
    params(("id" = String, Path, description = "`idn_…`")), responses(
    (status = 204), (status = 401, body = Problem), (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`last_sign_in`"), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn remove(scope: Scope, member: MemberOf, Path(id): Path<String>) -> Result<Reply, Problem> {
    let unknown = || Problem::not_found("identity");
    let id: IdentityId = id.parse().map_err(|_| unknown())?;
    let rows = provider_identities::provider_identities(&scope, member.tenant, member.user).await?;
    let row = rows.into_iter().find(|row| row.identity_id == id.to_string()).ok_or_else(unknown)?;
    if !provider_identities::unlink(&scope, member.tenant, member.user, id).await? {
        return Err(Problem::new(
            Code::LastSignIn,
            "This is the last way to sign in to the account. Set a password first with POST /auth/forgot-password.",
        ));
    }
    let target = Some(id.to_string());
    let entry = audit::entry(&scope, actor(&member), Action::IdentityUnlink, "identity", target, Outcome::Success);
    audit::record(&scope, member.tenant, &entry.with("through", &row.realm)).await;
    Ok(no_content())
}

fn shown(row: IdentityRow) -> Option<IdentityOut> {
    let provider = if row.realm.starts_with(TenantId::PREFIX) { "sso".to_owned() } else { row.realm };
    Some(IdentityOut {
        id: row.identity_id.parse().ok()?,
        provider,
        issuer: row.issuer,
        email: row.email,
        linked_at: Timestamp::from_millis(row.linked_at),
    })
}
