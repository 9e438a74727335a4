//! `GET` and `POST /team/invites`, `DELETE /team/invites/{id}`

use axum::extract::Path;
use http::StatusCode;
use tollgate_api::{
    FieldError,
    team::{InvitationOut, InviteIn},
    usage::PageOut,
};
use tollgate_domain::{
    account::Role,
    id::InvitationId,
    mail::Letter,
    outgoing_rates::Outgoing,
    team::{Command, Event, Invitation, InvitationToken},
};
use tollgate_platform::{
    Problem, Scope,
    guard::{self, Asking},
    http::{Json, Page, Query, Reply, cut, no_content},
    identity::{
        AdminWith,
        needs::{Team, TeamRead},
    },
    mail, mailbox,
    once::Once,
    random,
    store::teams::{self, StoredTeam},
    team,
};

use crate::members::record;

/// Every invitation of the team, newest first.
#[utoipa::path(get, path = "/team/invites", operation_id = "list_invitations", tag = "team", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100, 20 when left out"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, body = PageOut<InvitationOut>), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn list(scope: Scope, admin: AdminWith<TeamRead>, Query(page): Query<Page>) -> Result<Reply, Problem> {
    let limit = page.limit()?;
    let rows = teams::invitations(&scope, admin.tenant, page.after()?, limit + 1).await?;
    let (rows, next_cursor) = cut(rows, limit, |last| last.id.to_string());
    let data = rows.iter().map(|row| shown(&scope, row)).collect();
    Ok(Reply::json(StatusCode::OK, &PageOut::<InvitationOut> { data, next_cursor }))
}

/// Invites an address by mail, for seven days. It holds a seat. Needs a plan with seats.
#[utoipa::path(post, path = "/team/invites", operation_id = "invite", tag = "team", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key gets the same answer, and nothing is done twice, for 24 hours")),
    request_body = InviteIn, responses(
    (status = 201, body = InvitationOut), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`forbidden` or `plan_lacks_feature`"),
    (status = 409, body = Problem, description = "`already_invited` or `no_seat`"),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn invite(
    scope: Scope,
    admin: AdminWith<Team>,
    once: Once,
    Json(input): Json<InviteIn>,
) -> Result<Reply, Problem> {
    once.answer(&scope, (admin.tenant, admin.user), &input, invite_once(&scope, &admin, &input)).await
}

async fn invite_once(scope: &Scope, admin: &AdminWith<Team>, input: &InviteIn) -> Result<Reply, Problem> {
    let email = mailbox::canonical(&input.email)
        .map_err(|invalid| Problem::invalid(vec![FieldError::new("email", invalid.to_string())]))?;
    let asking = Asking { tenant: Some(admin.tenant), user: Some(admin.user), target: Some(email.as_str()) };
    guard::admit(scope, Outgoing::Invitation, asking).await?;
    let role = Role::parse(&input.role).ok_or_else(Problem::internal)?;
    team::require_seats(scope, &team::load(scope, admin.tenant).await?)?;
    let id = InvitationId::new(scope.now(), random::entropy()?);
    let token = InvitationToken::new(admin.tenant, id, random::bytes()?);
    let command = Command::Invite { id, email, role, token_hash: token.hash() };
    let (stored, events) = team::change(scope, (admin.tenant, admin.user), None, &command).await?;
    let Some(Event::Invited(invitation)) = events.first() else { return Err(Problem::internal()) };
    if let Err(problem) = send(scope, admin, &stored, invitation, &token).await {
        // Nobody got it: it does not stand in the way of the next try.
        team::change(scope, (admin.tenant, admin.user), Some(id), &Command::RevokeInvitation { id }).await?;
        return Err(problem);
    }
    record(scope, admin.tenant, admin.actor(), &events).await;
    Ok(Reply::json(StatusCode::CREATED, &shown(scope, invitation)))
}

/// Takes an invitation back: its link is dead, its seat is free.
#[utoipa::path(delete, path = "/team/invites/{id}", operation_id = "revoke_invitation", tag = "team", security(("bearer" = [])),
    params(("id" = String, Path, description = "`inv_…`")), responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    (status = 410, body = Problem, description = "`invitation_closed`"), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn revoke(scope: Scope, admin: AdminWith<Team>, Path(id): Path<String>) -> Result<Reply, Problem> {
    let id: InvitationId = id.parse().map_err(|_| Problem::not_found("invitation"))?;
    let (_, events) =
        team::change(&scope, (admin.tenant, admin.user), Some(id), &Command::RevokeInvitation { id }).await?;
    record(&scope, admin.tenant, admin.actor(), &events).await;
    Ok(no_content())
}

async fn send(
    scope: &Scope,
    admin: &AdminWith<Team>,
    stored: &StoredTeam,
    invitation: &Invitation,
    token: &InvitationToken,
) -> Result<(), Problem> {
    let inviter = stored.person(admin.user).map_or_else(String::new, |person| {
        // Of an address what stands before its `@`: an address in a mail is a link.
        person
            .name
            .clone()
            .unwrap_or_else(|| person.email.to_string().rsplit_once('@').unwrap_or_default().0.to_owned())
    });
    let link = format!("{}/accept-invite?token={}", scope.settings().public_url, token.reveal());
    let letter = Letter::Invitation { team: &stored.name, inviter: &inviter, role: invitation.role, link: &link };
    mail::send(scope, admin.tenant, format!("invitation {}", invitation.id), invitation.email.as_str(), &letter).await
}

fn shown(scope: &Scope, invitation: &Invitation) -> InvitationOut {
    InvitationOut {
        id: invitation.id,
        email: invitation.email.to_string(),
        role: invitation.role,
        status: invitation.status(scope.now()).as_str(),
        invited_by: invitation.invited_by,
        expires_at: invitation.expires_at,
    }
}
