//! GitHub: OAuth 2.0 without ID tokens. Who somebody is, its API says.
//! <https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps>

use serde::{Deserialize, de::DeserializeOwned};
use tollgate_domain::federation::{Callback, Flow};
use tollgate_platform::{
    Problem, Scope,
    exchange::{Question, ask},
    federation::{Identified, Provider, refused},
    mailbox, settings,
    store::directory_federation::FlowRow,
};

/// Where GitHub is: github.com, or a server of one's own.
pub struct Addresses {
    base: String,
    api: String,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

impl Addresses {
    /// As configured.
    pub fn configured(scope: &Scope) -> Self {
        let of = |name, default: &str| {
            let url = settings::text(scope.env(), name).unwrap_or_else(|| default.to_owned());
            url.trim_end_matches('/').to_owned()
        };
        Self {
            base: of("GITHUB_BASE_URL", "https://github.com"),
            api: of("GITHUB_API_BASE_URL", "https://api.github.com"),
        }
    }

    /// Where browsers are sent.
    pub fn authorize_url(&self) -> String {
        format!("{}/login/oauth/authorize", self.base)
    }
}

/// Who came back. GitHub's number of a user is for good; names and addresses change.
pub async fn person(
    scope: &Scope,
    provider: &Provider,
    addresses: &Addresses,
    flow: &FlowRow,
    callback: &Callback<'_>,
) -> Result<Identified, Problem> {
    // GitHub does not name itself in its answers; each provider has a callback of its own instead (RFC 9700, section 4.4.2).
    let issuer = addresses.base.as_str();
    let code = Flow { issuer, names_itself: false }
        .check(&Callback { iss: None, ..*callback })
        .map_err(|why| refused(&why))?;
    let token = exchanged(scope, provider, addresses, code, &flow.verifier).await?;
    let user: User = asked(scope, provider, &format!("{}/user", addresses.api), &token).await?;
    let emails: Vec<Address> = asked(scope, provider, &format!("{}/user/emails", addresses.api), &token).await?;
    // The primary one: that is where GitHub writes to.
    let primary = emails.into_iter().find(|address| address.primary);
    let email_verified = primary.as_ref().map(|address| address.verified);
    Ok(Identified {
        issuer: issuer.to_owned(),
        subject: user.id.to_string(),
        email: primary.and_then(|address| mailbox::canonical(&address.email).ok()),
        email_verified,
        name: user.name.filter(|name| !name.trim().is_empty()).or(Some(user.login)),
    })
}

async fn exchanged(
    scope: &Scope,
    provider: &Provider,
    addresses: &Addresses,
    code: &str,
    verifier: &str,
) -> Result<String, Problem> {
    let url = format!("{}/login/oauth/access_token", addresses.base);
    let form = [
        ("client_id", provider.client_id.as_str()),
        ("client_secret", &provider.client_secret),
        ("code", code),
        ("redirect_uri", &provider.redirect_uri),
        ("code_verifier", verifier),
    ];
    let (status, body) = ask(scope, &Question { url: &url, headers: &[], form: Some(&form) })
        .await
        .map_err(|error| provider.failed(scope, &format!("{url}: {error}")))?;
    let answer: Option<TokenAnswer> = serde_json::from_slice(&body).ok();
    match answer {
        // Errors come with 200.
        Some(TokenAnswer { error: Some(error), .. }) if error == "bad_verification_code" => {
            Err(refused(&"the provider did not take the code"))
        }
        Some(TokenAnswer { error: None, access_token: Some(token) }) if status == 200 => Ok(token),
        answer => {
            let error = answer.and_then(|answer| answer.error).unwrap_or_default();
            Err(provider.failed(scope, &format!("{url} answered {status} {error}")))
        }
    }
}

async fn asked<T: DeserializeOwned>(scope: &Scope, provider: &Provider, url: &str, token: &str) -> Result<T, Problem> {
    let bearer = format!("Bearer {token}");
    // GitHub answers nobody who does not say what they are.
    let headers = [
        ("authorization", bearer.as_str()),
        ("accept", "application/vnd.github+json"),
        ("user-agent", "tollgate"),
        ("x-github-api-version", "2022-11-28"),
    ];
    let (status, body) = ask(scope, &Question { url, headers: &headers, form: None })
        .await
        .map_err(|error| provider.failed(scope, &format!("{url}: {error}")))?;
    if status != 200 {
        return Err(provider.failed(scope, &format!("{url} answered {status}")));
    }
    serde_json::from_slice(&body).map_err(|error| provider.failed(scope, &format!("{url}: {error}")))
}
