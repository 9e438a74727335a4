//! `GET /auth/oauth/{provider}/start`

use axum::extract::Path;
use serde::Deserialize;
use tollgate_domain::outgoing_rates::Outgoing;
use tollgate_platform::{
    Problem, Scope,
    federation::begin,
    guard::{self, Asking},
    http::{OpenQuery, Reply},
};

use crate::provider::Configured;

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
        (status = 404, body = Problem, description = "`provider_not_configured`"), (status = 429, body = Problem), (status = 503, body = Problem),
    ))]
#[worker::send]
pub async fn start(
    scope: Scope,
    Path(provider): Path<String>,
    OpenQuery(input): OpenQuery<Start>,
) -> Result<Reply, Problem> {
    let configured = Configured::of(&scope, &provider)?;
    // Before the provider is asked anything.
    guard::admit(&scope, Outgoing::SignInElsewhere, Asking::default()).await?;
    let asking = configured.asking(&scope).await?;
    begin(&scope, &configured.provider, &asking, input.return_to.as_deref()).await
}
