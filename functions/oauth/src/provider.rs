//! The installation's providers, as they are configured.

use tollgate_domain::federation::{Callback, Issuer};
use tollgate_platform::{
    Code, Problem, Scope,
    federation::{Asking, Identified, Provider, openid, reach},
    log, settings,
    store::directory_federation::FlowRow,
};

use crate::github;

/// A provider, and what it speaks.
pub struct Configured {
    /// Who is asked.
    pub provider: Provider,
    protocol: Protocol,
}

/// What a provider speaks.
enum Protocol {
    /// `OpenID` Connect.
    OpenId(Issuer),
    /// GitHub's own.
    Github(github::Addresses),
}

impl Configured {
    /// The provider of that name in the address.
    pub fn of(scope: &Scope, name: &str) -> Result<Self, Problem> {
        let setting = |name: &str| settings::text(scope.env(), name);
        let (prefix, name, default_issuer) = match name {
            "google" => ("GOOGLE", "google", Some("https://accounts.google.com")),
            "github" => ("GITHUB", "github", None),
            "oidc" => ("OIDC", "oidc", None),
            _ => return Err(Problem::not_found("sign-in provider")),
        };
        let absent = || {
            Problem::new(
                Code::ProviderNotConfigured,
                format!("Signing in through {name} is not configured: {prefix}_CLIENT_ID, {prefix}_CLIENT_SECRET."),
            )
        };
        let client_id = setting(&format!("{prefix}_CLIENT_ID")).ok_or_else(absent)?;
        let client_secret = setting(&format!("{prefix}_CLIENT_SECRET")).ok_or_else(absent)?;
        let protocol = if name == "github" {
            Protocol::Github(github::Addresses::configured(scope))
        } else {
            let issuer = setting(&format!("{prefix}_ISSUER"));
            let issuer = issuer.as_deref().or(default_issuer).ok_or_else(absent)?;
            Protocol::OpenId(Issuer::parse(issuer, reach(scope)).map_err(|error| {
                log::error("oauth", &format!("{prefix}_ISSUER {error}"), Some(scope));
                Problem::internal()
            })?)
        };
        let redirect_uri = format!("{}/auth/oauth/{name}/callback", scope.settings().public_url);
        let provider = Provider { realm: name.to_owned(), name, client_id, client_secret, redirect_uri };
        Ok(Self { provider, protocol })
    }

    /// Where browsers are sent, and what is asked for.
    pub async fn asking(&self, scope: &Scope) -> Result<Asking, Problem> {
        match &self.protocol {
            Protocol::OpenId(issuer) => openid::asking(scope, &self.provider, issuer).await,
            Protocol::Github(addresses) => {
                Ok(Asking { endpoint: addresses.authorize_url(), wanted: "read:user user:email" })
            }
        }
    }

    /// Who came back.
    pub async fn person(&self, scope: &Scope, flow: &FlowRow, callback: &Callback<'_>) -> Result<Identified, Problem> {
        match &self.protocol {
            Protocol::OpenId(issuer) => openid::person(scope, &self.provider, issuer, flow, callback).await,
            Protocol::Github(addresses) => github::person(scope, &self.provider, addresses, flow, callback).await,
        }
    }
}
