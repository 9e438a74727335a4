//! Users and the tenants they own.

use serde::Deserialize;
use tollgate_domain::{
    account::{Email, Role},
    catalogue::{Plan, Product},
    id::{SessionId, Shard, TenantId, UserId},
    shards::Arrival,
    time::Timestamp,
    trial::{Claimant, PersonKey, Trial},
};

use super::{
    database::{Param, Statement, StoreError, TenantDb},
    directory, directory_trials, personal,
    provider_identities::{self, NewIdentity},
    subscriptions,
};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[
    ADD_TENANT,
    ADD_USER,
    ADD_IDENTITY,
    ADD_SUBSCRIPTION,
    CLAIM_TRIAL,
    ADD_TRIAL,
    END_TRIAL,
    PROFILE,
    RENAME,
    PASSWORD_HASH,
    CREDENTIAL,
    ARRIVED,
    SETTLED,
];

pub(super) const ADD_TENANT: Statement = Statement {
    name: "accounts.add_tenant",
    sql: "INSERT INTO tenants (tenant_id, name, created_at) VALUES (?1, ?2, ?3)",
};
pub(super) const ADD_USER: Statement = Statement {
    name: "accounts.add_user",
    sql: "INSERT INTO users (tenant_id, user_id, email, name, password_hash, role, product, created_at, email_verified) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
};
pub(super) const ADD_IDENTITY: Statement = Statement {
    name: "accounts.add_identity",
    sql: "INSERT INTO identities (tenant_id, email, user_id) VALUES (?1, ?2, ?3)",
};
pub(super) const ADD_SUBSCRIPTION: Statement = Statement {
    name: "accounts.add_subscription",
    sql: "INSERT INTO subscriptions (tenant_id, user_id, product, plan, version, anchor_at, trial_started_at, trial_ends_at) \
          VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7)",
};
// Who had a trial of the product before has none left: the claim is another registration's, or the company's. A claim made with
// an address that nobody confirmed gives way to one whose address is.
const CLAIM_TRIAL: Statement = Statement {
    name: "accounts.claim_trial",
    sql: "INSERT INTO trial_claims (digest, claim, claimed_at, provisional) SELECT ?2, ?3, ?4, ?6 \
          WHERE NOT EXISTS (SELECT 1 FROM trial_claims c WHERE c.digest = ?5) \
          ON CONFLICT (digest) DO UPDATE SET claim = excluded.claim, provisional = excluded.provisional, \
            claimed_at = iif(excluded.provisional = 0, excluded.claimed_at, trial_claims.claimed_at) \
          WHERE trial_claims.provisional = 2 OR (trial_claims.provisional = 1 AND excluded.provisional = 0)",
};
// Who took over the claim of an account that is gone gets the rest of the trial that began with it: registering again is no way
// to a new one.
const ADD_TRIAL: Statement = Statement {
    name: "accounts.add_trial",
    sql: "INSERT INTO subscriptions (tenant_id, user_id, product, plan, version, anchor_at, trial_started_at, trial_ends_at, \
            trial_denied_by) \
          SELECT ?1, ?2, ?3, ?4, 1, ?5, ?5, \
            coalesce((SELECT max(?5, min(?6, c.claimed_at + ?6 - ?5)) FROM trial_claims c WHERE c.digest = ?7 AND c.claim = ?8), ?5), \
            iif(EXISTS (SELECT 1 FROM trial_claims c WHERE c.digest = ?9), 'domain', NULL)",
};
// On another shard than the first the claim is looked at afterwards.
const END_TRIAL: Statement = Statement {
    name: "accounts.end_trial",
    sql: "UPDATE subscriptions SET trial_ends_at = max(trial_started_at, min(trial_ends_at, ?5)), trial_denied_by = ?4 \
          WHERE tenant_id = ?1 AND user_id = ?2 AND product = ?3 AND plan = 'trial'",
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

/// What a sign-in compares, on the shard that the directory names.
pub(super) const CREDENTIAL: Statement = Statement {
    name: "accounts.credential",
    sql: "SELECT u.tenant_id, u.user_id, u.password_hash, u.email_verified, u.email, \
            f.confirmed_at IS NOT NULL AS second_factor FROM users u \
          LEFT JOIN second_factors f ON f.tenant_id = ?1 AND f.user_id = u.user_id \
          WHERE u.tenant_id = ?1 AND u.user_id = ?2",
};
/// The directory on the first shard is to follow: see `tollgate_domain::shards`.
pub(super) const ARRIVED: Statement = Statement {
    name: "accounts.arrived",
    sql: "INSERT OR REPLACE INTO arrivals (tenant_id, user_id, email, how, at) \
          SELECT ?1, u.user_id, u.email, ?3, ?4 FROM users u WHERE u.tenant_id = ?1 AND u.user_id = ?2",
};
/// The directory has followed.
pub(super) const SETTLED: Statement =
    Statement { name: "accounts.settled", sql: "DELETE FROM arrivals WHERE tenant_id = ?1 AND user_id = ?2" };
const PASSWORD_HASH: Statement = Statement {
    name: "accounts.password_hash",
    sql: "SELECT password_hash FROM users WHERE tenant_id = ?1 AND user_id = ?2",
};

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

/// Makes user, tenant, sign-in name and subscription: in one transaction on the first shard. On another the sign-in name comes
/// last: an account whose registration broke off before it can be used by nobody, and is removed by schedule.
///
/// Answers the trial that it begins with: of all who register as one person one gets it, the others one that is over, or, while
/// nobody has confirmed the address, the rest of the one that began first. Whoever has an address in the domain of a company
/// that has, or had, the product gets one that is over.
///
/// # Errors
/// `Taken("identities.email")` when the address is registered; another column when the identity is linked.
pub async fn register(scope: &Scope, account: &NewAccount<'_>) -> Result<Option<Trial>, StoreError> {
    let (user, now) = (account.user.to_string(), account.now.as_millis());
    let person = PersonKey::of(account.email);
    let digest = Claimant::Person(&person).digest(account.product);
    let of_domain = Claimant::Domain(person.domain()).digest(account.product);
    // It leads to nobody: the claim stays when the account is deleted.
    let claim = crate::trials::claim_of_user(account.user, account.product);
    let db = TenantDb::of(scope, account.tenant)?;
    let (email, product) = (Param::Text(account.email.as_str()), Param::Text(account.product.as_str()));
    let identity = (ADD_IDENTITY, vec![email, Param::Text(&user)]);
    let elsewhere = account.tenant.shard() != Shard::FIRST;
    let mut writes = vec![
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
    let mut claimed = None;
    if let Some(trial) = account.trial {
        let (digest, claim, of_domain) = (Param::Text(&digest), Param::Text(&claim), Param::Text(&of_domain));
        let ends_at = Param::Int(trial.ends_at.as_millis());
        let started_at = Param::Int(trial.started_at.as_millis());
        if elsewhere {
            writes.push((ADD_SUBSCRIPTION, vec![Param::Text(&user), product, plan, started_at, started_at, ends_at]));
        } else {
            let provisional = Param::Int(i64::from(!account.email_verified));
            claimed = Some((CLAIM_TRIAL, vec![digest, claim, Param::Int(now), of_domain, provisional]));
            let row = vec![Param::Text(&user), product, plan, started_at, ends_at, digest, claim, of_domain];
            writes.push((ADD_TRIAL, row));
        }
    } else {
        let row = vec![Param::Text(&user), product, plan, Param::Int(now), Param::Null, Param::Null];
        writes.push((ADD_SUBSCRIPTION, row));
    }
    let id = account.identity.map(|identity| identity.id.to_string());
    if let (Some(identity), Some(id)) = (&account.identity, &id) {
        writes.push((provider_identities::ADD, provider_identities::values(identity, id, &user)));
    }
    if !elsewhere {
        writes.insert(0, identity);
        if let Some(claimed) = claimed {
            writes.insert(0, claimed);
        }
        db.batch(&writes).await?;
        // The claim came first: where it stands already, there is nothing left, or the rest of what somebody else began.
        let Some(trial) = account.trial else { return Ok(None) };
        let row = subscriptions::subscription(scope, account.tenant, account.user, account.product, None).await?;
        return Ok(Some(row.and_then(|row| row.trial()).unwrap_or(Trial::none_left(trial.started_at))));
    }
    let how = Param::Text(Arrival::Registered.as_str());
    writes.push((ARRIVED, vec![Param::Text(&user), how, Param::Int(now)]));
    db.batch(&writes).await?;
    let named = directory::add_identity(scope, account.tenant, account.user, account.email).await;
    if let Err(StoreError::Taken(_)) = &named {
        // The address is somebody's: what was made is removed; what stays is removed by schedule.
        let _ = personal::remove_tenant(&db).await;
    }
    named?;
    // A note that stays is settled by schedule.
    let _ = db.run(SETTLED, &[Param::Text(&user)]).await;
    let Some(trial) = account.trial else { return Ok(None) };
    // Claims are on the first shard: only an address that is nobody's has come this far.
    let claim = directory_trials::NewClaim { claim: &claim, provisional: !account.email_verified, now: account.now };
    directory_trials::claim(scope, &digest, &of_domain, &claim).await?;
    let by_domain = directory_trials::is_claimed(scope, &[(of_domain, false)]).await?;
    let since = directory_trials::claimed_since(scope, &digest, claim.claim).await?;
    if since == Some(account.now) {
        return Ok(Some(trial));
    }
    let ends_at = since.map_or(trial.started_at, |since| trial.rest_of_one_begun(since).ends_at);
    let params = [Param::Text(&user), product, by_domain.then_some("domain").into(), Param::Int(ends_at.as_millis())];
    db.run(END_TRIAL, &params).await?;
    Ok(Some(Trial { ends_at, ..trial }))
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
    /// The sign-in name, as it is stored.
    pub email: String,
    /// PHC string of argon2id.
    pub password_hash: String,
    /// 1 when a sign-in wants a second factor.
    pub second_factor: i64,
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

#[derive(Deserialize)]
struct PasswordHash {
    password_hash: String,
}

/// The stored hash of a user's password: to ask for it again.
pub async fn password_hash(scope: &Scope, tenant: TenantId, user: UserId) -> Result<Option<String>, StoreError> {
    let params = [Param::Text(&user.to_string())];
    let row: Option<PasswordHash> = TenantDb::of(scope, tenant)?.first(PASSWORD_HASH, &params).await?;
    Ok(row.map(|row| row.password_hash))
}
