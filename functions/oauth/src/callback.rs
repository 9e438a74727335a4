//! `GET /auth/oauth/{provider}/callback`

use axum::extract::Path;
use serde::Deserialize;
use tollgate_api::account::SignedInOut;
use tollgate_domain::federation::Callback;
use tollgate_platform::{
    Problem, Scope,
    http::{Query, Reply},
    store::directory_federation::{self, FlowRow},
};

use crate::{
    account,
    browser::Browser,
    finish,
    provider::{Provider, refused},
    start::state_hash,
};

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

/// Where a provider sends the browser back to: once, in the browser that began, within ten minutes. An identity that is not
/// known is linked with the account that has its confirmed address, or makes one; an account that nobody has confirmed is
/// taken over by the owner of its address. The second factor is the provider's business: none is asked here.
#[utoipa::path(get, path = "/auth/oauth/{provider}/callback", operation_id = "finish_oauth", tag = "accounts",
    params(
        ("provider" = String, Path, description = "`google`, `github` or `oidc`"),
        ("state" = Option<String>, Query), ("code" = Option<String>, Query), ("iss" = Option<String>, Query), ("error" = Option<String>, Query),
    ),
    responses(
        (status = 200, body = SignedInOut), (status = 201, body = SignedInOut, description = "The account was made just now"),
        (status = 303, description = "To `return_to`, with `code` or `error`"), (status = 400, body = Problem),
        (status = 401, body = Problem, description = "`sign_in_refused`"), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "`email_not_vouched_for`"), (status = 503, body = Problem),
    ))]
#[worker::send]
pub async fn callback(
    scope: Scope,
    Path(provider): Path<String>,
    Query(answer): Query<Answer>,
) -> Result<Reply, Problem> {
    let provider = Provider::configured(&scope, &provider)?;
    let flow = taken(&scope, &answer).await?;
    let outcome = signed_in(&scope, &provider, &flow, &answer).await;
    finish::answer(&scope, &flow, outcome).await
}

async fn signed_in(
    scope: &Scope,
    provider: &Provider,
    flow: &FlowRow,
    answer: &Answer,
) -> Result<account::Admitted, Problem> {
    // Each provider has a callback of its own: an answer at another one's is a mix-up.
    if flow.realm != provider.realm {
        return Err(refused(&"another provider answered than the one that was asked"));
    }
    let person = provider.person(scope, flow, &answer.callback()).await?;
    account::admit(scope, provider, &person).await
}

/// Takes the flow of an answer out: from here on the answer is used up.
pub async fn taken(scope: &Scope, answer: &Answer) -> Result<FlowRow, Problem> {
    let state = answer.state.as_deref().ok_or_else(|| refused(&"the answer has no state"))?;
    let browser = Browser::of(scope).ok_or_else(|| refused(&"this browser has not begun a sign-in"))?;
    let flow = directory_federation::take_flow(scope, &state_hash(state), &browser.hash()).await?;
    flow.ok_or_else(|| refused(&"no such sign-in was begun in this browser, or it was used, or it took too long"))
}
