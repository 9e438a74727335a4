//! `GET /auth/sso/start`

use serde::Deserialize;
use tollgate_domain::{federation::TeamDomain, id::TenantId, outgoing_rates::Outgoing};
use tollgate_platform::{
    Code, Problem, Scope,
    federation::{
        begin, openid,
        team_provider::{no_sign_on, of_team},
    },
    guard::{self, Asking},
    http::{OpenQuery, Reply},
    mailbox,
    store::directory_federation,
};

/// Parameters of a start.
#[derive(Debug, Deserialize)]
pub struct SsoStart {
    email: Option<String>,
    domain: Option<String>,
    return_to: Option<String>,
}

/// Sends the browser to the provider of the team that has the domain. What follows is as at `/auth/oauth/{provider}/start`.
#[utoipa::path(get, path = "/auth/sso/start", operation_id = "start_sso", tag = "accounts",
    params(
        ("email" = Option<String>, Query, description = "The address of whoever signs in, or:"),
        ("domain" = Option<String>, Query, description = "Its domain"),
        ("return_to" = Option<String>, Query, description = "Of the origin of this installation"),
    ),
    responses(
        (status = 302, description = "To the provider"), (status = 400, body = Problem),
        (status = 404, body = Problem, description = "`provider_not_configured`"), (status = 429, body = Problem), (status = 503, body = Problem),
    ))]
#[worker::send]
pub async fn start(scope: Scope, OpenQuery(input): OpenQuery<SsoStart>) -> Result<Reply, Problem> {
    let of_email = input.email.as_deref().and_then(|email| TeamDomain::of(&mailbox::canonical(email).ok()?));
    let domain =
        of_email.or_else(|| TeamDomain::parse(&mailbox::ascii_domain(input.domain.as_deref()?)).ok()).ok_or_else(
            || Problem::new(Code::BadRequest, "Send email, an address, or domain, what stands behind its @."),
        )?;
    guard::admit(&scope, Outgoing::SignInElsewhere, Asking::to(domain.as_str())).await?;
    let tenant = team_of(&scope, &domain).await?.ok_or_else(no_sign_on)?;
    let (provider, issuer) = of_team(&scope, tenant).await?;
    let asking = openid::asking(&scope, &provider, &issuer).await?;
    begin(&scope, &provider, &asking, input.return_to.as_deref()).await
}

/// The team that has proven a domain.
pub async fn team_of(scope: &Scope, domain: &TeamDomain) -> Result<Option<TenantId>, Problem> {
    let tenant = directory_federation::domain_tenant(scope, domain.as_str()).await?;
    Ok(tenant.and_then(|tenant| tenant.parse().ok()))
}
