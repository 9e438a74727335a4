//! Teams' own providers.

use super::{Provider, reach};
use crate::{
    Code, Problem, Scope,
    store::single_sign_on,
    vault::{Place, Vault},
};
use tollgate_domain::{federation::Issuer, id::TenantId};

/// A team's provider.
pub async fn of_team(scope: &Scope, tenant: TenantId) -> Result<(Provider, Issuer), Problem> {
    let row = single_sign_on::sso(scope, tenant).await?.ok_or_else(no_sign_on)?;
    let vault = Vault::of(scope, tenant).await?;
    let secret = vault.open(scope, secret_place(&tenant.to_string()), &row.client_secret)?;
    let client_secret = String::from_utf8(secret).map_err(|_| Problem::internal())?;
    let issuer = Issuer::parse(&row.issuer, reach(scope)).map_err(|_| Problem::internal())?;
    Ok((provider(scope, tenant, row.client_id, client_secret), issuer))
}

/// The same of what may not be stored yet.
pub fn provider(scope: &Scope, tenant: TenantId, client_id: String, client_secret: String) -> Provider {
    Provider {
        realm: tenant.to_string(),
        name: "single sign-on provider",
        client_id,
        client_secret,
        redirect_uri: redirect_uri(scope),
    }
}

/// Where browsers come back to.
pub fn redirect_uri(scope: &Scope) -> String {
    format!("{}/auth/sso/callback", scope.settings().public_url)
}

/// Where a team's client secret is sealed.
pub const fn secret_place(tenant: &str) -> Place<'_> {
    Place { table: "single_sign_on", column: "client_secret", row: tenant }
}

/// There is none for that domain, or it was removed.
pub fn no_sign_on() -> Problem {
    Problem::new(Code::ProviderNotConfigured, "There is no single sign-on for this domain.")
}
