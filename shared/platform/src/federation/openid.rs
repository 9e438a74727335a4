//! `OpenID` Connect: discovery, keys, and the ID token for a code.

use std::{cell::RefCell, rc::Rc};

use base64ct::{Base64, Encoding};
use serde::Deserialize;
use tollgate_api::Problem;
use tollgate_domain::federation::{
    Callback, Claims, Expected, Flow, IdToken, Issuer, KeySet, RefusedKey, id_token, is_sound_endpoint,
};

use super::{Asking, Identified, Provider, reach, refused};
use crate::{
    Scope,
    exchange::{Question, ask, encoded},
    mailbox, signature,
    store::directory_federation::FlowRow,
};

/// How long documents of a provider are kept in an isolate: an hour.
const KEPT_MS: i64 = 60 * 60 * 1000;

/// How many of each are kept.
const REMEMBERED: usize = 64;

/// What a discovery document says (`OpenID` Connect Discovery 1.0, section 3).
#[derive(Debug, Deserialize)]
pub struct Discovered {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// Documents by their address, with the instant they were fetched at.
type Kept<T> = RefCell<Vec<(String, i64, Rc<T>)>>;

thread_local! {
    static DOCUMENTS: Kept<Discovered> = const { RefCell::new(Vec::new()) };
    static KEYS: Kept<KeySet> = const { RefCell::new(Vec::new()) };
}

fn kept<T>(documents: &Kept<T>, url: &str, now: i64) -> Option<Rc<T>> {
    let documents = documents.borrow();
    let found = documents.iter().find(|(known, at, _)| known == url && (0..KEPT_MS).contains(&(now - at)));
    found.map(|(_, _, document)| Rc::clone(document))
}

fn keep<T>(documents: &Kept<T>, url: &str, now: i64, document: T) -> Rc<T> {
    let document = Rc::new(document);
    let mut documents = documents.borrow_mut();
    documents.retain(|(known, _, _)| known != url);
    if documents.len() >= REMEMBERED {
        documents.remove(0);
    }
    documents.push((url.to_owned(), now, Rc::clone(&document)));
    document
}

/// Where browsers are sent.
///
/// # Errors
/// 503 when the discovery document cannot be had, or is not sound.
pub async fn asking(scope: &Scope, provider: &Provider, issuer: &Issuer) -> Result<Asking, Problem> {
    let discovered = discover(scope, provider, issuer).await?;
    Ok(Asking { endpoint: discovered.authorization_endpoint.clone(), wanted: "openid email profile" })
}

/// The provider's discovery document.
///
/// # Errors
/// 503 when it cannot be had, or is not sound.
pub async fn discover(scope: &Scope, provider: &Provider, issuer: &Issuer) -> Result<Rc<Discovered>, Problem> {
    let (url, now) = (issuer.discovery_url(), scope.now().as_millis());
    let known = DOCUMENTS.with(|documents| kept(documents, &url, now));
    // Two issuers that differ in a slash have one document: it is good for one of them.
    if let Some(document) = known.filter(|document| document.issuer == issuer.as_str()) {
        return Ok(document);
    }
    let document: Discovered = fetched(scope, provider, &url, &[]).await?;
    // Whoever answers for another issuer could have tokens of that one believed (section 4.3).
    if document.issuer != issuer.as_str() {
        return Err(provider.failed(scope, "its discovery document is another issuer's"));
    }
    let endpoints = [&document.authorization_endpoint, &document.token_endpoint, &document.jwks_uri];
    let sound =
        endpoints.into_iter().chain(&document.userinfo_endpoint).all(|url| is_sound_endpoint(url, reach(scope)));
    if !sound {
        return Err(provider.failed(scope, "its discovery document leads where nothing is called"));
    }
    Ok(DOCUMENTS.with(|documents| keep(documents, &url, now, document)))
}

async fn fetched<T: serde::de::DeserializeOwned>(
    scope: &Scope,
    provider: &Provider,
    url: &str,
    headers: &[(&str, &str)],
) -> Result<T, Problem> {
    let body = fetched_bytes(scope, provider, url, headers).await?;
    serde_json::from_slice(&body).map_err(|error| provider.failed(scope, &format!("{url}: {error}")))
}

async fn fetched_bytes(
    scope: &Scope,
    provider: &Provider,
    url: &str,
    headers: &[(&str, &str)],
) -> Result<Vec<u8>, Problem> {
    match ask(scope, &Question { url, headers, form: None }).await {
        Ok((200, body)) => Ok(body),
        Ok((status, _)) => Err(provider.failed(scope, &format!("{url} answered {status}"))),
        Err(error) => Err(provider.failed(scope, &format!("{url}: {error}"))),
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: Option<String>,
    access_token: Option<String>,
    error: Option<String>,
}

/// Who came back: the code is exchanged, and the ID token believed if everything fits.
///
/// # Errors
/// 401 for what is not sound, 503 when the provider cannot be reached.
pub async fn person(
    scope: &Scope,
    provider: &Provider,
    issuer: &Issuer,
    flow: &FlowRow,
    callback: &Callback<'_>,
) -> Result<Identified, Problem> {
    let discovered = discover(scope, provider, issuer).await?;
    let names_itself = discovered.authorization_response_iss_parameter_supported;
    let code = Flow { issuer: issuer.as_str(), names_itself }.check(callback).map_err(|why| refused(&why))?;
    let answer = exchanged(scope, provider, &discovered, code, &flow.verifier).await?;
    let text = answer.id_token.ok_or_else(|| provider.failed(scope, "answered no ID token"))?;
    let token = IdToken::parse(&text).map_err(|why| refused(&why))?;
    verify(scope, provider, &discovered, &token).await?;
    let expected =
        Expected { issuer: issuer.as_str(), client_id: &provider.client_id, nonce: &flow.nonce, now: scope.now() };
    let claims = token.claims(&expected).map_err(|why| refused(&why))?;
    let claims = completed(scope, provider, &discovered, claims, answer.access_token.as_deref()).await?;
    Ok(Identified {
        issuer: issuer.to_string(),
        subject: claims.subject,
        email: claims.email.map(|email| mailbox::canonical(email.as_str()).unwrap_or(email)),
        email_verified: claims.email_verified,
        name: claims.name,
    })
}

async fn exchanged(
    scope: &Scope,
    provider: &Provider,
    discovered: &Discovered,
    code: &str,
    verifier: &str,
) -> Result<TokenAnswer, Problem> {
    // `client_secret_basic` where nothing is said (Discovery, section 3).
    let methods = discovered.token_endpoint_auth_methods_supported.as_deref();
    let basic = methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
    let credentials = format!("{}:{}", encoded(&provider.client_id), encoded(&provider.client_secret));
    let credentials = format!("Basic {}", Base64::encode_string(credentials.as_bytes()));
    let headers = [("authorization", credentials.as_str())];
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", provider.redirect_uri.as_str()),
        ("code_verifier", verifier),
    ];
    if !basic {
        form.extend([("client_id", provider.client_id.as_str()), ("client_secret", &provider.client_secret)]);
    }
    let headers = if basic { headers.as_slice() } else { &[] };
    let url = &discovered.token_endpoint;
    let (status, body) = ask(scope, &Question { url, headers, form: Some(&form) })
        .await
        .map_err(|error| provider.failed(scope, &format!("{url}: {error}")))?;
    let answer: Option<TokenAnswer> = serde_json::from_slice(&body).ok();
    match answer {
        Some(answer) if status == 200 => Ok(answer),
        // A code that was used, is too old, or belongs to another sign-in (RFC 6749, section 5.2).
        Some(answer) if answer.error.as_deref() == Some("invalid_grant") => {
            Err(refused(&"the provider did not take the code"))
        }
        answer => {
            let error = answer.and_then(|answer| answer.error).unwrap_or_default();
            Err(provider.failed(scope, &format!("{url} answered {status} {error}")))
        }
    }
}

/// Looks the signature up with the provider's keys; keys that were changed are fetched anew.
async fn verify(
    scope: &Scope,
    provider: &Provider,
    discovered: &Discovered,
    token: &IdToken<'_>,
) -> Result<(), Problem> {
    let (url, now) = (&discovered.jwks_uri, scope.now().as_millis());
    let known = KEYS.with(|keys| kept(keys, url, now));
    let mut found = known.map(|keys| keys.find(token.kid.as_deref(), token.algorithm));
    if !matches!(found, Some(Ok(_))) {
        let body = fetched_bytes(scope, provider, url, &[]).await?;
        let keys = KeySet::parse(&body).ok_or_else(|| provider.failed(scope, "its keys cannot be read"))?;
        let keys = KEYS.with(|all| keep(all, url, now, keys));
        found = Some(keys.find(token.kid.as_deref(), token.algorithm));
    }
    let key = found.unwrap_or(Err(RefusedKey::Unknown)).map_err(|why| refused(&why))?;
    if signature::is_good(token.algorithm, key, token.signed.as_bytes(), &token.signature).await {
        Ok(())
    } else {
        Err(refused(&"the ID token's signature is not good"))
    }
}

/// The address may be at the userinfo endpoint only (`OpenID` Connect Core 1.0, section 5.4).
async fn completed(
    scope: &Scope,
    provider: &Provider,
    discovered: &Discovered,
    claims: Claims,
    access_token: Option<&str>,
) -> Result<Claims, Problem> {
    let (None, Some(url), Some(token)) = (&claims.email, &discovered.userinfo_endpoint, access_token) else {
        return Ok(claims);
    };
    let bearer = format!("Bearer {token}");
    let body = fetched_bytes(scope, provider, url, &[("authorization", &bearer)]).await?;
    let more = id_token::from_userinfo(&body, &claims.subject)
        .ok_or_else(|| refused(&"the provider's userinfo is about somebody else"))?;
    Ok(Claims { name: more.name.or(claims.name), ..more })
}
