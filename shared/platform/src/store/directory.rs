//! Statements that cross tenants, each with its reason. There is no other place for one.

use serde::Deserialize;
use tollgate_domain::{
    account::{Email, Role},
    catalogue::{Plan, Product},
    id::{InvitationId, Shard, TenantId, UserId},
    time::Timestamp,
};
use wasm_bindgen::JsValue;
use worker::Env;

use super::{
    accounts::{self, AccountRow},
    data_keys,
    database::{Database, Statement, StoreError, binding, bound_shards, runs},
    teams::{self, StoredTeam},
};
use crate::Scope;

/// Statements of this repository.
#[rustfmt::skip] // one line a statement: whoever adds one changes no other line
pub const STATEMENTS: &[Statement] = &[
    ACCOUNT_BY_EMAIL,
    DIRTY_HOURS,
    ALL_HOURS_DIRTY,
    DATA_KEYS_BEHIND,
    ANY_TENANT,
    OUTBOX,
    MOVE_USER,
    MOVE_IDENTITY,
    MOVE_CONFIG,
    MOVE_SECOND_FACTOR,
    MOVE_LINKS,
];

// A sign-in knows an address and nothing else: the directory on the first shard says whose it is.
const ACCOUNT_BY_EMAIL: Statement = Statement {
    name: "directory.account_by_email",
    sql: "SELECT i.tenant_id, i.user_id, u.password_hash, f.confirmed_at IS NOT NULL AS second_factor \
          FROM identities i JOIN users u ON u.tenant_id = i.tenant_id AND u.user_id = i.user_id \
          LEFT JOIN second_factors f ON f.tenant_id = i.tenant_id AND f.user_id = i.user_id \
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

// A new master key is for every tenant of a shard: the job asks whose data keys are under an older one, from a place on.
const DATA_KEYS_BEHIND: Statement = Statement {
    name: "directory.data_keys_behind",
    sql: "SELECT tenant_id, version, sealed FROM data_keys \
          WHERE master_version < ?1 AND (tenant_id > ?2 OR (tenant_id = ?2 AND version > ?3)) \
          ORDER BY tenant_id, version LIMIT ?4",
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

/// A data key, sealed under an older master key.
#[derive(Debug, Clone, Deserialize)]
pub struct DataKeyBehind {
    /// Whose.
    pub tenant_id: String,
    /// Which of the tenant's keys.
    pub version: u32,
    /// As it is stored.
    pub sealed: String,
}

/// Data keys under master keys older than a version, at most `limit`, that come behind a place in the order of tenants.
///
/// # Errors
/// When the database cannot be read.
pub async fn data_keys_behind(
    scope: &Scope,
    shard: Shard,
    master_version: u32,
    behind: Option<&DataKeyBehind>,
    limit: u32,
) -> Result<Vec<DataKeyBehind>, StoreError> {
    let (tenant, version) = behind.map_or(("", 0), |key| (key.tenant_id.as_str(), key.version));
    let params = [
        JsValue::from_f64(f64::from(master_version)),
        JsValue::from_str(tenant),
        JsValue::from_f64(f64::from(version)),
        JsValue::from_f64(f64::from(limit)),
    ];
    Database::of(scope, shard)?.all(DATA_KEYS_BEHIND, &params).await
}

/// Stores data keys of several tenants anew, each where it was read: `(as it was read, sealed under the newest)`. Answers how
/// many were changed; those that somebody else has stored anew in the meantime are not.
///
/// # Errors
/// When the database cannot be written.
pub async fn rewrap_data_keys(
    scope: &Scope,
    shard: Shard,
    master_version: u32,
    keys: &[(DataKeyBehind, String)],
) -> Result<u64, StoreError> {
    let write = |(key, sealed): &(DataKeyBehind, String)| {
        let numbers = [key.version, master_version].map(|number| JsValue::from_f64(f64::from(number)));
        let [version, master_version] = numbers;
        (data_keys::REWRAP, vec![text(&key.tenant_id), version, text(&key.sealed), text(sealed), master_version])
    };
    let changed = Database::of(scope, shard)?.batch(&keys.iter().map(write).collect::<Vec<_>>()).await?;
    Ok(changed.into_iter().sum())
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
    sql: "UPDATE identities SET tenant_id = ?2 WHERE tenant_id = ?1 AND user_id = ?3",
};

// Settings are the person's, and go along.
const MOVE_CONFIG: Statement = Statement {
    name: "directory.move_config",
    sql: "UPDATE OR REPLACE user_configs SET tenant_id = ?2 WHERE tenant_id = ?1 AND user_id = ?3",
};

// The second factor goes along: else joining a team would switch it off. Its secret stays sealed for the tenant it names.
const MOVE_SECOND_FACTOR: Statement = Statement {
    name: "directory.move_second_factor",
    sql: "UPDATE second_factors SET tenant_id = ?2 WHERE tenant_id = ?1 AND user_id = ?3",
};

// What somebody signs in with at other parties goes with them, and a team's single sign-on opens nothing elsewhere.
const MOVE_LINKS: Statement = Statement {
    name: "directory.move_links",
    sql: "UPDATE provider_identities SET tenant_id = ?2 WHERE tenant_id = ?1 AND user_id = ?3",
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
    fn writes(self, now: Timestamp) -> [Write; 6] {
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
            (MOVE_CONFIG, vec![from.clone(), to.clone(), user.clone()]),
            (MOVE_SECOND_FACTOR, vec![from.clone(), to.clone(), user.clone()]),
            (MOVE_LINKS, vec![from, to, user]),
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
    /// With which invitation, if with one.
    pub invitation: Option<InvitationId>,
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
        (teams::REVOKED_ALL, vec![text(&home.tenant), int(now.as_millis())]),
        (teams::PLAN_CHANGED, vec![text(&home.tenant), user.clone()]),
    ];
    if let Some(invitation) = joining.invitation {
        writes.push((teams::ACCEPTED, vec![text(&team.tenant), text(&invitation), user]));
    }
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
