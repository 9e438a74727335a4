//! `GET`, `PUT` and `DELETE /team/sso`

use http::StatusCode;
use tollgate_api::{
    FieldError,
    team::{SsoIn, SsoOut},
};
use tollgate_domain::{
    audit::{Action, Entry, Outcome},
    federation::{Issuer, TeamDomain},
    outgoing_rates::Outgoing,
    time::Timestamp,
};
use tollgate_platform::{
    Code, Problem, Scope, audit,
    federation::{
        openid, reach,
        team_provider::{no_sign_on, provider, redirect_uri, secret_place},
    },
    guard::{self, Asking},
    http::{Json, Reply, no_content},
    identity::{OwnerOf, actor},
    store::single_sign_on,
    team,
    vault::Vault,
};

use crate::domains::shown;

/// The team's single sign-on: its provider, without the secret, and its domains.
#[utoipa::path(get, path = "/team/sso", operation_id = "read_sso", tag = "team", security(("bearer" = [])), responses(
    (status = 200, body = SsoOut), (status = 401, body = Problem), (status = 403, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn read(scope: Scope, owner: OwnerOf) -> Result<Reply, Problem> {
    Ok(Reply::json(StatusCode::OK, &state(&scope, &owner).await?))
}

async fn state(scope: &Scope, owner: &OwnerOf) -> Result<SsoOut, Problem> {
    let row = single_sign_on::sso(scope, owner.tenant).await?;
    let domains = single_sign_on::sso_domains(scope, owner.tenant).await?;
    let domains = domains.iter().filter_map(|row| Some(shown(&TeamDomain::parse(&row.domain).ok()?, row))).collect();
    Ok(SsoOut {
        changed_at: row.as_ref().map(|row| Timestamp::from_millis(row.changed_at)),
        client_id: row.as_ref().map(|row| row.client_id.clone()),
        issuer: row.map(|row| row.issuer),
        redirect_uri: redirect_uri(scope),
        domains,
    })
}

/// Sets the team's provider: any that speaks `OpenID` Connect. Enter `redirect_uri` of the answer there. Whoever has an address
/// in a domain that the team has proven signs in with it, and becomes a member the first time, while there are seats. Needs a plan
/// with seats.
#[utoipa::path(put, path = "/team/sso", operation_id = "set_sso", tag = "team", security(("bearer" = [])), request_body = SsoIn, responses(
    (status = 200, body = SsoOut), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`forbidden` or `plan_lacks_feature`"), (status = 413, body = Problem),
    (status = 415, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn set(scope: Scope, owner: OwnerOf, Json(input): Json<SsoIn>) -> Result<Reply, Problem> {
    team::require_seats(&scope, &team::load(&scope, owner.tenant).await?)?;
    let wrong = |message: String| Problem::invalid(vec![FieldError::new("issuer", message)]);
    let issuer = Issuer::parse(&input.issuer, reach(&scope)).map_err(|error| wrong(error.to_string()))?;
    let asking = Asking { tenant: Some(owner.tenant), user: Some(owner.user), target: Some(issuer.as_str()) };
    guard::admit(&scope, Outgoing::ProviderSettings, asking).await?;
    let sealed = Vault::of(&scope, owner.tenant)
        .await?
        .seal(secret_place(&owner.tenant.to_string()), input.client_secret.as_bytes())?;
    let provider = provider(&scope, owner.tenant, input.client_id.clone(), input.client_secret);
    openid::discover(&scope, &provider, &issuer).await.map_err(|problem| match problem.code {
        Code::DependencyUnavailable => wrong("has no sound discovery document at the moment".to_owned()),
        _ => problem,
    })?;
    single_sign_on::set_sso(&scope, owner.tenant, issuer.as_str(), &input.client_id, &sealed).await?;
    let entry = entry(&scope, &owner, Action::SsoChange).with("issuer", issuer.as_str());
    audit::record(&scope, owner.tenant, &entry.with("client_id", &input.client_id)).await;
    Ok(Reply::json(StatusCode::OK, &state(&scope, &owner).await?))
}

/// Removes the team's provider: nobody signs in through it any more. Members and sessions stay; who has no password sets one with
/// `POST /auth/forgot-password`.
#[utoipa::path(delete, path = "/team/sso", operation_id = "remove_sso", tag = "team", security(("bearer" = [])), responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn remove(scope: Scope, owner: OwnerOf) -> Result<Reply, Problem> {
    if !single_sign_on::remove_sso(&scope, owner.tenant).await? {
        return Err(no_sign_on());
    }
    audit::record(&scope, owner.tenant, &entry(&scope, &owner, Action::SsoRemove)).await;
    Ok(no_content())
}

/// An entry about the team.
pub fn entry(scope: &Scope, owner: &OwnerOf, action: Action) -> Entry {
    audit::entry(scope, actor(owner), action, "team", Some(owner.tenant.to_string()), Outcome::Success)
}
