//! `GET /team`, `PATCH /team`

use http::StatusCode;
use tollgate_api::team::{SeatsOut, TeamOut, TeamPatch};
use tollgate_domain::{
    account::Role,
    audit::{Action, Outcome},
    catalogue::Plan,
    team::InvitationStatus,
};
use tollgate_platform::{
    Problem, Scope, audit,
    http::{Json, Reply},
    identity::{AdminOf, MemberWith, actor, needs::TeamRead},
    store::teams::{self, StoredTeam},
    team,
};

/// The caller's team: its name, plan and seats, and what the caller is in it. Everybody has one, most of them a team of one.
#[utoipa::path(get, path = "/team", operation_id = "read_team", tag = "team", security(("bearer" = [])), responses(
    (status = 200, body = TeamOut), (status = 401, body = Problem), (status = 403, body = Problem, description = "A key without `team:read`"), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn read(scope: Scope, member: MemberWith<TeamRead>) -> Result<Reply, Problem> {
    let stored = team::load(&scope, member.tenant).await?;
    Ok(Reply::json(StatusCode::OK, &shown(&scope, &stored, member.role)))
}

/// Gives the team another name.
#[utoipa::path(patch, path = "/team", operation_id = "change_team", tag = "team", security(("bearer" = [])), request_body = TeamPatch, responses(
    (status = 200, body = TeamOut), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
))]
#[worker::send]
pub async fn change(scope: Scope, admin: AdminOf, Json(patch): Json<TeamPatch>) -> Result<Reply, Problem> {
    let mut stored = team::load(&scope, admin.tenant).await?;
    let name = patch.name.map(|name| name.trim().to_owned()).filter(|name| *name != stored.name);
    if let Some(name) = name {
        teams::rename_team(&scope, admin.tenant, &name).await?;
        let id = Some(admin.tenant.to_string());
        let entry = audit::entry(&scope, actor(&admin), Action::TeamChange, "team", id, Outcome::Success)
            // That it changed, not to what: a team may be named after somebody, and the log is kept when they are deleted.
            .with("changed", "name");
        audit::record(&scope, admin.tenant, &entry).await;
        stored.name = name;
    }
    Ok(Reply::json(StatusCode::OK, &shown(&scope, &stored, admin.role)))
}

fn shown(scope: &Scope, stored: &StoredTeam, role: Role) -> TeamOut {
    let now = scope.now();
    let invited = stored.team.invitations().filter(|one| one.status(now) == InvitationStatus::Pending).count();
    TeamOut {
        id: stored.tenant,
        name: stored.name.clone(),
        plan: stored.plan.map(Plan::as_str),
        seats: SeatsOut { used: stored.team.seats_used(), invited, total: stored.seats },
        role,
        created_at: stored.created_at,
    }
}
