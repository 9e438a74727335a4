//! `GET /team/members`, `PATCH` and `DELETE /team/members/{user_id}`

use axum::extract::Path;
use http::StatusCode;
use tollgate_api::{
    team::{MemberOut, MemberPatch},
    usage::PageOut,
};
use tollgate_domain::{
    account::Role,
    audit::{Action, Actor, Outcome},
    id::{TenantId, UserId},
    team::{Command, Event},
};
use tollgate_platform::{
    Problem, Scope, audit,
    http::{Json, Page, Query, Reply, cut, no_content},
    identity::{MemberOf, MemberWith, actor, needs::TeamRead},
    store::teams::Person,
    team,
};

/// Who is in the caller's team, in the order in which their accounts were made.
#[utoipa::path(get, path = "/team/members", operation_id = "list_members", tag = "team", security(("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100, 20 when left out"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, body = PageOut<MemberOut>), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem, description = "A key without `team:read`"), (status = 422, body = Problem, description = "A query parameter that nothing reads"), (status = 503, body = Problem)))]
#[worker::send]
pub async fn list(scope: Scope, member: MemberWith<TeamRead>, Query(page): Query<Page>) -> Result<Reply, Problem> {
    let limit = page.limit()?;
    let after: Option<UserId> = page.after()?;
    let stored = team::load(&scope, member.tenant).await?;
    let later = stored.people.iter().filter(|person| after.is_none_or(|after| person.user > after));
    let (people, next_cursor) = cut(later, limit, |last| last.user.to_string());
    let data = people.into_iter().map(team::member).collect();
    Ok(Reply::json(StatusCode::OK, &PageOut::<MemberOut> { data, next_cursor }))
}

/// Gives a member another role. Owners give any; admins make members admins. A team keeps an owner. With `transfer` the
/// team is handed over: the member becomes an owner and the caller an admin. It acts from the next request on.
#[utoipa::path(patch, path = "/team/members/{user_id}", operation_id = "change_member", tag = "team", security(("bearer" = [])),
    params(("user_id" = String, Path, description = "`usr_…`")), request_body = MemberPatch, responses(
    (status = 200, body = MemberOut), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem, description = "`last_owner`"), (status = 413, body = Problem),
    (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn change(
    scope: Scope,
    member: MemberOf,
    Path(user_id): Path<String>,
    Json(patch): Json<MemberPatch>,
) -> Result<Reply, Problem> {
    let user = known(&user_id)?;
    let role = Role::parse(&patch.role).ok_or_else(Problem::internal)?;
    let hands_over = patch.transfer && role == Role::Owner && user != member.user;
    let command = if hands_over { Command::TransferOwnership { to: user } } else { Command::ChangeRole { user, role } };
    let (before, events) = team::change(&scope, (member.tenant, member.user), None, &command).await?;
    if hands_over {
        let id = Some(user.to_string());
        let entry = audit::entry(&scope, actor(&member), Action::TeamTransfer, "user", id, Outcome::Success);
        audit::record(&scope, member.tenant, &entry).await;
    }
    record(&scope, member.tenant, actor(&member), &events).await;
    let person = before.person(user).ok_or_else(Problem::internal)?;
    Ok(Reply::json(StatusCode::OK, &team::member(&Person { role, ..person.clone() })))
}

/// Puts a member out, or, with one's own id, leaves. Who goes is signed out everywhere with the next request, and belongs
/// to the tenant again that was theirs before. The last owner cannot go.
#[utoipa::path(delete, path = "/team/members/{user_id}", operation_id = "remove_member", tag = "team", security(("bearer" = [])),
    params(("user_id" = String, Path, description = "`usr_…`")), responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`last_owner`"), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn remove(scope: Scope, member: MemberOf, Path(user_id): Path<String>) -> Result<Reply, Problem> {
    let user = known(&user_id)?;
    let command = if user == member.user { Command::Leave } else { Command::Remove { user } };
    let (_, events) = team::change(&scope, (member.tenant, member.user), None, &command).await?;
    record(&scope, member.tenant, actor(&member), &events).await;
    Ok(no_content())
}

fn known(user_id: &str) -> Result<UserId, Problem> {
    user_id.parse().map_err(|_| Problem::not_found("member"))
}

/// An entry for each thing that happened.
pub async fn record(scope: &Scope, tenant: TenantId, actor: Actor, events: &[Event]) {
    for event in events {
        let entry = |action, kind: &str, id: String| {
            audit::entry(scope, actor.clone(), action, kind, Some(id), Outcome::Success)
        };
        let entry = match event {
            Event::Invited(invitation) => entry(Action::TeamInvite, "invitation", invitation.id.to_string())
                .with("role", invitation.role.as_str()),
            Event::InvitationRevoked { id, .. } => entry(Action::TeamInviteRevoke, "invitation", id.to_string()),
            Event::Joined { user, .. } => entry(Action::TeamJoin, "user", user.to_string()),
            Event::RoleChanged { user, from, to } => entry(Action::TeamRoleChange, "user", user.to_string())
                .with("from", from.as_str())
                .with("to", to.as_str()),
            Event::Removed { user } => entry(Action::TeamRemove, "user", user.to_string()),
            Event::Left { user } => entry(Action::TeamLeave, "user", user.to_string()),
        };
        audit::record(scope, tenant, &entry).await;
    }
}
