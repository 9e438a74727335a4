//! `GET /auth/oauth/{provider}/start`

use axum::extract::Path;
use base64ct::{Base64UrlUnpadded, Encoding};
use http::StatusCode;
use serde::Deserialize;
use tollgate_domain::{
    federation::{FLOW_MS, challenge, return_to},
    secret_hash::SecretHash,
};
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Query, Reply},
    random,
    store::directory_federation::{self, NewFlow},
};

use crate::{browser::Browser, provider::Provider};

/// Parameters of a start.
#[derive(Debug, Deserialize)]
pub struct Start {
    /// Where the browser goes afterwards.
    return_to: Option<String>,
}

/// Sends the browser to a provider: authorization code with PKCE, state and nonce. It comes back to `/callback` within ten
/// minutes. With `return_to`, an address of this installation's own origin, it goes on to there with a `code` for
/// `POST /auth/oauth/token`, or with an `error`; without, the callback answers as a sign-in does.
#[utoipa::path(get, path = "/auth/oauth/{provider}/start", operation_id = "start_oauth", tag = "accounts",
    params(
        ("provider" = String, Path, description = "`google`, `github` or `oidc`"),
        ("return_to" = Option<String>, Query, description = "Of the origin of this installation"),
    ),
    responses(
        (status = 302, description = "To the provider"), (status = 400, body = Problem),
        (status = 404, body = Problem, description = "`provider_not_configured`"), (status = 503, body = Problem),
    ))]
#[worker::send]
pub async fn start(scope: Scope, Path(provider): Path<String>, Query(input): Query<Start>) -> Result<Reply, Problem> {
    let provider = Provider::configured(&scope, &provider)?;
    begin(&scope, &provider, input.return_to.as_deref()).await
}

/// Remembers a flow and sends the browser off.
pub async fn begin(scope: &Scope, provider: &Provider, wanted: Option<&str>) -> Result<Reply, Problem> {
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
    let url = provider.authorize_url(scope, &state, &nonce, &challenge(&verifier)).await?;
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
pub fn state_hash(state: &str) -> String {
    SecretHash::of("sign_in_state", state.as_bytes()).to_string()
}
