//! The providers, as they are configured.

use tollgate_domain::{
    account::Email,
    federation::{Callback, Issuer, Reach},
};
use tollgate_platform::{Code, Problem, Scope, exchange::form, log, settings, store::directory_federation::FlowRow};

use crate::{github, openid};

/// Who signed in, as the provider says.
#[derive(Debug)]
pub struct Identified {
    /// The issuer that says so.
    pub issuer: String,
    /// Who, there, for good.
    pub subject: String,
    /// Their address.
    pub email: Option<Email>,
    /// Whether it is said to be theirs; `None` where nothing is said.
    pub email_verified: Option<bool>,
    /// How to address the person.
    pub name: Option<String>,
}

/// A party that is asked who somebody is.
pub struct Provider {
    /// Whose word it is: `google`, `github`, `oidc`, or a tenant's id.
    pub realm: String,
    /// How problems and the log call it.
    pub name: &'static str,
    /// Who we are there.
    pub client_id: String,
    /// What proves it.
    pub client_secret: String,
    /// Where the browser comes back to.
    pub redirect_uri: String,
    /// What it speaks.
    pub protocol: Protocol,
}

/// What a provider speaks.
pub enum Protocol {
    /// `OpenID` Connect.
    OpenId(Issuer),
    /// GitHub's own.
    Github(github::Addresses),
}

/// How far this environment may call.
pub fn reach(scope: &Scope) -> Reach {
    if scope.settings().is_local() { Reach::Anywhere } else { Reach::Internet }
}

impl Provider {
    /// The provider of that name in the address.
    pub fn configured(scope: &Scope, name: &str) -> Result<Self, Problem> {
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
        Ok(Self { realm: name.to_owned(), name, client_id, client_secret, redirect_uri, protocol })
    }

    /// Where the browser is sent.
    pub async fn authorize_url(
        &self,
        scope: &Scope,
        state: &str,
        nonce: &str,
        challenge: &str,
    ) -> Result<String, Problem> {
        let (endpoint, wanted) = match &self.protocol {
            Protocol::OpenId(issuer) => {
                let discovered = openid::discover(scope, self, issuer).await?;
                (discovered.authorization_endpoint.clone(), "openid email profile")
            }
            Protocol::Github(addresses) => (addresses.authorize_url(), "read:user user:email"),
        };
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("scope", wanted),
            ("state", state),
            ("nonce", nonce),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]);
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{endpoint}{joint}{query}"))
    }

    /// Who came back.
    pub async fn person(&self, scope: &Scope, flow: &FlowRow, callback: &Callback<'_>) -> Result<Identified, Problem> {
        match &self.protocol {
            Protocol::OpenId(issuer) => openid::person(scope, self, issuer, flow, callback).await,
            Protocol::Github(addresses) => github::person(scope, self, addresses, flow, callback).await,
        }
    }

    /// It cannot be reached, or does not answer what it should.
    pub fn failed(&self, scope: &Scope, why: &str) -> Problem {
        log::error("oauth", &format!("{}: {why}", self.realm), Some(scope));
        Problem::dependency(self.name)
    }
}

/// A sign-in that is not good, with what is wrong about it.
pub fn refused(why: &impl ToString) -> Problem {
    let text = why.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    Problem::new(Code::SignInRefused, format!("{first}{}. Begin the sign-in again.", letters.as_str()))
}
