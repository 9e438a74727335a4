//! Statements that cross tenants, each with its reason. There is no other place for one.

use serde::{Deserialize, de::DeserializeOwned};
use tollgate_domain::{
    account::{Email, Role},
    catalogue::{Plan, Product},
    id::{DeletionId, InvitationId, Shard, TenantId, UserId},
    shards::{Arrival, Settled, settle},
    time::Timestamp,
};
use wasm_bindgen::JsValue;

use super::{
    accounts::{self, AccountRow},
    data_keys,
    database::{Database, Param, Statement, StoreError, TenantDb, bound_shards},
    personal,
    teams::{self, StoredTeam},
};
use crate::{Scope, mailbox};

/// Statements of this repository.
#[rustfmt::skip] // one line a statement: whoever adds one changes no other line
pub const STATEMENTS: &[Statement] = &[
    IDENTITY,
    OLD_ARRIVALS,
    SHARD_OF_INVITATION,
    DIRTY_HOURS,
    ALL_HOURS_DIRTY,
    DATA_KEYS_BEHIND,
    OUTBOX,
    MOVE_USER,
    MOVE_IDENTITY,
    TENANT_OF_CUSTOMER,
    DUE_STATES,
    UNCHECKED_STATES,
    MOVE_CONFIG,
    MOVE_PREFERENCES,
    MOVE_SECOND_FACTOR,
    MOVE_LINKS,
    FORMER_TENANTS,
    REMOVE_IDENTITY,
    HOME_OF_OTHERS,
    INVITATIONS_TO,
    FORGET_INVITATIONS_TO,
    FORGET_MAILS_TO,
    OPEN_DELETIONS,
    FORGET_ADDRESSES,
];

// A sign-in knows an address and nothing else: the directory on the first shard says whose it is. Accounts of earlier releases
// stand under other spellings of it: all are asked for at once.
const IDENTITY: Statement = Statement {
    name: "directory.identity",
    sql: "SELECT email, tenant_id, user_id FROM identities WHERE email IN (SELECT s.value FROM json_each(?1) s)",
};

// Accounts whose change of two databases broke off, whichever tenant they are in.
const OLD_ARRIVALS: Statement = Statement {
    name: "directory.old_arrivals",
    sql: "SELECT tenant_id, user_id, email, how FROM arrivals WHERE at < ?1 ORDER BY at LIMIT ?2",
};

// Who is invited into a team is registered on the team's shard: there they can accept.
const SHARD_OF_INVITATION: Statement = Statement {
    name: "directory.shard_of_invitation",
    sql: "SELECT 1 AS found FROM invitations \
          WHERE email = ?1 AND accepted_by IS NULL AND revoked_at IS NULL AND expires_at > ?2 LIMIT 1",
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

#[derive(Deserialize)]
struct Identity {
    email: String,
    tenant_id: TenantId,
    user_id: UserId,
}

async fn identity(scope: &Scope, email: &str) -> Result<Option<(TenantId, UserId)>, StoreError> {
    let spellings = Email::parse(email).map_or_else(|_| vec![email.to_owned()], |email| mailbox::spellings(&email));
    let asked = serde_json::Value::from(spellings.clone());
    let mut rows: Vec<Identity> = Database::of(scope, Shard::FIRST)?.all(IDENTITY, &[text(&asked)]).await?;
    // One's own spelling first: of two accounts of one mailbox, made before there was one form, each is opened by its own.
    rows.sort_by_key(|row| spellings.iter().position(|spelling| *spelling == row.email));
    Ok(rows.into_iter().next().map(|row| (row.tenant_id, row.user_id)))
}

/// Whether the mailbox has an account under any spelling.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_taken(scope: &Scope, email: &Email) -> Result<bool, StoreError> {
    // One spelling alone is looked at by the insertion itself.
    Ok(mailbox::spellings(email).len() > 1 && identity(scope, email.as_str()).await?.is_some())
}

/// Whose address this is. Two statements, whether it is somebody's or nobody's: how long that takes does not tell.
pub async fn account_by_email(scope: &Scope, email: &Email) -> Result<Option<AccountRow>, StoreError> {
    credential_of(scope, email).await
}

/// What a sign-in needs of the account of an address, as that sign-in reads it.
pub(super) async fn credential_of<T: DeserializeOwned>(scope: &Scope, email: &Email) -> Result<Option<T>, StoreError> {
    let nobody = (TenantId::from_bytes([0; 16]), UserId::from_bytes([0; 16]));
    let (tenant, user) = identity(scope, email.as_str()).await?.unwrap_or(nobody);
    TenantDb::of(scope, tenant)?.first(accounts::CREDENTIAL, &[Param::Text(&user.to_string())]).await
}

/// Writes a sign-in name for an account that is on another shard.
///
/// # Errors
/// `Taken` when the address is registered.
pub(super) async fn add_identity(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    email: &Email,
) -> Result<(), StoreError> {
    let write = (accounts::ADD_IDENTITY, vec![text(&tenant), text(email.as_str()), text(&user)]);
    Database::of(scope, Shard::FIRST)?.batch(&[write]).await.map(drop)
}

/// Writes a sign-in name before its user, for a team on another shard. One that an earlier try has left there, naming nobody,
/// is replaced.
///
/// # Errors
/// `Taken` when the address is registered.
pub(super) async fn claim_identity(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    email: &Email,
) -> Result<(), StoreError> {
    // A name that points to another tenant may be that of somebody who has just moved.
    if let Some((at, left)) = identity(scope, email.as_str()).await?
        && at == tenant
        && credential_of::<AccountRow>(scope, email).await?.is_none()
    {
        remove_identity(scope, email, left).await?;
    }
    add_identity(scope, tenant, user, email).await
}

/// The shard of a team that has invited an address, where one has.
///
/// # Errors
/// When a database cannot be read.
pub async fn shard_of_invitation(scope: &Scope, email: &Email) -> Result<Option<Shard>, StoreError> {
    let shards: Vec<_> = bound_shards(scope.env()).collect();
    if shards.len() < 2 {
        return Ok(None);
    }
    for shard in shards {
        for spelling in mailbox::spellings(email) {
            let params = [text(&spelling), int(scope.now().as_millis())];
            let rows: Vec<Found> = Database::of(scope, shard)?.all(SHARD_OF_INVITATION, &params).await?;
            if !rows.is_empty() {
                return Ok(Some(shard));
            }
        }
    }
    Ok(None)
}

#[derive(Deserialize)]
struct OldArrival {
    tenant_id: TenantId,
    user_id: UserId,
    email: String,
    how: String,
}

/// Settles what broke off on a shard before an instant: see `tollgate_domain::shards`. Says how many notes there were.
///
/// # Errors
/// When a database cannot be reached: what is left is settled by the next run.
pub async fn settle_arrivals(scope: &Scope, shard: Shard, before: Timestamp, limit: u32) -> Result<u32, StoreError> {
    let params = [int(before.as_millis()), int(i64::from(limit))];
    let notes: Vec<OldArrival> = Database::of(scope, shard)?.all(OLD_ARRIVALS, &params).await?;
    let mut settled = 0;
    for note in notes {
        let (tenant, user) = (note.tenant_id, note.user_id);
        let Some(how) = Arrival::parse(&note.how) else { continue };
        let known = identity(scope, &note.email).await?;
        let done = (accounts::SETTLED, vec![text(&tenant), text(&user)]);
        match settle(how, tenant, user, known) {
            Settled::Arrived => Database::of(scope, shard)?.batch(&[done]).await.map(drop)?,
            Settled::Follow => {
                if let Some((from, _)) = known {
                    follow(scope, from, tenant, user).await?;
                }
                Database::of(scope, shard)?.batch(&[done]).await.map(drop)?;
            }
            Settled::Remove => personal::remove_tenant(&TenantDb::of(scope, tenant)?).await?,
        }
        settled += 1;
    }
    Ok(settled)
}

/// The sign-in name follows its user.
async fn follow(scope: &Scope, from: TenantId, to: TenantId, user: UserId) -> Result<(), StoreError> {
    let write = (MOVE_IDENTITY, vec![text(&from), text(&to), text(&user)]);
    Database::of(scope, Shard::FIRST)?.batch(&[write]).await.map(drop)
}

// A developer's view of the mails that were sent, whoever they were for; bodies are kept in the local environment only.
const OUTBOX: Statement = Statement {
    name: "directory.outbox",
    sql: "SELECT body, created_at FROM mails WHERE body IS NOT NULL ORDER BY created_at DESC, event DESC LIMIT ?1",
};

#[derive(Deserialize)]
struct Body {
    body: String,
    created_at: i64,
}

/// The latest mails as JSON, newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn outbox(scope: &Scope, limit: u32) -> Result<Vec<String>, StoreError> {
    let params = [JsValue::from_f64(f64::from(limit))];
    let mut rows: Vec<Body> = Vec::new();
    for shard in bound_shards(scope.env()) {
        rows.extend(Database::of(scope, shard)?.all::<Body>(OUTBOX, &params).await?);
    }
    rows.sort_by_key(|row| core::cmp::Reverse(row.created_at));
    rows.truncate(limit as usize);
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

// So does which mails somebody wants.
const MOVE_PREFERENCES: Statement = Statement {
    name: "directory.move_preferences",
    sql: "UPDATE OR REPLACE notification_preferences SET tenant_id = ?2 WHERE tenant_id = ?1 AND user_id = ?3",
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
            (MOVE_CONFIG, vec![from.clone(), to.clone(), user.clone()]),
            (MOVE_PREFERENCES, vec![from.clone(), to.clone(), user.clone()]),
            (MOVE_SECOND_FACTOR, vec![from.clone(), to.clone(), user.clone()]),
            (MOVE_LINKS, vec![from, to, user]),
        ]
    }
}

fn changed(team: &StoredTeam, now: Timestamp) -> Write {
    (teams::CHANGED, vec![text(&team.tenant), int(teams::next(team)), int(now.as_millis())])
}

/// A move in the database of two tenants, and in the directory: one transaction where both are on the first shard; else the
/// directory follows, by a note.
async fn together(scope: &Scope, moving: Move, mut writes: Vec<Write>) -> Result<(), StoreError> {
    let (now, shard) = (scope.now(), moving.to.shard());
    if moving.from.shard() != shard {
        crate::log::error("directory", "a user cannot move between databases", Some(scope));
        return Err(StoreError::Failed);
    }
    writes.extend(moving.writes(now));
    let (from, to, user) = (text(&moving.from), text(&moving.to), text(&moving.user));
    if shard == Shard::FIRST {
        writes.push((MOVE_IDENTITY, vec![from, to, user]));
        return Database::of(scope, shard)?.batch(&writes).await.map(drop);
    }
    let database = Database::of(scope, shard)?;
    writes
        .push((accounts::ARRIVED, vec![to.clone(), user.clone(), text(Arrival::Moved.as_str()), int(now.as_millis())]));
    database.batch(&writes).await?;
    // It has moved: should the rest fail, it is done by schedule.
    if follow(scope, moving.from, moving.to, moving.user).await.is_ok() {
        let _ = database.batch(&[(accounts::SETTLED, vec![to, user])]).await;
    }
    Ok(())
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
    together(scope, moving, writes).await
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
    together(scope, moving, writes).await
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
        for spelling in mailbox::spellings(email) {
            let rows: Vec<InvitationJson> = Database::of(scope, shard)?.all(INVITATIONS_TO, &[text(&spelling)]).await?;
            found.extend(rows.into_iter().map(|row| row.row));
        }
    }
    Ok(found)
}

/// Removes what other tenants have addressed to somebody who has proven to have the address.
///
/// # Errors
/// When a database cannot be written.
pub async fn forget_address_everywhere(scope: &Scope, email: &Email) -> Result<(), StoreError> {
    for shard in bound_shards(scope.env()) {
        let spellings = mailbox::spellings(email);
        let both =
            |spelling: &String| [FORGET_INVITATIONS_TO, FORGET_MAILS_TO].map(|write| (write, vec![text(spelling)]));
        let writes: Vec<_> = spellings.iter().flat_map(both).collect();
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

// A webhook of Stripe's knows its customer and nothing of tenants.
const TENANT_OF_CUSTOMER: Statement = Statement {
    name: "directory.tenant_of_customer",
    sql: "SELECT tenant_id FROM billing_customers WHERE customer_id = ?1 \
          UNION ALL SELECT tenant_id FROM billing_former_customers WHERE customer_id = ?1",
};

// The clock is looked at for everybody: whose grace or paid period is over, and whose effects were not carried out.
const DUE_STATES: Statement = Statement {
    name: "directory.due_states",
    sql: "SELECT tenant_id, product FROM billing_states WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2",
};

// Every subscription is compared with Stripe once a day, whoever holds it: those first that were not for the longest.
const UNCHECKED_STATES: Statement = Statement {
    name: "directory.unchecked_states",
    sql: "SELECT tenant_id, product FROM billing_states \
          WHERE subscription_id IS NOT NULL AND (checked_at < ?1 OR checked_at > ?3) ORDER BY checked_at LIMIT ?2",
};

#[derive(Deserialize)]
struct TenantRow {
    tenant_id: TenantId,
}

/// Whose customer that is, or was; `None` for one of nobody here.
///
/// # Errors
/// When a database cannot be read.
pub async fn tenant_of_customer(scope: &Scope, customer: &str) -> Result<Option<TenantId>, StoreError> {
    for shard in super::shards(scope) {
        let rows: Vec<TenantRow> = Database::of(scope, shard)?.all(TENANT_OF_CUSTOMER, &[text(customer)]).await?;
        if let Some(row) = rows.first() {
            return Ok(Some(row.tenant_id));
        }
    }
    Ok(None)
}

/// A state of somebody's.
#[derive(Debug, Clone, Deserialize)]
pub struct StateOf {
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which product.
    pub product: String,
}

/// States that time alone changes by now, at most `limit`.
///
/// # Errors
/// When the database cannot be read.
pub async fn due_states(scope: &Scope, shard: Shard, limit: u32) -> Result<Vec<StateOf>, StoreError> {
    let params = [int(scope.now().as_millis()), int(i64::from(limit))];
    Database::of(scope, shard)?.all(DUE_STATES, &params).await
}

/// States of subscriptions that were not compared with Stripe since an instant, or on a clock that was ahead, at most `limit`.
///
/// # Errors
/// When the database cannot be read.
pub async fn unchecked_states(
    scope: &Scope,
    shard: Shard,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<StateOf>, StoreError> {
    let params = [int(since.as_millis()), int(i64::from(limit)), int(scope.now().as_millis())];
    Database::of(scope, shard)?.all(UNCHECKED_STATES, &params).await
}
