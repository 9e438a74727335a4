//! A sign-in on its way: begun here, and taken out once.

use base64ct::{Base64UrlUnpadded, Encoding};
use http::StatusCode;
use serde::Deserialize;
use tollgate_api::{Code, Problem};
use tollgate_domain::{
    federation::{Callback, FLOW_MS, challenge, return_to},
    secret_hash::SecretHash,
};

use super::{Browser, Provider, refused};
use crate::{
    Scope,
    exchange::form,
    http::Reply,
    random,
    store::directory_federation::{self, FlowRow, NewFlow},
};

/// What a provider is asked.
#[derive(Debug)]
pub struct Asking {
    /// Where browsers are sent.
    pub endpoint: String,
    /// The scopes.
    pub wanted: &'static str,
}

/// What the provider's answer brings.
#[derive(Debug, Deserialize)]
pub struct Answer {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

impl Answer {
    /// What the rules look at.
    pub fn callback(&self) -> Callback<'_> {
        Callback { code: self.code.as_deref(), iss: self.iss.as_deref(), error: self.error.as_deref() }
    }
}

/// Remembers a flow and sends the browser off.
///
/// # Errors
/// 400 for a `return_to` that leads elsewhere, 429 for too many from one address, 503 when the database cannot be written.
pub async fn begin(
    scope: &Scope,
    provider: &Provider,
    asking: &Asking,
    wanted: Option<&str>,
) -> Result<Reply, Problem> {
    let settings = scope.settings();
    let back = match wanted {
        None => None,
        Some(wanted) => Some(return_to(wanted, &settings.public_url, settings.is_local()).ok_or_else(|| {
            Problem::new(
                Code::BadRequest,
                "return_to must be an address of this installation's own origin, without a fragment.",
            )
        })?),
    };
    let secret = || random::bytes::<32>().map(|bytes| Base64UrlUnpadded::encode_string(&bytes));
    let (state, nonce, verifier) = (secret()?, secret()?, secret()?);
    let query = form(&[
        ("response_type", "code"),
        ("client_id", &provider.client_id),
        ("redirect_uri", &provider.redirect_uri),
        ("scope", asking.wanted),
        ("state", &state),
        ("nonce", &nonce),
        ("code_challenge", &challenge(&verifier)),
        ("code_challenge_method", "S256"),
    ]);
    let joint = if asking.endpoint.contains('?') { '&' } else { '?' };
    let url = format!("{}{joint}{query}", asking.endpoint);
    let browser = Browser::of_or_new(scope)?;
    let flow = NewFlow {
        state_hash: &state_hash(&state),
        browser_hash: &browser.hash(),
        realm: &provider.realm,
        verifier: &verifier,
        nonce: &nonce,
        return_to: back,
        expires_at: scope.now().plus_millis(FLOW_MS),
    };
    directory_federation::add_flow(scope, &flow).await?;
    let reply = Reply::bytes(StatusCode::FOUND, "text/plain", "").with("location", &url);
    Ok(browser.remember(scope, reply.with("cache-control", "no-store")))
}

/// What is stored of a state.
fn state_hash(state: &str) -> String {
    SecretHash::of("sign_in_state", state.as_bytes()).to_string()
}

/// Takes the flow of an answer out: from here on the answer is used up.
///
/// # Errors
/// 401 when there is none of that state and browser.
pub async fn taken(scope: &Scope, answer: &Answer) -> Result<FlowRow, Problem> {
    let state = answer.state.as_deref().ok_or_else(|| refused(&"the answer has no state"))?;
    let browser = Browser::of(scope).ok_or_else(|| refused(&"this browser has not begun a sign-in"))?;
    let flow = directory_federation::take_flow(scope, &state_hash(state), &browser.hash()).await?;
    flow.ok_or_else(|| refused(&"no such sign-in was begun in this browser, or it was used, or it took too long"))
}
