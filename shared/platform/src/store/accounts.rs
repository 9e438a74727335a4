//! Users and the tenants they own.

use serde::Deserialize;
use tollgate_domain::{
    account::{Email, Role},
    catalogue::{Plan, Product},
    id::{SessionId, TenantId, UserId},
    time::Timestamp,
    trial::{Claimant, PersonKey, Trial},
};

use super::{
    database::{Param, Statement, StoreError, TenantDb},
    provider_identities::{self, NewIdentity},
};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] =
    &[ADD_TENANT, ADD_USER, ADD_IDENTITY, ADD_SUBSCRIPTION, CLAIM_TRIAL, ADD_TRIAL, PROFILE, RENAME];

pub(super) const ADD_TENANT: Statement = Statement {
    name: "accounts.add_tenant",
    sql: "INSERT INTO tenants (tenant_id, name, created_at) VALUES (?1, ?2, ?3)",
};
const ADD_USER: Statement = Statement {
    name: "accounts.add_user",
    sql: "INSERT INTO users (tenant_id, user_id, email, name, password_hash, role, product, created_at, email_verified) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
};
const ADD_IDENTITY: Statement = Statement {
    name: "accounts.add_identity",
    sql: "INSERT INTO identities (tenant_id, email, user_id) VALUES (?1, ?2, ?3)",
};
pub(super) const ADD_SUBSCRIPTION: Statement = Statement {
    name: "accounts.add_subscription",
    sql: "INSERT INTO subscriptions (tenant_id, user_id, product, plan, version, anchor_at, trial_started_at, trial_ends_at) \
          VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7)",
};
// Who had a trial of the product before has none left: the claim is another registration's.
const CLAIM_TRIAL: Statement = Statement {
    name: "accounts.claim_trial",
    sql: "INSERT OR IGNORE INTO trial_claims (digest, claim, claimed_at) VALUES (?2, ?3, ?4)",
};
const ADD_TRIAL: Statement = Statement {
    name: "accounts.add_trial",
    sql: "INSERT INTO subscriptions (tenant_id, user_id, product, plan, version, anchor_at, trial_started_at, trial_ends_at) \
          SELECT ?1, ?2, ?3, ?4, 1, ?5, ?5, \
            iif(EXISTS (SELECT 1 FROM trial_claims c WHERE c.digest = ?7 AND c.claim = ?8), ?6, ?5)",
};
// One statement answers the profile and whether the session still stands.
const PROFILE: Statement = Statement {
    name: "accounts.profile",
    sql: "SELECT u.user_id, u.email, u.email_verified, u.name, u.role, u.product, u.created_at, \
                 t.name AS tenant_name, t.created_at AS tenant_created_at, s.revoked_at, s.session_id \
          FROM users u \
          JOIN tenants t ON t.tenant_id = ?1 \
          LEFT JOIN sessions s ON s.tenant_id = ?1 AND s.session_id = ?3 AND s.user_id = u.user_id \
          WHERE u.tenant_id = ?1 AND u.user_id = ?2",
};
const RENAME: Statement =
    Statement { name: "accounts.rename", sql: "UPDATE users SET name = ?3 WHERE tenant_id = ?1 AND user_id = ?2" };

/// A user to be made, with a tenant of one and a subscription.
#[derive(Debug)]
pub struct NewAccount<'a> {
    /// The user.
    pub user: UserId,
    /// The tenant of one.
    pub tenant: TenantId,
    /// The sign-in name.
    pub email: &'a Email,
    /// How to address the person.
    pub name: Option<&'a str>,
    /// The tenant's name.
    pub tenant_name: &'a str,
    /// PHC string of argon2id, or `NO_PASSWORD`.
    pub password_hash: &'a str,
    /// Whether somebody vouches for the address.
    pub email_verified: bool,
    /// What the person signs in with elsewhere.
    pub identity: Option<NewIdentity<'a>>,
    /// What was registered for.
    pub product: Product,
    /// The plan it begins with.
    pub plan: Plan,
    /// The trial, if the plan is one.
    pub trial: Option<Trial>,
    /// Now.
    pub now: Timestamp,
}

/// Makes user, tenant, sign-in name and subscription in one transaction. Answers the trial that it begins with: of all who
/// register as one person one gets it, the others one that is over.
///
/// # Errors
/// `Taken("identities.email")` when the address is registered; another column when the identity is linked.
pub async fn register(scope: &Scope, account: &NewAccount<'_>) -> Result<Option<Trial>, StoreError> {
    let (user, now) = (account.user.to_string(), account.now.as_millis());
    let digest = Claimant::Person(&PersonKey::of(account.email)).digest(account.product);
    // Random, and nobody's: the claim stays when the account is deleted.
    let claim = scope.request_id().to_string();
    let db = TenantDb::of(scope, account.tenant)?;
    let (email, product) = (Param::Text(account.email.as_str()), Param::Text(account.product.as_str()));
    let mut writes = vec![
        (ADD_IDENTITY, vec![email, Param::Text(&user)]),
        (ADD_TENANT, vec![Param::Text(account.tenant_name), Param::Int(now)]),
        (
            ADD_USER,
            vec![
                Param::Text(&user),
                email,
                account.name.into(),
                Param::Text(account.password_hash),
                Param::Text(Role::Owner.as_str()),
                product,
                Param::Int(now),
                Param::Int(i64::from(account.email_verified)),
            ],
        ),
    ];
    let plan = Param::Text(account.plan.as_str());
    if let Some(trial) = account.trial {
        let (digest, claim) = (Param::Text(&digest), Param::Text(&claim));
        let ends_at = Param::Int(trial.ends_at.as_millis());
        let started_at = Param::Int(trial.started_at.as_millis());
        writes.insert(0, (CLAIM_TRIAL, vec![digest, claim, Param::Int(now)]));
        writes.push((ADD_TRIAL, vec![Param::Text(&user), product, plan, started_at, ends_at, digest, claim]));
    } else {
        let row = vec![Param::Text(&user), product, plan, Param::Int(now), Param::Null, Param::Null];
        writes.push((ADD_SUBSCRIPTION, row));
    }
    let id = account.identity.map(|identity| identity.id.to_string());
    if let (Some(identity), Some(id)) = (&account.identity, &id) {
        writes.push((provider_identities::ADD, provider_identities::values(identity, id, &user)));
    }
    let changed = db.batch(&writes).await?;
    // The claim came first.
    let is_first = changed.first().is_some_and(|rows| *rows > 0);
    Ok(account.trial.map(|trial| if is_first { trial } else { Trial::none_left(trial.started_at) }))
}

/// A user's row with the tenant and the caller's session.
#[derive(Debug, Clone, Deserialize)]
pub struct ProfileRow {
    /// The user.
    pub user_id: String,
    /// The sign-in name.
    pub email: String,
    /// 1 when it was confirmed.
    pub email_verified: i64,
    /// How to address the person.
    pub name: Option<String>,
    /// The role.
    pub role: String,
    /// What was registered for.
    pub product: String,
    /// Milliseconds.
    pub created_at: i64,
    /// The tenant's name.
    pub tenant_name: String,
    /// Milliseconds.
    pub tenant_created_at: i64,
    /// When the session was ended.
    pub revoked_at: Option<i64>,
    /// The session, if it is there.
    pub session_id: Option<String>,
}

impl ProfileRow {
    /// Whether the caller's session still stands.
    pub const fn session_stands(&self) -> bool {
        self.session_id.is_some() && self.revoked_at.is_none()
    }
}

/// What a sign-in needs of a user.
#[derive(Debug, Clone, Deserialize)]
pub struct AccountRow {
    /// The tenant.
    pub tenant_id: String,
    /// The user.
    pub user_id: String,
    /// PHC string of argon2id.
    pub password_hash: String,
}

/// A user's profile, with the state of the session that asks, where one does.
pub async fn profile(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    session: impl Into<Option<SessionId>>,
) -> Result<Option<ProfileRow>, StoreError> {
    let db = TenantDb::of(scope, tenant)?;
    let session = session.into().map(|session| session.to_string());
    db.first(PROFILE, &[Param::Text(&user.to_string()), session.as_deref().into()]).await
}

/// Changes how to address a person.
pub async fn rename(scope: &Scope, tenant: TenantId, user: UserId, name: Option<&str>) -> Result<(), StoreError> {
    TenantDb::of(scope, tenant)?.run(RENAME, &[Param::Text(&user.to_string()), name.into()]).await.map(drop)
}
