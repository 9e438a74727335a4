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
    MOVE_PREFERENCES,
    TENANT_OF_CUSTOMER,
    DUE_STATES,
    UNCHECKED_STATES,
    ACCEPT_EVENT,
    EVENT,
    FINISH_EVENT,
    FAIL_EVENT,
    WAITING_EVENTS,
    QUEUED_EVENT,
    EVENTS,
    REPLAY_EVENT,
    MOVE_LINKS,
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

// So does which mails somebody wants.
const MOVE_PREFERENCES: Statement = Statement {
    name: "directory.move_preferences",
    sql: "UPDATE OR REPLACE notification_preferences SET tenant_id = ?2 WHERE tenant_id = ?1 AND user_id = ?3",
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
            (MOVE_PREFERENCES, vec![from.clone(), to.clone(), user.clone()]),
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

// A webhook of Stripe's knows its customer and nothing of tenants.
const TENANT_OF_CUSTOMER: Statement = Statement {
    name: "directory.tenant_of_customer",
    sql: "SELECT tenant_id FROM billing_customers WHERE customer_id = ?1",
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
          WHERE subscription_id IS NOT NULL AND checked_at < ?1 ORDER BY checked_at LIMIT ?2",
};

// Whose event it is, is found out later; that it came is stored before Stripe is answered.
const ACCEPT_EVENT: Statement = Statement {
    name: "directory.accept_event",
    sql: "INSERT OR IGNORE INTO stripe_events (event_id, kind, subscription_id, customer_id, received_at, status, queued_at) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5)",
};

// The queue brings an event's id: nobody's rows are in the table.
const EVENT: Statement = Statement {
    name: "directory.event",
    sql: "SELECT seq, event_id, kind, subscription_id, customer_id, received_at, status, attempts, applied, finished_at, note \
          FROM stripe_events WHERE event_id = ?1",
};

// The same table: an event is finished once, whoever tries.
const FINISH_EVENT: Statement = Statement {
    name: "directory.finish_event",
    sql: "UPDATE stripe_events SET status = ?2, note = ?3, finished_at = ?4, applied = applied + ?5 \
          WHERE event_id = ?1 AND status = 'pending'",
};

// The same table: an event that could not be processed is tried again at an instant.
const FAIL_EVENT: Statement = Statement {
    name: "directory.fail_event",
    sql: "UPDATE stripe_events SET attempts = attempts + 1, note = ?2, queued_at = ?3 WHERE event_id = ?1 AND status = 'pending'",
};

// The same table: events that the queue has lost, or never got.
const WAITING_EVENTS: Statement = Statement {
    name: "directory.waiting_events",
    sql: "SELECT event_id FROM stripe_events WHERE status = 'pending' AND queued_at < ?1 ORDER BY queued_at LIMIT ?2",
};

// The same table: the event is with the queue again.
const QUEUED_EVENT: Statement = Statement {
    name: "directory.queued_event",
    sql: "UPDATE stripe_events SET queued_at = ?2 WHERE event_id = ?1 AND status = 'pending'",
};

// The same table, for an operator, newest first.
const EVENTS: Statement = Statement {
    name: "directory.events",
    sql: "SELECT seq, event_id, kind, subscription_id, customer_id, received_at, status, attempts, applied, finished_at, note \
          FROM stripe_events WHERE (?1 IS NULL OR status = ?1) AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
};

// The same table, for an operator: an event is processed as if it had just come.
const REPLAY_EVENT: Statement = Statement {
    name: "directory.replay_event",
    sql: "UPDATE stripe_events SET status = 'pending', attempts = 0, note = NULL, finished_at = NULL, queued_at = ?2 \
          WHERE event_id = ?1 AND status <> 'pending'",
};

#[derive(Deserialize)]
struct TenantRow {
    tenant_id: TenantId,
}

/// Whose customer that is; `None` for one of nobody here.
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

/// States of subscriptions that were not compared with Stripe since an instant, at most `limit`.
///
/// # Errors
/// When the database cannot be read.
pub async fn unchecked_states(
    scope: &Scope,
    shard: Shard,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<StateOf>, StoreError> {
    let params = [int(since.as_millis()), int(i64::from(limit))];
    Database::of(scope, shard)?.all(UNCHECKED_STATES, &params).await
}

/// An event of Stripe's as it is stored.
#[derive(Debug, Clone, Deserialize)]
pub struct EventRow {
    /// Its number here.
    pub seq: i64,
    /// `evt_...`.
    pub event_id: String,
    /// `customer.subscription.updated` and so on.
    pub kind: String,
    /// `sub_...`.
    pub subscription_id: Option<String>,
    /// `cus_...`.
    pub customer_id: Option<String>,
    /// Milliseconds.
    pub received_at: i64,
    /// `pending`, `done`, `ignored` or `dead`.
    pub status: String,
    /// How often it could not be processed.
    pub attempts: u32,
    /// How often it was applied.
    pub applied: u32,
    /// Milliseconds.
    pub finished_at: Option<i64>,
    /// Why it is ignored or dead.
    pub note: Option<String>,
}

/// How an event ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventEnd {
    /// It was processed.
    Done,
    /// It says nothing here.
    Ignored,
    /// It cannot be processed: an operator looks at it.
    Dead,
}

impl EventEnd {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Ignored => "ignored",
            Self::Dead => "dead",
        }
    }
}

fn events_of(scope: &Scope) -> Result<Database<'_>, StoreError> {
    Database::of(scope, Shard::FIRST)
}

fn some(value: Option<&str>) -> JsValue {
    value.map_or(JsValue::NULL, JsValue::from_str)
}

/// Stores an event; answers whether it is new.
///
/// # Errors
/// When the database cannot be written.
pub async fn accept_event(scope: &Scope, event: &tollgate_domain::stripe_api::Event) -> Result<bool, StoreError> {
    let subject = event.subject.as_ref();
    let params = vec![
        text(&event.id),
        text(&event.kind),
        some(subject.map(|subject| subject.subscription.as_str())),
        some(subject.and_then(|subject| subject.customer.as_deref())),
        int(scope.now().as_millis()),
        text(if subject.is_some() { "pending" } else { "ignored" }),
    ];
    let changed = events_of(scope)?.batch(&[(ACCEPT_EVENT, params)]).await?;
    Ok(changed.first() == Some(&1))
}

/// An event.
///
/// # Errors
/// When the database cannot be read.
pub async fn event(scope: &Scope, id: &str) -> Result<Option<EventRow>, StoreError> {
    Ok(events_of(scope)?.all(EVENT, &[text(id)]).await?.into_iter().next())
}

/// Ends an event, once.
///
/// # Errors
/// When the database cannot be written.
pub async fn finish_event(scope: &Scope, id: &str, end: EventEnd, note: Option<&str>) -> Result<(), StoreError> {
    let applied = int(i64::from(end == EventEnd::Done));
    let params = vec![text(id), text(end.as_str()), some(note), int(scope.now().as_millis()), applied];
    events_of(scope)?.batch(&[(FINISH_EVENT, params)]).await.map(drop)
}

/// Notes that an event could not be processed and is tried again at an instant.
///
/// # Errors
/// When the database cannot be written.
pub async fn fail_event(scope: &Scope, id: &str, note: &str, again_at: Timestamp) -> Result<(), StoreError> {
    let params = vec![text(id), text(note), int(again_at.as_millis())];
    events_of(scope)?.batch(&[(FAIL_EVENT, params)]).await.map(drop)
}

#[derive(Deserialize)]
struct EventId {
    event_id: String,
}

/// Events that should have been processed by an instant, at most `limit`.
///
/// # Errors
/// When the database cannot be read.
pub async fn waiting_events(scope: &Scope, before: Timestamp, limit: u32) -> Result<Vec<String>, StoreError> {
    let params = [int(before.as_millis()), int(i64::from(limit))];
    let rows: Vec<EventId> = events_of(scope)?.all(WAITING_EVENTS, &params).await?;
    Ok(rows.into_iter().map(|row| row.event_id).collect())
}

/// Notes that events are with the queue.
///
/// # Errors
/// When the database cannot be written.
pub async fn queued_events(scope: &Scope, ids: &[String]) -> Result<(), StoreError> {
    let now = int(scope.now().as_millis());
    let writes: Vec<_> = ids.iter().map(|id| (QUEUED_EVENT, vec![text(id), now.clone()])).collect();
    events_of(scope)?.batch(&writes).await.map(drop)
}

/// Events of a status, or all, newest first, those before a number.
///
/// # Errors
/// When the database cannot be read.
pub async fn events(
    scope: &Scope,
    status: Option<&str>,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<EventRow>, StoreError> {
    let params = [some(status), int(before.unwrap_or(1 << 52)), int(i64::from(limit))];
    events_of(scope)?.all(EVENTS, &params).await
}

/// Has an event processed again; answers whether there is one that is not waiting anyway.
///
/// # Errors
/// When the database cannot be written.
pub async fn replay_event(scope: &Scope, id: &str) -> Result<bool, StoreError> {
    let params = vec![text(id), int(scope.now().as_millis())];
    let changed = events_of(scope)?.batch(&[(REPLAY_EVENT, params)]).await?;
    Ok(changed.first() == Some(&1))
}
