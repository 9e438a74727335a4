//! `GET /auth/oauth/{provider}/callback`

use axum::extract::Path;
use tollgate_api::account::SignedInOut;
use tollgate_platform::{
    Problem, Scope,
    federation::{Admitted, Answer, finish, refused, taken},
    http::{OpenQuery, Reply},
    store::directory_federation::FlowRow,
};

use crate::{account, provider::Configured};

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
    OpenQuery(answer): OpenQuery<Answer>,
) -> Result<Reply, Problem> {
    let configured = Configured::of(&scope, &provider)?;
    let flow = taken(&scope, &answer).await?;
    let outcome = signed_in(&scope, &configured, &flow, &answer).await;
    finish(&scope, &flow, outcome).await
}

async fn signed_in(
    scope: &Scope,
    configured: &Configured,
    flow: &FlowRow,
    answer: &Answer,
) -> Result<Admitted, Problem> {
    // Each provider has a callback of its own: an answer at another one's is a mix-up.
    if flow.realm != configured.provider.realm {
        return Err(refused(&"another provider answered than the one that was asked"));
    }
    let person = configured.person(scope, flow, &answer.callback()).await?;
    account::admit(scope, &configured.provider, &person).await
}
