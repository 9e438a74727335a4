//! `POST /team/invites/accept`

use http::StatusCode;
use tollgate_api::{account::SignedInOut, team::AcceptIn};
use tollgate_domain::{account::Email, team::InvitationToken};
use tollgate_platform::{
    Code, Problem, Scope,
    http::{Json, Reply},
    identity::MemberOf,
    sign_in,
    store::{self, directory},
    team,
};

/// Joins the team that invited the caller's address. One belongs to one tenant: the caller must be alone in theirs, and
/// moves. What that tenant has (usage, log, subscription) stays there and is theirs again when they leave the team; its
/// tokens and its plan stop with this request. The answer is that of a sign-in to the team.
#[utoipa::path(post, path = "/team/invites/accept", operation_id = "accept_invitation", tag = "team", security(("bearer" = [])), request_body = AcceptIn, responses(
    (status = 200, body = SignedInOut), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem, description = "It was sent to another address"), (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`leave_team_first`, `already_invited` or `no_seat`"),
    (status = 410, body = Problem, description = "`invitation_closed`"),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn accept(scope: Scope, member: MemberOf, Json(input): Json<AcceptIn>) -> Result<Reply, Problem> {
    let token = InvitationToken::parse(&input.token).ok_or_else(|| Problem::not_found("invitation"))?;
    let (tenant, invitation) = token.claimed();
    team::join(&scope, &member, (tenant, invitation), token.hash()).await?;
    let again = || Problem::new(Code::Unauthorized, "You have joined. Sign in to go on.");
    let row = store::profile(&scope, tenant, member.user, None).await?.ok_or_else(again)?;
    let email = Email::parse(&row.email).map_err(|_| Problem::internal())?;
    let account = directory::account_by_email(&scope, &email).await?.ok_or_else(again)?;
    // A password that was reset in the meantime signs nobody in.
    let opened = sign_in::open(&scope, tenant, member.user, &account.password_hash, None).await?.ok_or_else(again)?;
    let tokens = sign_in::tokens_from_auth(&scope, &opened.refresh).await.map_err(|_| again())?;
    Ok(Reply::json(StatusCode::OK, &opened.with(tokens)))
}
