//! `POST /auth/totp/disable`

use tollgate_api::totp::CodeIn;
use tollgate_domain::{audit::Action, mail::Letter, outgoing_rates::Outgoing};
use tollgate_platform::{
    Problem, Scope,
    account::noted,
    guard::{self, Asking},
    http::{Json, Reply, no_content},
    identity::MemberOf,
    store,
};

use crate::{proof::Proof, told};

/// Switches the second factor off, with a code of the app or a recovery code. Its secret and its recovery codes are gone.
#[utoipa::path(post, path = "/auth/totp/disable", operation_id = "disable_totp", tag = "accounts", security(("bearer" = [])), request_body = CodeIn, responses(
    (status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem, description = "Asked for with an API key"), (status = 409, body = Problem, description = "`conflict`: it is off"),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn disable(scope: Scope, member: MemberOf, Json(input): Json<CodeIn>) -> Result<Reply, Problem> {
    guard::admit(&scope, Outgoing::CredentialChange, Asking::of_user(member.user)).await?;
    let proof = Proof::by_code(&scope, &member, &input.code).await?;
    store::drop_second_factor(&scope, member.tenant, member.user).await?;
    noted::of_user(&scope, member.tenant, member.user, Action::TotpDisable).await;
    told::user(&scope, member.tenant, member.user, Letter::SecondFactorOff);
    proof.succeeded(&scope, no_content()).await
}
