//! What billing keeps of a tenant: its customer, its states, its open checkouts.

use serde::Deserialize;
use tollgate_domain::{
    account::Role,
    audit::{Entry, Stored},
    catalogue::{Plan, Product},
    id::{TenantId, UserId},
    meter::{Entitlement, Terms},
    time::Timestamp,
};

use super::{
    audit::{self, AppendValues},
    database::{Param, Statement, StoreError, TenantDb},
};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[
    CUSTOMER,
    CLAIM_CUSTOMER,
    NAME_CUSTOMER,
    FORMER_CUSTOMERS,
    KEEP_FORMER_CUSTOMER,
    DROP_CHECKOUTS,
    DROP_CUSTOMER,
    CONTACT,
    OWNER,
    OWNERS,
    MEMBERS,
    STATES,
    HOLDER,
    CHANGED,
    PUT_STATE,
    PUT_SUBSCRIPTION,
    CARRIED_OUT,
    CHECKED,
    CHECKOUT,
    CLAIM_CHECKOUT,
    REPLACE_CHECKOUT,
    NAME_CHECKOUT,
    LEAVE_CHECKOUT,
];

const CUSTOMER: Statement = Statement {
    name: "billing.customer",
    sql: "SELECT claim, claimed_at, customer_id FROM billing_customers WHERE tenant_id = ?1",
};
const CLAIM_CUSTOMER: Statement = Statement {
    name: "billing.claim_customer",
    sql: "INSERT OR IGNORE INTO billing_customers (tenant_id, claim, claimed_at) VALUES (?1, ?2, ?3)",
};
// Whoever was first names it; the others made the same one.
const NAME_CUSTOMER: Statement = Statement {
    name: "billing.name_customer",
    sql: "UPDATE billing_customers SET customer_id = ?2 WHERE tenant_id = ?1 AND customer_id IS NULL",
};
const FORMER_CUSTOMERS: Statement = Statement {
    name: "billing.former_customers",
    sql: "SELECT customer_id FROM billing_former_customers WHERE tenant_id = ?1 ORDER BY until DESC, customer_id LIMIT 10",
};
// A customer is given up in one transaction, by whoever is first: what another one has begun with the next customer stays.
const KEEP_FORMER_CUSTOMER: Statement = Statement {
    name: "billing.keep_former_customer",
    sql: "INSERT OR IGNORE INTO billing_former_customers (tenant_id, customer_id, until) VALUES (?1, ?2, ?3)",
};
const DROP_CHECKOUTS: Statement = Statement {
    name: "billing.drop_checkouts",
    sql: "DELETE FROM billing_checkouts WHERE tenant_id = ?1 \
            AND EXISTS (SELECT 1 FROM billing_customers c WHERE c.tenant_id = ?1 AND c.customer_id = ?2)",
};
const DROP_CUSTOMER: Statement = Statement {
    name: "billing.drop_customer",
    sql: "DELETE FROM billing_customers WHERE tenant_id = ?1 AND customer_id = ?2",
};
const CONTACT: Statement = Statement {
    name: "billing.contact",
    sql: "SELECT u.email, t.name FROM users u JOIN tenants t ON t.tenant_id = ?1 WHERE u.tenant_id = ?1 AND u.user_id = ?2",
};
const OWNER: Statement = Statement {
    name: "billing.owner",
    sql: "SELECT email FROM users WHERE tenant_id = ?1 ORDER BY role <> 'owner', created_at, user_id LIMIT 1",
};
const OWNERS: Statement = Statement {
    name: "billing.owners",
    sql: "SELECT email, email_verified FROM users WHERE tenant_id = ?1 AND role = ?2",
};
const MEMBERS: Statement = Statement { name: "billing.members", sql: "SELECT user_id FROM users WHERE tenant_id = ?1" };
const STATES: Statement = Statement {
    name: "billing.states",
    sql: "SELECT product, user_id, revision, state, pending, later, subscription_id FROM billing_states WHERE tenant_id = ?1",
};
// Whose row follows what is bought: a team's, else that of who asks, else the first.
const HOLDER: Statement = Statement {
    name: "billing.holder",
    sql: "SELECT user_id, plan, seats, version, trial_started_at, trial_ends_at, anchor_at FROM subscriptions \
          WHERE tenant_id = ?1 AND product = ?2 ORDER BY plan <> 'teams', user_id <> coalesce(?3, ''), anchor_at, user_id LIMIT 1",
};
const CHANGED: Statement = Statement {
    name: "billing.changed",
    sql: "INSERT INTO billing_changes (tenant_id, product, revision, at) VALUES (?1, ?2, ?3, ?4)",
};
const PUT_STATE: Statement = Statement {
    name: "billing.put_state",
    sql: "INSERT INTO billing_states (tenant_id, product, user_id, revision, state, pending, later, subscription_id, due_at, checked_at) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
          ON CONFLICT (tenant_id, product) DO UPDATE SET user_id = excluded.user_id, revision = excluded.revision, \
            state = excluded.state, pending = excluded.pending, later = excluded.later, \
            subscription_id = excluded.subscription_id, due_at = excluded.due_at, checked_at = excluded.checked_at",
};
// The version rises with what the meters are told, above what others have told them in between.
const PUT_SUBSCRIPTION: Statement = Statement {
    name: "billing.put_subscription",
    sql: "INSERT INTO subscriptions (tenant_id, user_id, product, plan, plan_version, version, anchor_at, trial_started_at, \
            trial_ends_at, seats, ended_at, billing_status, card_trial_ends_at) \
          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?14) \
          ON CONFLICT (tenant_id, user_id, product) DO UPDATE SET plan = excluded.plan, plan_version = excluded.plan_version, \
            version = max(version + ?13, excluded.version), anchor_at = excluded.anchor_at, seats = excluded.seats, \
            ended_at = excluded.ended_at, billing_status = excluded.billing_status, \
            card_trial_ends_at = excluded.card_trial_ends_at",
};
const CARRIED_OUT: Statement = Statement {
    name: "billing.carried_out",
    sql: "UPDATE billing_states SET pending = NULL, due_at = ?4 WHERE tenant_id = ?1 AND product = ?2 AND revision = ?3",
};
const CHECKED: Statement = Statement {
    name: "billing.checked",
    sql: "UPDATE billing_states SET checked_at = ?3 WHERE tenant_id = ?1 AND product = ?2",
};
const CHECKOUT: Statement = Statement {
    name: "billing.checkout",
    sql: "SELECT claim, choice, claimed_at, session_id, closing_id FROM billing_checkouts WHERE tenant_id = ?1 AND product = ?2",
};
const CLAIM_CHECKOUT: Statement = Statement {
    name: "billing.claim_checkout",
    sql: "INSERT OR IGNORE INTO billing_checkouts (tenant_id, product, claim, choice, claimed_at) VALUES (?1, ?2, ?3, ?4, ?5)",
};
const REPLACE_CHECKOUT: Statement = Statement {
    name: "billing.replace_checkout",
    sql: "UPDATE billing_checkouts SET claim = ?4, choice = ?5, claimed_at = ?6, session_id = NULL, closing_id = ?7 \
          WHERE tenant_id = ?1 AND product = ?2 AND claim = ?3",
};
const NAME_CHECKOUT: Statement = Statement {
    name: "billing.name_checkout",
    sql: "UPDATE billing_checkouts SET session_id = ?4, closing_id = NULL WHERE tenant_id = ?1 AND product = ?2 AND claim = ?3",
};

const LEAVE_CHECKOUT: Statement = Statement {
    name: "billing.leave_checkout",
    sql: "UPDATE billing_checkouts SET claimed_at = claimed_at - ?4 \
          WHERE tenant_id = ?1 AND product = ?2 AND claim = ?3 AND session_id IS NULL",
};

/// A tenant's customer, or the claim to make one.
#[derive(Debug, Clone, Deserialize)]
pub struct CustomerRow {
    /// The idempotency key of the request that makes it.
    pub claim: String,
    /// Milliseconds.
    pub claimed_at: i64,
    /// `cus_...`, once it is made.
    pub customer_id: Option<String>,
}

/// The tenant's customer.
///
/// # Errors
/// When the database cannot be read.
pub async fn customer(scope: &Scope, tenant: TenantId) -> Result<Option<CustomerRow>, StoreError> {
    TenantDb::of(scope, tenant)?.first(CUSTOMER, &[]).await
}

/// Claims to make the customer; somebody else's claim stays.
///
/// # Errors
/// When the database cannot be written.
pub async fn claim_customer(scope: &Scope, tenant: TenantId, claim: &str) -> Result<(), StoreError> {
    let params = [Param::Text(claim), Param::Int(scope.now().as_millis())];
    TenantDb::of(scope, tenant)?.run(CLAIM_CUSTOMER, &params).await.map(drop)
}

/// Stores the customer that was made.
///
/// # Errors
/// When the database cannot be written, or another tenant has it.
pub async fn name_customer(scope: &Scope, tenant: TenantId, customer: &str) -> Result<(), StoreError> {
    TenantDb::of(scope, tenant)?.run(NAME_CUSTOMER, &[Param::Text(customer)]).await.map(drop)
}

#[derive(Deserialize)]
struct FormerRow {
    customer_id: String,
}

/// Customers that the tenant had before, the latest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn former_customers(scope: &Scope, tenant: TenantId) -> Result<Vec<String>, StoreError> {
    let rows: Vec<FormerRow> = TenantDb::of(scope, tenant)?.all(FORMER_CUSTOMERS, &[]).await?;
    Ok(rows.into_iter().map(|row| row.customer_id).collect())
}

/// Gives a customer up, with what is open for it; one that was given up before stays so.
///
/// # Errors
/// When the database cannot be written.
pub async fn give_up_customer(scope: &Scope, tenant: TenantId, customer: &str) -> Result<(), StoreError> {
    let (customer, now) = (Param::Text(customer), Param::Int(scope.now().as_millis()));
    let writes = [
        (KEEP_FORMER_CUSTOMER, vec![customer, now]),
        (DROP_CHECKOUTS, vec![customer]),
        (DROP_CUSTOMER, vec![customer]),
    ];
    TenantDb::of(scope, tenant)?.batch(&writes).await.map(drop)
}

/// Whom Stripe writes to.
#[derive(Debug, Clone, Deserialize)]
pub struct Contact {
    /// The address of who buys.
    pub email: String,
    /// The tenant's name.
    pub name: String,
}

/// Whom Stripe writes to.
///
/// # Errors
/// When the database cannot be read.
pub async fn contact(scope: &Scope, tenant: TenantId, user: UserId) -> Result<Option<Contact>, StoreError> {
    TenantDb::of(scope, tenant)?.first(CONTACT, &[Param::Text(&user.to_string())]).await
}

#[derive(Deserialize)]
struct OwnerRow {
    email: String,
}

/// The owner's address.
///
/// # Errors
/// When the database cannot be read.
pub async fn owner(scope: &Scope, tenant: TenantId) -> Result<Option<String>, StoreError> {
    let row: Option<OwnerRow> = TenantDb::of(scope, tenant)?.first(OWNER, &[]).await?;
    Ok(row.map(|row| row.email))
}

/// The addresses of everybody who owns the tenant.
///
/// # Errors
/// When the database cannot be read.
pub async fn owners(scope: &Scope, tenant: TenantId) -> Result<Vec<(String, bool)>, StoreError> {
    let rows: Vec<OwnersRow> = TenantDb::of(scope, tenant)?.all(OWNERS, &[Param::Text(Role::Owner.as_str())]).await?;
    Ok(rows.into_iter().map(|row| (row.email, row.email_verified != 0)).collect())
}

#[derive(Deserialize)]
struct OwnersRow {
    email: String,
    email_verified: i64,
}

#[derive(Deserialize)]
struct MemberRow {
    user_id: UserId,
}

/// Everybody in the tenant.
///
/// # Errors
/// When the database cannot be read.
pub async fn members(scope: &Scope, tenant: TenantId) -> Result<Vec<UserId>, StoreError> {
    let rows: Vec<MemberRow> = TenantDb::of(scope, tenant)?.all(MEMBERS, &[]).await?;
    Ok(rows.into_iter().map(|row| row.user_id).collect())
}

/// A state as it is stored.
#[derive(Debug, Clone, Deserialize)]
pub struct StateRow {
    /// The product.
    pub product: String,
    /// Whose row in `subscriptions` follows it.
    pub user_id: UserId,
    /// The number of its latest change.
    pub revision: i64,
    /// The state machine's state as JSON.
    pub state: String,
    /// Effects that are not carried out yet, as JSON.
    pub pending: Option<String>,
    /// A change that waits for the end of the period, as JSON.
    pub later: Option<String>,
    /// `sub_...`.
    pub subscription_id: Option<String>,
}

/// Every state of a tenant: one for each product that was ever bought.
///
/// # Errors
/// When the database cannot be read.
pub async fn states(scope: &Scope, tenant: TenantId) -> Result<Vec<StateRow>, StoreError> {
    TenantDb::of(scope, tenant)?.all(STATES, &[]).await
}

/// What a state begins with.
#[derive(Debug, Clone, Deserialize)]
pub struct HolderRow {
    /// Whose row it is.
    pub user_id: UserId,
    /// The plan.
    pub plan: String,
    /// Its seats.
    pub seats: u32,
    /// The version that the meters were told last.
    pub version: u64,
    /// Milliseconds.
    pub trial_started_at: Option<i64>,
    /// Milliseconds.
    pub trial_ends_at: Option<i64>,
    /// Milliseconds.
    pub anchor_at: i64,
}

/// The row that follows what is bought.
///
/// # Errors
/// When the database cannot be read.
pub async fn holder(
    scope: &Scope,
    tenant: TenantId,
    product: Product,
    user: Option<UserId>,
) -> Result<Option<HolderRow>, StoreError> {
    let user = user.map(|user| user.to_string());
    let params = [Param::Text(product.as_str()), user.as_deref().into()];
    TenantDb::of(scope, tenant)?.first(HOLDER, &params).await
}

/// A change of a state, with all that is stored along with it.
#[derive(Debug)]
pub struct Change<'a> {
    /// Whose.
    pub tenant: TenantId,
    /// Of what.
    pub product: Product,
    /// Whose row in `subscriptions` follows it.
    pub user: UserId,
    /// The number of this change.
    pub revision: i64,
    /// The state as JSON.
    pub state: &'a str,
    /// Effects to carry out, as JSON.
    pub pending: Option<&'a str>,
    /// A change that waits, as JSON.
    pub later: Option<&'a str>,
    /// `sub_...`.
    pub subscription_id: Option<&'a str>,
    /// When time alone changes something, or effects are tried again.
    pub due_at: Option<Timestamp>,
    /// What may be used from now on; its version is 0 when the meters know it.
    pub entitlement: Entitlement,
    /// The version of the plan that was bought.
    pub plan_version: u32,
    /// The team's seats.
    pub seats: u32,
    /// Where what was bought stands.
    pub status: Option<&'a str>,
    /// Until when it is a trial with a card.
    pub card_trial_ends_at: Option<Timestamp>,
    /// For the audit log, in order.
    pub audit: &'a [(Entry, Stored)],
}

/// Stores a change, all or nothing.
///
/// # Errors
/// `Taken` when somebody else changed the state, or wrote into the audit log, since they were read.
pub async fn commit(scope: &Scope, change: &Change<'_>) -> Result<(), StoreError> {
    let now = Param::Int(scope.now().as_millis());
    let (user, product) = (change.user.to_string(), Param::Text(change.product.as_str()));
    let revision = Param::Int(change.revision);
    let int = |at: Option<Timestamp>| at.map_or(Param::Null, |at| Param::Int(at.as_millis()));
    let (mut anchor, mut trial, mut ended) = (scope.now(), None, None);
    match change.entitlement.terms {
        Terms::Trial(it) => trial = Some(it),
        Terms::Monthly { anchor: it } => anchor = it,
        Terms::Ended { anchor: it, at } => (anchor, ended) = (it, Some(at)),
    }
    if let (Plan::Trial, Some(trial)) = (change.entitlement.plan, trial) {
        anchor = trial.started_at;
    }
    let appended: Vec<_> = change.audit.iter().map(|(entry, row)| AppendValues::of(entry, row)).collect();
    let mut writes = vec![
        (CHANGED, vec![product, revision, now]),
        (
            PUT_STATE,
            vec![
                product,
                Param::Text(&user),
                revision,
                Param::Text(change.state),
                change.pending.into(),
                change.later.into(),
                change.subscription_id.into(),
                int(change.due_at),
                now,
            ],
        ),
        (
            PUT_SUBSCRIPTION,
            vec![
                Param::Text(&user),
                product,
                Param::Text(change.entitlement.plan.as_str()),
                Param::Int(i64::from(change.plan_version)),
                Param::Int(i64::try_from(change.entitlement.version).unwrap_or(i64::MAX - 1)),
                Param::Int(anchor.as_millis()),
                int(trial.map(|trial| trial.started_at)),
                int(trial.map(|trial| trial.ends_at)),
                Param::Int(i64::from(change.seats)),
                int(ended),
                change.status.into(),
                Param::Int(i64::from(change.entitlement.version > 0)),
                int(change.card_trial_ends_at),
            ],
        ),
    ];
    writes.extend(appended.iter().map(|values| (audit::APPEND, values.params())));
    TenantDb::of(scope, change.tenant)?.batch(&writes).await.map(drop)
}

/// The effects of a change are carried out.
///
/// # Errors
/// When the database cannot be written.
pub async fn carried_out(
    scope: &Scope,
    tenant: TenantId,
    product: Product,
    revision: i64,
    due_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let due_at = due_at.map_or(Param::Null, |at| Param::Int(at.as_millis()));
    let params = [Param::Text(product.as_str()), Param::Int(revision), due_at];
    TenantDb::of(scope, tenant)?.run(CARRIED_OUT, &params).await.map(drop)
}

/// A state was compared with Stripe.
///
/// # Errors
/// When the database cannot be written.
pub async fn checked(scope: &Scope, tenant: TenantId, product: Product) -> Result<(), StoreError> {
    let params = [Param::Text(product.as_str()), Param::Int(scope.now().as_millis())];
    TenantDb::of(scope, tenant)?.run(CHECKED, &params).await.map(drop)
}

/// A checkout that was begun.
#[derive(Debug, Clone, Deserialize)]
pub struct CheckoutRow {
    /// The idempotency key of the request that opens it.
    pub claim: String,
    /// What was chosen, as JSON.
    pub choice: String,
    /// Milliseconds.
    pub claimed_at: i64,
    /// `cs_...`, once it is open.
    pub session_id: Option<String>,
    /// `cs_...`: what is to be closed before it is.
    pub closing_id: Option<String>,
}

/// The checkout of a tenant for a product.
///
/// # Errors
/// When the database cannot be read.
pub async fn checkout(scope: &Scope, tenant: TenantId, product: Product) -> Result<Option<CheckoutRow>, StoreError> {
    TenantDb::of(scope, tenant)?.first(CHECKOUT, &[Param::Text(product.as_str())]).await
}

/// Claims to open a checkout: in place of `instead`, whose session is closed first, or where there is none. Answers whether the claim stands.
///
/// # Errors
/// When the database cannot be written.
pub async fn claim_checkout(
    scope: &Scope,
    tenant: TenantId,
    product: Product,
    instead: Option<(&str, Option<&str>)>,
    (claim, choice): (&str, &str),
) -> Result<bool, StoreError> {
    let (product, claim, choice) = (Param::Text(product.as_str()), Param::Text(claim), Param::Text(choice));
    let now = Param::Int(scope.now().as_millis());
    let db = TenantDb::of(scope, tenant)?;
    let changed = match instead {
        Some((old, closing)) => {
            db.run(REPLACE_CHECKOUT, &[product, Param::Text(old), claim, choice, now, closing.into()]).await?
        }
        None => db.run(CLAIM_CHECKOUT, &[product, claim, choice, now]).await?,
    };
    Ok(changed == 1)
}

/// Stores the session that was opened under a claim.
///
/// # Errors
/// When the database cannot be written.
pub async fn name_checkout(
    scope: &Scope,
    tenant: TenantId,
    product: Product,
    (claim, session): (&str, &str),
) -> Result<(), StoreError> {
    let params = [Param::Text(product.as_str()), Param::Text(claim), Param::Text(session)];
    TenantDb::of(scope, tenant)?.run(NAME_CHECKOUT, &params).await.map(drop)
}

/// Leaves a claim that is not worked on any more to whoever comes next: it is made so old that nobody waits for it.
///
/// # Errors
/// When the database cannot be written.
pub async fn leave_checkout(
    scope: &Scope,
    tenant: TenantId,
    product: Product,
    claim: &str,
    by_ms: i64,
) -> Result<(), StoreError> {
    let params = [Param::Text(product.as_str()), Param::Text(claim), Param::Int(by_ms)];
    TenantDb::of(scope, tenant)?.run(LEAVE_CHECKOUT, &params).await.map(drop)
}
