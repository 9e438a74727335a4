//! Which mails somebody wants, and who reads a tenant's.

use serde::Deserialize;
use tollgate_domain::{
    id::{SessionId, TenantId, UserId},
    mail::Category,
};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[PREFERENCES, PUT, SWITCH_OFF, ADD_KEY, KEY, READERS];

// One statement answers what is wanted, and whether the session that asks still stands.
const PREFERENCES: Statement = Statement {
    name: "notifications.preferences",
    sql: "SELECT coalesce(p.reminders, 1) AS reminders, coalesce(p.quota_warnings, 1) AS quota_warnings, \
            coalesce(p.summary, 1) AS summary, \
            CASE WHEN s.session_id IS NOT NULL AND s.revoked_at IS NULL THEN 1 ELSE 0 END AS session_stands \
          FROM users u \
          LEFT JOIN notification_preferences p ON p.tenant_id = ?1 AND p.user_id = u.user_id \
          LEFT JOIN sessions s ON s.tenant_id = ?1 AND s.session_id = ?3 AND s.user_id = u.user_id \
          WHERE u.tenant_id = ?1 AND u.user_id = ?2",
};
const PUT: Statement = Statement {
    name: "notifications.put",
    sql: "UPDATE notification_preferences SET reminders = ?3, quota_warnings = ?4, summary = ?5 \
          WHERE tenant_id = ?1 AND user_id = ?2",
};
const SWITCH_OFF: Statement = Statement {
    name: "notifications.switch_off",
    sql: "UPDATE notification_preferences SET reminders = iif(?3 = 'reminders', 0, reminders), \
            quota_warnings = iif(?3 = 'quota_warnings', 0, quota_warnings), summary = iif(?3 = 'summary', 0, summary) \
          WHERE tenant_id = ?1 AND user_id = ?2",
};
// Only for a user who is there.
const ADD_KEY: Statement = Statement {
    name: "notifications.add_key",
    sql: "INSERT OR IGNORE INTO notification_preferences (tenant_id, user_id, unsubscribe_key) \
          SELECT ?1, u.user_id, ?3 FROM users u WHERE u.tenant_id = ?1 AND u.user_id = ?2",
};
const KEY: Statement = Statement {
    name: "notifications.key",
    sql: "SELECT unsubscribe_key FROM notification_preferences WHERE tenant_id = ?1 AND user_id = ?2",
};
// One user; or, of a team, who looks after it.
const READERS: Statement = Statement {
    name: "notifications.readers",
    sql: "SELECT u.user_id, u.email, coalesce(p.reminders, 1) AS reminders, coalesce(p.quota_warnings, 1) AS quota_warnings, \
            coalesce(p.summary, 1) AS summary, p.unsubscribe_key \
          FROM users u LEFT JOIN notification_preferences p ON p.tenant_id = ?1 AND p.user_id = u.user_id \
          WHERE u.tenant_id = ?1 AND (u.user_id = ?2 OR (?2 IS NULL AND u.role IN ('owner', 'admin'))) LIMIT 100",
};

/// What somebody wants.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct PreferencesRow {
    /// 1 when that a trial ends is to be told.
    pub reminders: u8,
    /// 1 when shares of limits are.
    pub quota_warnings: u8,
    /// 1 when months are.
    pub summary: u8,
    /// 1 while the session that asks stands.
    pub session_stands: u8,
}

/// Who is told something.
#[derive(Debug, Clone, Deserialize)]
pub struct Recipient {
    /// Who.
    pub user_id: UserId,
    /// The address.
    pub email: String,
    /// 1 when that a trial ends is to be told.
    pub reminders: u8,
    /// 1 when shares of limits are.
    pub quota_warnings: u8,
    /// 1 when months are.
    pub summary: u8,
    /// What links in mails are signed with; `None` before the first.
    pub unsubscribe_key: Option<String>,
}

impl Recipient {
    /// Whether mails of a kind are wanted.
    pub const fn wants(&self, category: Category) -> bool {
        let wanted = match category {
            Category::Reminders => self.reminders,
            Category::QuotaWarnings => self.quota_warnings,
            Category::Summary => self.summary,
        };
        wanted != 0
    }
}

#[derive(Deserialize)]
struct Key {
    unsubscribe_key: String,
}

/// What a user wants, with the state of the session that asks, where one does.
///
/// # Errors
/// When the database cannot be read.
pub async fn preferences(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    session: Option<SessionId>,
) -> Result<Option<PreferencesRow>, StoreError> {
    let session = session.map(|session| session.to_string());
    let params = [Param::Text(&user.to_string()), session.as_deref().into()];
    TenantDb::of(scope, tenant)?.first(PREFERENCES, &params).await
}

/// Stores what a user wants: `wanted` in the order of [`Category::ALL`]. `key` is taken where there is none yet.
///
/// # Errors
/// When the database cannot be written.
pub async fn put(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    wanted: [bool; 3],
    key: &str,
) -> Result<(), StoreError> {
    let user = user.to_string();
    let user = Param::Text(&user);
    let [reminders, quota_warnings, summary] = wanted.map(|wanted| Param::Int(i64::from(wanted)));
    let writes = [(ADD_KEY, vec![user, Param::Text(key)]), (PUT, vec![user, reminders, quota_warnings, summary])];
    TenantDb::of(scope, tenant)?.batch(&writes).await.map(drop)
}

/// Switches one kind of mails off.
///
/// # Errors
/// When the database cannot be written.
pub async fn switch_off(scope: &Scope, tenant: TenantId, user: UserId, category: Category) -> Result<(), StoreError> {
    let params = [Param::Text(&user.to_string()), Param::Text(category.as_str())];
    TenantDb::of(scope, tenant)?.run(SWITCH_OFF, &params).await.map(drop)
}

/// Keeps a key for a user who has none.
///
/// # Errors
/// When the database cannot be written.
pub async fn add_key(scope: &Scope, tenant: TenantId, user: UserId, key: &str) -> Result<(), StoreError> {
    TenantDb::of(scope, tenant)?.run(ADD_KEY, &[Param::Text(&user.to_string()), Param::Text(key)]).await.map(drop)
}

/// What a user's links are signed with.
///
/// # Errors
/// When the database cannot be read.
pub async fn key(scope: &Scope, tenant: TenantId, user: UserId) -> Result<Option<String>, StoreError> {
    let row: Option<Key> = TenantDb::of(scope, tenant)?.first(KEY, &[Param::Text(&user.to_string())]).await?;
    Ok(row.map(|row| row.unsubscribe_key))
}

/// One user; or, without one, the owners and admins, 100 at most.
///
/// # Errors
/// When the database cannot be read.
pub async fn readers(scope: &Scope, tenant: TenantId, user: Option<UserId>) -> Result<Vec<Recipient>, StoreError> {
    let user = user.map(|user| user.to_string());
    TenantDb::of(scope, tenant)?.all(READERS, &[user.as_deref().into()]).await
}
