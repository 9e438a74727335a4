//! Teams: members with their roles, invitations, seats.
//!
//! Who is in a team is decided by [`Team::decide`] on what [`team`] reads, and written by [`commit`], or by
//! [`directory::join_team`](super::directory::join_team) and its counterpart where somebody moves between tenants. All of
//! them add the next version to `team_changes`: of two changes at once, one fails and is decided again.

use serde::Deserialize;
use tollgate_domain::{
    account::{Email, NO_PASSWORD, Role},
    catalogue::{Plan, Product},
    id::{InvitationId, SessionId, Shard, TenantId, UserId},
    secret_hash::SecretHash,
    team::{Event, Invitation, Member, Team},
    time::Timestamp,
};

use super::{
    accounts,
    database::{Param, Statement, StoreError, TenantDb},
    directory,
    provider_identities::{self, NewIdentity},
};
use crate::{Scope, mailbox};

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[
    STANDING_ROLE,
    TEAM,
    INVITATIONS,
    CHANGED,
    INVITED,
    REVOKED,
    REVOKED_ALL,
    ACCEPTED,
    ROLE_CHANGED,
    RENAMED,
    RECENT_SESSIONS,
    END_SESSIONS,
    PRODUCTS,
    PLAN_CHANGED,
];

// The role of this moment, while the session stands: what a token says may be 15 minutes old.
const STANDING_ROLE: Statement = Statement {
    name: "teams.standing_role",
    sql: "SELECT u.role FROM users u JOIN sessions s ON s.tenant_id = ?1 AND s.user_id = u.user_id \
          WHERE u.tenant_id = ?1 AND u.user_id = ?2 AND s.session_id = ?3 AND s.revoked_at IS NULL",
};
// All of a team in one statement: what is decided on is of one moment. Of the invitations those that are open, and one
// that is asked for.
const TEAM: Statement = Statement {
    name: "teams.team",
    sql: "SELECT t.name, t.created_at, \
            (SELECT coalesce(max(c.version), 0) FROM team_changes c WHERE c.tenant_id = ?1) AS version, \
            (SELECT json_object('plan', b.plan, 'product', b.product, 'seats', b.seats) FROM subscriptions b \
               WHERE b.tenant_id = ?1 ORDER BY b.plan <> 'teams', b.anchor_at, b.user_id, b.product LIMIT 1) AS subscription, \
            (SELECT json_group_array(json_object('user_id', u.user_id, 'email', u.email, 'name', u.name, 'role', u.role, \
               'product', u.product, 'home_tenant_id', u.home_tenant_id, 'joined_at', coalesce(u.joined_at, u.created_at))) \
               FROM users u WHERE u.tenant_id = ?1) AS members, \
            (SELECT json_group_array(json_object('invitation_id', i.invitation_id, 'email', i.email, 'role', i.role, \
               'invited_by', i.invited_by, 'token_hash', i.token_hash, 'expires_at', i.expires_at, \
               'accepted_by', i.accepted_by, 'revoked_at', i.revoked_at)) \
               FROM invitations i WHERE i.tenant_id = ?1 \
                 AND (i.invitation_id = ?3 OR (i.accepted_by IS NULL AND i.revoked_at IS NULL AND i.expires_at > ?2))) AS invitations \
          FROM tenants t WHERE t.tenant_id = ?1",
};
const INVITATIONS: Statement = Statement {
    name: "teams.invitations",
    sql: "SELECT invitation_id, email, role, invited_by, token_hash, expires_at, accepted_by, revoked_at \
          FROM invitations WHERE tenant_id = ?1 AND (?2 IS NULL OR invitation_id < ?2) ORDER BY invitation_id DESC LIMIT ?3",
};
/// The next version: fails when somebody else was faster.
pub(super) const CHANGED: Statement =
    Statement { name: "teams.changed", sql: "INSERT INTO team_changes (tenant_id, version, at) VALUES (?1, ?2, ?3)" };
const INVITED: Statement = Statement {
    name: "teams.invited",
    sql: "INSERT INTO invitations (tenant_id, invitation_id, email, role, invited_by, token_hash, expires_at) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
};
pub(super) const REVOKED: Statement = Statement {
    name: "teams.revoked",
    sql: "UPDATE invitations SET revoked_at = ?3 \
          WHERE tenant_id = ?1 AND invitation_id = ?2 AND accepted_by IS NULL AND revoked_at IS NULL",
};
/// A tenant that nobody is in any more invites nobody.
pub(super) const REVOKED_ALL: Statement = Statement {
    name: "teams.revoked_all",
    sql: "UPDATE invitations SET revoked_at = ?2 WHERE tenant_id = ?1 AND accepted_by IS NULL AND revoked_at IS NULL",
};
pub(super) const ACCEPTED: Statement = Statement {
    name: "teams.accepted",
    sql: "UPDATE invitations SET accepted_by = ?3 WHERE tenant_id = ?1 AND invitation_id = ?2 AND accepted_by IS NULL",
};
const ROLE_CHANGED: Statement =
    Statement { name: "teams.role_changed", sql: "UPDATE users SET role = ?3 WHERE tenant_id = ?1 AND user_id = ?2" };
const RENAMED: Statement =
    Statement { name: "teams.renamed", sql: "UPDATE tenants SET name = ?2 WHERE tenant_id = ?1" };
const RECENT_SESSIONS: Statement = Statement {
    name: "teams.recent_sessions",
    sql: "SELECT session_id FROM sessions WHERE tenant_id = ?1 AND user_id = ?2 AND refreshed_at > ?3",
};
pub(super) const END_SESSIONS: Statement = Statement {
    name: "teams.end_sessions",
    sql: "UPDATE sessions SET revoked_at = ?3 WHERE tenant_id = ?1 AND user_id = ?2 AND revoked_at IS NULL",
};
const PRODUCTS: Statement = Statement {
    name: "teams.products",
    sql: "SELECT product FROM subscriptions WHERE tenant_id = ?1 AND user_id = ?2 ORDER BY anchor_at, product",
};
/// What the meter is told next is newer than what it has.
pub(super) const PLAN_CHANGED: Statement = Statement {
    name: "teams.plan_changed",
    sql: "UPDATE subscriptions SET version = version + 1 WHERE tenant_id = ?1 AND user_id = ?2",
};

#[derive(Deserialize)]
struct RoleRow {
    role: String,
}

/// What a user is, while the session stands.
///
/// # Errors
/// When the database cannot be read.
pub async fn standing_role(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    session: SessionId,
) -> Result<Option<Role>, StoreError> {
    let (user, session) = (user.to_string(), session.to_string());
    let params = [Param::Text(&user), Param::Text(&session)];
    let row: Option<RoleRow> = TenantDb::of(scope, tenant)?.first(STANDING_ROLE, &params).await?;
    Ok(row.and_then(|row| Role::parse(&row.role)))
}

#[derive(Deserialize)]
struct TeamRow {
    name: String,
    created_at: i64,
    version: u64,
    subscription: Option<String>,
    members: String,
    invitations: String,
}

#[derive(Deserialize)]
struct PlanRow {
    plan: String,
    product: String,
    seats: u32,
}

#[derive(Deserialize)]
struct MemberRow {
    user_id: UserId,
    email: String,
    name: Option<String>,
    role: Role,
    product: String,
    home_tenant_id: Option<TenantId>,
    joined_at: i64,
}

#[derive(Deserialize)]
struct InvitationRow {
    invitation_id: InvitationId,
    email: String,
    role: Role,
    invited_by: UserId,
    token_hash: String,
    expires_at: i64,
    accepted_by: Option<UserId>,
    revoked_at: Option<i64>,
}

impl InvitationRow {
    fn invitation(self) -> Option<Invitation> {
        Some(Invitation {
            id: self.invitation_id,
            email: mailbox::stored(&self.email)?,
            role: self.role,
            invited_by: self.invited_by,
            token_hash: SecretHash::parse(&self.token_hash)?,
            expires_at: Timestamp::from_millis(self.expires_at),
            accepted_by: self.accepted_by,
            revoked_at: self.revoked_at.map(Timestamp::from_millis),
        })
    }
}

/// A member, with what a list shows and a move needs.
#[derive(Debug, Clone)]
pub struct Person {
    /// Who.
    pub user: UserId,
    /// The sign-in name, as it is stored: accounts of earlier releases stand under other spellings than today's.
    pub email: Email,
    /// The one form of that address: invitations and other members are compared by it.
    pub mailbox: Email,
    /// How to address the person.
    pub name: Option<String>,
    /// The role.
    pub role: Role,
    /// What the person's tokens are for.
    pub product: Product,
    /// The tenant to go back to.
    pub home: Option<TenantId>,
    /// When the person came.
    pub joined_at: Timestamp,
}

/// A team at one moment.
#[derive(Debug, Clone)]
pub struct StoredTeam {
    /// Whose rows these are.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The number of its latest change.
    pub version: u64,
    /// Its plan: a team's where there is one.
    pub plan: Option<Plan>,
    /// What the plan is for.
    pub product: Option<Product>,
    /// Seats that are paid for.
    pub seats: u32,
    /// What is decided on.
    pub team: Team,
    /// The members, by id.
    pub people: Vec<Person>,
}

impl StoredTeam {
    /// Whether the plan is one for teams.
    pub fn is_pooled(&self) -> bool {
        self.plan.is_some_and(Plan::is_pooled)
    }

    /// A member.
    pub fn person(&self, user: UserId) -> Option<&Person> {
        self.people.iter().find(|person| person.user == user)
    }
}

fn read(tenant: TenantId, row: &TeamRow) -> Option<StoredTeam> {
    let plan: Option<PlanRow> = row.subscription.as_deref().map(serde_json::from_str).transpose().ok()?;
    let members: Vec<MemberRow> = serde_json::from_str(&row.members).ok()?;
    let invitations: Vec<InvitationRow> = serde_json::from_str(&row.invitations).ok()?;
    let mut people = members
        .into_iter()
        .map(|member| {
            Some(Person {
                user: member.user_id,
                email: Email::parse(&member.email).ok()?,
                mailbox: mailbox::stored(&member.email)?,
                name: member.name,
                role: member.role,
                product: Product::parse(&member.product)?,
                home: member.home_tenant_id,
                joined_at: Timestamp::from_millis(member.joined_at),
            })
        })
        .collect::<Option<Vec<_>>>()?;
    people.sort_unstable_by_key(|person| person.user);
    let members = people.iter().map(|person| {
        let member = Member { email: person.mailbox.clone(), role: person.role };
        (person.user, member)
    });
    let invitations = invitations.into_iter().map(InvitationRow::invitation).collect::<Option<Vec<_>>>()?;
    let known_plan = plan.as_ref().and_then(|row| Plan::parse(&row.plan));
    // Other plans are for one.
    let seats = plan.as_ref().filter(|_| known_plan.is_some_and(Plan::is_pooled)).map_or(1, |row| row.seats);
    Some(StoredTeam {
        tenant,
        name: row.name.clone(),
        created_at: Timestamp::from_millis(row.created_at),
        version: row.version,
        plan: known_plan,
        product: plan.and_then(|row| Product::parse(&row.product)),
        seats,
        team: Team::stored(members.collect(), invitations, seats),
        people,
    })
}

/// A team with its open invitations, and one more that is asked for; `None` where there is no such tenant.
///
/// # Errors
/// When the database cannot be read, or holds what no release has written.
pub async fn team(
    scope: &Scope,
    tenant: TenantId,
    invitation: Option<InvitationId>,
) -> Result<Option<StoredTeam>, StoreError> {
    let invitation = invitation.map(|id| id.to_string());
    let params = [Param::Int(scope.now().as_millis()), invitation.as_deref().into()];
    let row: Option<TeamRow> = TenantDb::of(scope, tenant)?.first(TEAM, &params).await?;
    let Some(row) = row else { return Ok(None) };
    let team = read(tenant, &row).ok_or_else(|| {
        crate::log::error("teams", &format!("the rows of {tenant} cannot be read"), Some(scope));
        StoreError::Failed
    })?;
    Ok(Some(team))
}

/// A page of the invitations, newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn invitations(
    scope: &Scope,
    tenant: TenantId,
    before: Option<InvitationId>,
    limit: u32,
) -> Result<Vec<Invitation>, StoreError> {
    let before = before.map(|id| id.to_string());
    let params = [before.as_deref().into(), Param::Int(i64::from(limit))];
    let rows: Vec<InvitationRow> = TenantDb::of(scope, tenant)?.all(INVITATIONS, &params).await?;
    Ok(rows.into_iter().filter_map(InvitationRow::invitation).collect())
}

/// Stores what was decided about a team, all or nothing. Those who join or go take other ways: see
/// [`directory`](super::directory).
///
/// # Errors
/// `Taken` when the team has changed since it was read.
pub async fn commit(scope: &Scope, before: &StoredTeam, events: &[Event]) -> Result<(), StoreError> {
    let version = next(before);
    let mut texts = Vec::new();
    for event in events {
        texts.push(match event {
            Event::Invited(invitation) => {
                [invitation.id.to_string(), invitation.invited_by.to_string(), invitation.token_hash.to_string()]
            }
            Event::InvitationRevoked { id, .. } => [id.to_string(), String::new(), String::new()],
            Event::RoleChanged { user, .. } => [user.to_string(), String::new(), String::new()],
            Event::Joined { .. } | Event::Removed { .. } | Event::Left { .. } => return Err(StoreError::Failed),
        });
    }
    let mut writes = vec![(CHANGED, vec![Param::Int(version), Param::Int(scope.now().as_millis())])];
    for (event, [id, by, hash]) in events.iter().zip(&texts) {
        writes.push(match event {
            Event::Invited(invitation) => (
                INVITED,
                vec![
                    Param::Text(id),
                    Param::Text(invitation.email.as_str()),
                    Param::Text(invitation.role.as_str()),
                    Param::Text(by),
                    Param::Text(hash),
                    Param::Int(invitation.expires_at.as_millis()),
                ],
            ),
            Event::InvitationRevoked { at, .. } => (REVOKED, vec![Param::Text(id), Param::Int(at.as_millis())]),
            Event::RoleChanged { to, .. } => (ROLE_CHANGED, vec![Param::Text(id), Param::Text(to.as_str())]),
            Event::Joined { .. } | Event::Removed { .. } | Event::Left { .. } => return Err(StoreError::Failed),
        });
    }
    TenantDb::of(scope, before.tenant)?.batch(&writes).await.map(drop)
}

/// Somebody new in a team, whom its single sign-on vouches for.
#[derive(Debug, Clone, Copy)]
pub struct Newcomer<'a> {
    /// The user's id.
    pub user: UserId,
    /// The sign-in name.
    pub email: &'a Email,
    /// How to address the person.
    pub name: Option<&'a str>,
    /// What their tokens are for.
    pub product: Product,
    /// What they sign in with.
    pub identity: NewIdentity<'a>,
    /// The invitation that is used up with it.
    pub invitation: Option<InvitationId>,
}

/// Makes a member without a password: user, sign-in name and identity in one transaction on the first shard. On another the
/// sign-in name comes first: should the rest fail it names nobody, and the next try takes it back.
///
/// # Errors
/// `Taken` when the team has changed since it was read, or the address or the identity has an account.
pub async fn add_member(scope: &Scope, before: &StoredTeam, newcomer: &Newcomer<'_>) -> Result<(), StoreError> {
    let now = Param::Int(scope.now().as_millis());
    let (user, id) = (newcomer.user.to_string(), newcomer.identity.id.to_string());
    let invitation = newcomer.invitation.map(|id| id.to_string());
    let email = Param::Text(newcomer.email.as_str());
    let mut writes = vec![
        (CHANGED, vec![Param::Int(next(before)), now]),
        (
            accounts::ADD_USER,
            vec![
                Param::Text(&user),
                email,
                newcomer.name.into(),
                Param::Text(NO_PASSWORD),
                Param::Text(Role::Member.as_str()),
                Param::Text(newcomer.product.as_str()),
                now,
                Param::Int(1),
            ],
        ),
        (provider_identities::ADD, provider_identities::values(&newcomer.identity, &id, &user)),
    ];
    if let Some(invitation) = &invitation {
        writes.push((ACCEPTED, vec![Param::Text(invitation), Param::Text(&user)]));
    }
    let db = TenantDb::of(scope, before.tenant)?;
    if before.tenant.shard() == Shard::FIRST {
        writes.push((accounts::ADD_IDENTITY, vec![email, Param::Text(&user)]));
        return db.batch(&writes).await.map(drop);
    }
    directory::claim_identity(scope, before.tenant, newcomer.user, newcomer.email).await?;
    let added = db.batch(&writes).await.map(drop);
    if added.is_err() {
        // What stays is taken back by the next try.
        let _ = directory::remove_identity(scope, newcomer.email, newcomer.user).await;
    }
    added
}

/// The version after the one that was read.
pub(super) fn next(before: &StoredTeam) -> i64 {
    i64::try_from(before.version).unwrap_or(i64::MAX - 1) + 1
}

/// Gives a team another name.
///
/// # Errors
/// When the database cannot be written.
pub async fn rename_team(scope: &Scope, tenant: TenantId, name: &str) -> Result<(), StoreError> {
    TenantDb::of(scope, tenant)?.run(RENAMED, &[Param::Text(name)]).await.map(drop)
}

#[derive(Deserialize)]
struct SessionIdRow {
    session_id: SessionId,
}

/// The sessions of a user that got a token since an instant, ended or not.
///
/// # Errors
/// When the database cannot be read.
pub async fn recent_sessions(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    since: Timestamp,
) -> Result<Vec<SessionId>, StoreError> {
    let user = user.to_string();
    let params = [Param::Text(&user), Param::Int(since.as_millis())];
    let rows: Vec<SessionIdRow> = TenantDb::of(scope, tenant)?.all(RECENT_SESSIONS, &params).await?;
    Ok(rows.into_iter().map(|row| row.session_id).collect())
}

#[derive(Deserialize)]
struct ProductRow {
    product: String,
}

/// The products that a user has a subscription of their own to.
///
/// # Errors
/// When the database cannot be read.
pub async fn products(scope: &Scope, tenant: TenantId, user: UserId) -> Result<Vec<Product>, StoreError> {
    let user = user.to_string();
    let rows: Vec<ProductRow> = TenantDb::of(scope, tenant)?.all(PRODUCTS, &[Param::Text(&user)]).await?;
    Ok(rows.iter().filter_map(|row| Product::parse(&row.product)).collect())
}
