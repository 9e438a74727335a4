//! Statements that cross tenants, each with its reason. There is no other place for one.

use serde::Deserialize;
use tollgate_domain::{
    account::{Email, Role},
    catalogue::{Plan, Product},
    id::{DeletionId, InvitationId, Shard, TenantId, UserId},
    time::Timestamp,
};
use wasm_bindgen::JsValue;
use worker::Env;

use super::{
    accounts::{self, AccountRow},
    database::{Database, Statement, StoreError, binding, bound_shards, runs},
    teams::{self, StoredTeam},
};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[
    ACCOUNT_BY_EMAIL,
    DIRTY_HOURS,
    ALL_HOURS_DIRTY,
    ANY_TENANT,
    OUTBOX,
    MOVE_USER,
    MOVE_IDENTITY,
    MOVE_CONFIG,
    FORMER_TENANTS,
    REMOVE_IDENTITY,
    HOME_OF_OTHERS,
    INVITATIONS_TO,
    FORGET_INVITATIONS_TO,
    FORGET_MAILS_TO,
    OPEN_DELETIONS,
    FORGET_ADDRESSES,
];

// A sign-in knows an address and nothing else: the directory on the first shard says whose it is.
const ACCOUNT_BY_EMAIL: Statement = Statement {
    name: "directory.account_by_email",
    sql: "SELECT i.tenant_id, i.user_id, u.password_hash \
          FROM identities i JOIN users u ON u.tenant_id = i.tenant_id AND u.user_id = i.user_id \
          WHERE i.email = ?1",
};

// The roll-up works for all tenants of a shard: it asks which of them have hours that changed.
const DIRTY_HOURS: Statement = Statement {
    name: "directory.dirty_hours",
    sql: "SELECT tenant_id, hour FROM usage_dirty_hours WHERE hour < ?1 ORDER BY hour LIMIT ?2",
};

// To add everything up from scratch, every hour that has events or a roll-up counts as changed.
const ALL_HOURS_DIRTY: Statement = Statement {
    name: "directory.all_hours_dirty",
    sql: "INSERT OR IGNORE INTO usage_dirty_hours (tenant_id, hour) \
          SELECT tenant_id, at / 3600000 * 3600000 FROM usage_events UNION SELECT tenant_id, hour FROM usage_hourly",
};

// Readiness is asked by nobody in particular: it wants to know whether the tables are there, and reads one row at most.
const ANY_TENANT: Statement = Statement { name: "directory.any_tenant", sql: "SELECT 1 AS found FROM tenants LIMIT 1" };

/// The first database that does not answer, by its binding's name; `None` when all do.
pub async fn silent_database(env: &Env) -> Option<String> {
    for shard in bound_shards(env) {
        if !runs(env, shard, ANY_TENANT).await {
            return Some(binding(shard));
        }
    }
    None
}

/// An hour of a tenant whose roll-up is not up to date.
#[derive(Debug, Clone, Deserialize)]
pub struct DirtyHour {
    /// The tenant.
    pub tenant_id: String,
    /// The beginning of the hour, in milliseconds.
    pub hour: i64,
}

/// Hours that ended before an instant and are not rolled up, at most `limit`.
///
/// # Errors
/// When the database cannot be read.
pub async fn dirty_hours(
    scope: &Scope,
    shard: Shard,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<DirtyHour>, StoreError> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds are below 2^53")]
    let params = [JsValue::from_f64(before.as_millis() as f64), JsValue::from_f64(f64::from(limit))];
    Database::of(scope, shard)?.all(DIRTY_HOURS, &params).await
}

/// Makes every hour count as changed.
///
/// # Errors
/// When the database cannot be written.
pub async fn all_hours_dirty(scope: &Scope, shard: Shard) -> Result<(), StoreError> {
    Database::of(scope, shard)?.batch(&[(ALL_HOURS_DIRTY, Vec::new())]).await.map(drop)
}

/// Whose address this is.
pub async fn account_by_email(scope: &Scope, email: &Email) -> Result<Option<AccountRow>, StoreError> {
    let database = Database::of(scope, Shard::FIRST)?;
    let rows = database.all(ACCOUNT_BY_EMAIL, &[JsValue::from_str(email.as_str())]).await?;
    Ok(rows.into_iter().next())
}

// A developer's view of the mails that were sent, whoever they were for; bodies are kept in the local environment only.
const OUTBOX: Statement = Statement {
    name: "directory.outbox",
    sql: "SELECT body FROM mails WHERE body IS NOT NULL ORDER BY created_at DESC, event DESC LIMIT ?1",
};

#[derive(Deserialize)]
struct Body {
    body: String,
}

/// The latest mails as JSON, newest first: those of the first shard.
///
/// # Errors
/// When the database cannot be read.
pub async fn outbox(scope: &Scope, limit: u32) -> Result<Vec<String>, StoreError> {
    let params = [JsValue::from_f64(f64::from(limit))];
    let rows: Vec<Body> = Database::of(scope, Shard::FIRST)?.all(OUTBOX, &params).await?;
    Ok(rows.into_iter().map(|row| row.body).collect())
}

// Who accepts an invitation moves into the team's tenant, and back when leaving: with everything the row has.
const MOVE_USER: Statement = Statement {
    name: "directory.move_user",
    sql: "UPDATE users SET tenant_id = ?2, role = ?4, product = ?5, home_tenant_id = ?6, joined_at = ?7, \
            email_verified = max(email_verified, ?8) \
          WHERE tenant_id = ?1 AND user_id = ?3",
};

// The sign-in name goes where its user goes: the next sign-in is one to the other tenant.
const MOVE_IDENTITY: Statement = Statement {
    name: "directory.move_identity",
    sql: "UPDATE identities SET tenant_id = ?2, former_tenants = former_tenants || ' ' || ?1 \
          WHERE tenant_id = ?1 AND user_id = ?3",
};

// Settings are the person's, and go along.
const MOVE_CONFIG: Statement = Statement {
    name: "directory.move_config",
    sql: "UPDATE OR REPLACE user_configs SET tenant_id = ?2 WHERE tenant_id = ?1 AND user_id = ?3",
};

/// A statement with its parameters.
type Write = (Statement, Vec<JsValue>);

fn text(text: &(impl ToString + ?Sized)) -> JsValue {
    JsValue::from_str(&text.to_string())
}

#[expect(clippy::cast_precision_loss, reason = "instants and versions are below 2^53")]
fn int(number: i64) -> JsValue {
    JsValue::from_f64(number as f64)
}

/// A user who changes tenants.
#[derive(Debug, Clone, Copy)]
struct Move {
    user: UserId,
    from: TenantId,
    to: TenantId,
    role: Role,
    product: Product,
    home: Option<TenantId>,
    /// The token of an invitation was read in the mailbox.
    proves_email: bool,
}

impl Move {
    /// Every session of the old tenant ends with it.
    fn writes(self, now: Timestamp) -> [Write; 4] {
        let (user, from, to) = (text(&self.user), text(&self.from), text(&self.to));
        let home = self.home.map_or(JsValue::NULL, |home| text(&home));
        let row = vec![
            from.clone(),
            to.clone(),
            user.clone(),
            text(self.role.as_str()),
            text(self.product.as_str()),
            home,
            int(now.as_millis()),
            int(i64::from(self.proves_email)),
        ];
        [
            (teams::END_SESSIONS, vec![from.clone(), user.clone(), int(now.as_millis())]),
            (MOVE_USER, row),
            (MOVE_IDENTITY, vec![from.clone(), to.clone(), user.clone()]),
            (MOVE_CONFIG, vec![from, to, user]),
        ]
    }
}

fn changed(team: &StoredTeam, now: Timestamp) -> Write {
    (teams::CHANGED, vec![text(&team.tenant), int(teams::next(team)), int(now.as_millis())])
}

/// One transaction in the database of two tenants.
async fn together(scope: &Scope, tenants: [TenantId; 2], writes: &[Write]) -> Result<(), StoreError> {
    if tenants[0].shard() != tenants[1].shard() {
        // To be done in two steps with a note in between, once there are several databases.
        crate::log::error("directory", "a user cannot move between databases yet", Some(scope));
        return Err(StoreError::Failed);
    }
    Database::of(scope, tenants[0].shard())?.batch(writes).await.map(drop)
}

/// Who joins a team.
#[derive(Debug, Clone, Copy)]
pub struct Joining {
    /// Who.
    pub user: UserId,
    /// As what.
    pub role: Role,
    /// What their tokens are for from now on.
    pub product: Product,
    /// With which invitation.
    pub invitation: InvitationId,
}

/// Moves the only member of a tenant into a team. What the old tenant has stays there: it is home.
///
/// # Errors
/// `Taken` when one of the two has changed since it was read.
pub async fn join_team(
    scope: &Scope,
    team: &StoredTeam,
    home: &StoredTeam,
    joining: Joining,
) -> Result<(), StoreError> {
    let now = scope.now();
    let user = text(&joining.user);
    let mut writes = vec![
        changed(team, now),
        changed(home, now),
        (teams::ACCEPTED, vec![text(&team.tenant), text(&joining.invitation), user.clone()]),
        (teams::REVOKED_ALL, vec![text(&home.tenant), int(now.as_millis())]),
        (teams::PLAN_CHANGED, vec![text(&home.tenant), user]),
    ];
    let moving = Move {
        user: joining.user,
        from: home.tenant,
        to: team.tenant,
        role: joining.role,
        product: joining.product,
        home: Some(home.tenant),
        proves_email: true,
    };
    writes.extend(moving.writes(now));
    together(scope, [team.tenant, home.tenant], &writes).await
}

/// Who goes out of a team.
#[derive(Debug)]
pub struct Leaving<'a> {
    /// Who.
    pub user: UserId,
    /// Where to: home, or a tenant that is made with this name, because there is no home.
    pub to: TenantId,
    /// The name of the tenant that is made; `None` when it is there.
    pub new_name: Option<&'a str>,
    /// What their tokens are for from now on.
    pub product: Product,
    /// Their invitations, which die.
    pub revoked: &'a [InvitationId],
}

/// Moves a member out of a team, home or into a tenant of their own, whose trial is over: leaving begins none.
///
/// # Errors
/// `Taken` when the team has changed since it was read.
pub async fn leave_team(scope: &Scope, team: &StoredTeam, leaving: &Leaving<'_>) -> Result<(), StoreError> {
    let now = scope.now();
    let (user, to, at) = (text(&leaving.user), text(&leaving.to), int(now.as_millis()));
    let mut writes = vec![changed(team, now)];
    writes.extend(leaving.revoked.iter().map(|id| (teams::REVOKED, vec![text(&team.tenant), text(id), at.clone()])));
    match leaving.new_name {
        Some(name) => writes.extend([
            (accounts::ADD_TENANT, vec![to.clone(), text(name), at.clone()]),
            (
                accounts::ADD_SUBSCRIPTION,
                vec![to, user, text(leaving.product.as_str()), text(Plan::Trial.as_str()), at.clone(), at.clone(), at],
            ),
        ]),
        None => writes.push((teams::PLAN_CHANGED, vec![to, user])),
    }
    let moving = Move {
        user: leaving.user,
        from: team.tenant,
        to: leaving.to,
        role: Role::Owner,
        product: leaving.product,
        home: None,
        proves_email: false,
    };
    writes.extend(moving.writes(now));
    together(scope, [team.tenant, leaving.to], &writes).await
}

// Where a user was before, for an export and a deletion: only the directory knows it.
const FORMER_TENANTS: Statement = Statement {
    name: "directory.former_tenants",
    sql: "SELECT former_tenants FROM identities WHERE email = ?1 AND user_id = ?2",
};

// A deleted user's address is free again; one that somebody else has registered since is left alone.
const REMOVE_IDENTITY: Statement =
    Statement { name: "directory.remove_identity", sql: "DELETE FROM identities WHERE email = ?1 AND user_id = ?2" };

// A tenant that nobody is in may be the home of somebody who is in a team now: then it is not deleted with who left it.
const HOME_OF_OTHERS: Statement = Statement {
    name: "directory.home_of_others",
    sql: "SELECT 1 AS found FROM users WHERE home_tenant_id = ?1 AND user_id <> ?2 LIMIT 1",
};

// Others' invitations to an address are personal data of whoever has proven to have it, whichever tenant they are from.
const INVITATIONS_TO: Statement = Statement {
    name: "directory.invitations_to",
    sql: "SELECT json_object('tenant_id', tenant_id, 'invitation_id', invitation_id, 'role', role, 'expires_at', expires_at, \
            'revoked_at', revoked_at) AS row FROM invitations WHERE email = ?1 ORDER BY invitation_id LIMIT 1000",
};

// The same invitations, when whoever they were sent to is deleted: nobody can accept them any more.
const FORGET_INVITATIONS_TO: Statement = Statement {
    name: "directory.forget_invitations_to",
    sql: "DELETE FROM invitations WHERE email = ?1 AND accepted_by IS NULL",
};

// Mails that other tenants have sent to the address of a deleted user.
const FORGET_MAILS_TO: Statement =
    Statement { name: "directory.forget_mails_to", sql: "DELETE FROM mails WHERE recipient = ?1" };

// The schedule drives every deletion that is not done, whichever tenant it is in.
const OPEN_DELETIONS: Statement = Statement {
    name: "directory.open_deletions",
    sql: "SELECT tenant_id, deletion_id FROM deletions \
          WHERE state <> 'proven' AND requested_at < ?1 ORDER BY requested_at LIMIT ?2",
};

// An address's hash is kept as long as a mail to it may be on its way, in every tenant.
const FORGET_ADDRESSES: Statement = Statement {
    name: "directory.forget_addresses",
    sql: "UPDATE deletions SET address = NULL WHERE address IS NOT NULL AND requested_at < ?1",
};

#[derive(Deserialize)]
struct Former {
    former_tenants: String,
}

/// The tenants that a user was in before, with a blank between them.
///
/// # Errors
/// When the database cannot be read.
pub async fn former_tenants(scope: &Scope, email: &Email, user: UserId) -> Result<String, StoreError> {
    let params = [text(email.as_str()), text(&user)];
    let rows: Vec<Former> = Database::of(scope, Shard::FIRST)?.all(FORMER_TENANTS, &params).await?;
    Ok(rows.into_iter().next().map(|row| row.former_tenants).unwrap_or_default())
}

/// Makes an address nobody's.
///
/// # Errors
/// When the database cannot be written.
pub async fn remove_identity(scope: &Scope, email: &Email, user: UserId) -> Result<(), StoreError> {
    let write = (REMOVE_IDENTITY, vec![text(email.as_str()), text(&user)]);
    Database::of(scope, Shard::FIRST)?.batch(&[write]).await.map(drop)
}

#[derive(Deserialize)]
struct Found {}

/// Whether a tenant is the home of anybody else than a user.
///
/// # Errors
/// When a database cannot be read.
pub async fn is_home_of_others(scope: &Scope, tenant: TenantId, user: UserId) -> Result<bool, StoreError> {
    for shard in bound_shards(scope.env()) {
        let rows: Vec<Found> = Database::of(scope, shard)?.all(HOME_OF_OTHERS, &[text(&tenant), text(&user)]).await?;
        if !rows.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[derive(Deserialize)]
struct InvitationJson {
    row: String,
}

/// Invitations to an address, each a JSON object: for whoever has proven to have it.
///
/// # Errors
/// When a database cannot be read.
pub async fn invitations_to(scope: &Scope, email: &Email) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for shard in bound_shards(scope.env()) {
        let rows: Vec<InvitationJson> =
            Database::of(scope, shard)?.all(INVITATIONS_TO, &[text(email.as_str())]).await?;
        found.extend(rows.into_iter().map(|row| row.row));
    }
    Ok(found)
}

/// Removes what other tenants have addressed to somebody who has proven to have the address.
///
/// # Errors
/// When a database cannot be written.
pub async fn forget_address_everywhere(scope: &Scope, email: &Email) -> Result<(), StoreError> {
    for shard in bound_shards(scope.env()) {
        let address = vec![text(email.as_str())];
        let writes = [(FORGET_INVITATIONS_TO, address.clone()), (FORGET_MAILS_TO, address)];
        Database::of(scope, shard)?.batch(&writes).await?;
    }
    Ok(())
}

/// A deletion that is not done.
#[derive(Debug, Clone, Deserialize)]
pub struct OpenDeletion {
    /// In which tenant.
    pub tenant_id: TenantId,
    /// Which.
    pub deletion_id: DeletionId,
}

/// Deletions of a shard that were asked for before an instant and are not done, the oldest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn open_deletions(
    scope: &Scope,
    shard: Shard,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<OpenDeletion>, StoreError> {
    let params = [int(before.as_millis()), int(i64::from(limit))];
    Database::of(scope, shard)?.all(OPEN_DELETIONS, &params).await
}

/// Forgets the hashes of addresses of deletions that were asked for before an instant.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget_addresses(scope: &Scope, shard: Shard, before: Timestamp) -> Result<(), StoreError> {
    Database::of(scope, shard)?.batch(&[(FORGET_ADDRESSES, vec![int(before.as_millis())])]).await.map(drop)
}
