//! A state, loaded and stored.

use serde::{Deserialize, Serialize};
use tollgate_api::Problem;
use tollgate_domain::{
    audit::{Entry, Stored, append},
    catalogue::{Interval, Plan, Product},
    id::{TenantId, UserId},
    subscription::{Effect, Subscription},
    time::Timestamp,
    trial::Trial,
};

use crate::{
    Scope, log,
    store::{
        self, StoreError,
        billing::{Change, HolderRow, StateRow},
    },
};

/// How long effects may take before they are tried again, in milliseconds.
const CARRY_OUT_MS: i64 = 60_000;

/// A change that waits for the end of the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Later {
    /// The plan.
    pub plan: Plan,
    /// How often it will be paid.
    pub interval: Interval,
    /// Its seats.
    pub seats: u32,
    /// When.
    pub at: Timestamp,
}

/// A state at one moment.
#[derive(Debug, Clone)]
pub struct Held {
    /// Whose.
    pub tenant: TenantId,
    /// Whose row in `subscriptions` follows it.
    pub user: UserId,
    /// The number of its latest change; 0 before the first.
    pub revision: i64,
    /// The state.
    pub subscription: Subscription,
    /// Effects that are not carried out yet.
    pub pending: Vec<Effect>,
    /// What waits for the end of the period.
    pub later: Option<Later>,
    /// A plan that nobody bought here, with its seats: it was agreed on with the operator, and billing leaves it alone.
    pub given: Option<(Plan, u32)>,
}

fn of_holder(product: Product, row: &HolderRow) -> Subscription {
    let trial = row
        .trial_started_at
        .zip(row.trial_ends_at)
        .map(|(start, end)| Trial { started_at: Timestamp::from_millis(start), ends_at: Timestamp::from_millis(end) });
    match trial {
        Some(trial) => Subscription::trial(product, trial, row.version),
        None => Subscription::none(product, row.version),
    }
}

fn of_state(tenant: TenantId, product: Product, row: &StateRow, version: u64) -> Option<Held> {
    let subscription: Subscription = serde_json::from_str(&row.state).ok()?;
    if subscription.product != product {
        return None;
    }
    Some(Held {
        tenant,
        user: row.user_id,
        revision: row.revision,
        subscription: subscription.above(version),
        pending: row.pending.as_deref().map(serde_json::from_str).transpose().ok()?.unwrap_or_default(),
        later: row.later.as_deref().map(serde_json::from_str).transpose().ok()?,
        given: None,
    })
}

/// Every state of a tenant that was stored.
///
/// # Errors
/// When the database cannot be read, or holds what no release has written.
pub async fn load_all(scope: &Scope, tenant: TenantId) -> Result<Vec<Held>, StoreError> {
    let mut all = Vec::new();
    for row in store::billing::states(scope, tenant).await? {
        let product = Product::parse(&row.product).ok_or(StoreError::Failed)?;
        let version =
            store::billing::holder(scope, tenant, product, Some(row.user_id)).await?.map_or(0, |row| row.version);
        all.push(of_state(tenant, product, &row, version).ok_or_else(|| {
            log::error("billing", &format!("a state of {tenant} cannot be read"), Some(scope));
            StoreError::Failed
        })?);
    }
    Ok(all)
}

/// What a tenant holds of a product. `asking` becomes the holder where nobody is; without one, somebody of the tenant's.
///
/// # Errors
/// When the database cannot be read, or nobody is in the tenant.
pub async fn load(
    scope: &Scope,
    tenant: TenantId,
    product: Product,
    asking: Option<UserId>,
) -> Result<Held, StoreError> {
    let stored = load_all(scope, tenant).await?.into_iter().find(|held| held.subscription.product == product);
    if let Some(held) = stored {
        return Ok(held);
    }
    let row = store::billing::holder(scope, tenant, product, asking).await?;
    let user = match (&row, asking) {
        (Some(row), _) => row.user_id,
        (None, Some(user)) => user,
        (None, None) => *store::billing::members(scope, tenant).await?.first().ok_or(StoreError::Failed)?,
    };
    let given = row.as_ref().and_then(|row| Some((Plan::parse(&row.plan)?, row.seats)));
    let given = given.filter(|(plan, _)| *plan != Plan::Trial);
    let subscription = row.map_or_else(|| Subscription::none(product, 0), |row| of_holder(product, &row));
    Ok(Held { tenant, user, revision: 0, subscription, pending: Vec::new(), later: None, given })
}

impl Held {
    /// The same after a change, stored with its audit entries; its effects wait to be carried out.
    ///
    /// # Errors
    /// `Taken` when somebody else was faster.
    pub async fn commit(
        &self,
        scope: &Scope,
        (next, effects): (Subscription, Vec<Effect>),
        later: Option<Later>,
        function: &str,
    ) -> Result<Self, StoreError> {
        let now = scope.now();
        let mut pending = self.pending.clone();
        let (mut entries, mut told) = (Vec::new(), false);
        for effect in effects {
            match effect {
                Effect::Audit(recorded) => entries.push(recorded.entry(function)),
                Effect::Duplicate { kept, other } => {
                    log::error("billing", &format!("{} pays twice: {kept} and {other}", self.tenant), Some(scope));
                    entries.push(duplicate(&kept, &other, function));
                }
                Effect::Operator { is_grave, text } => {
                    let text = format!("{}: {text}", self.tenant);
                    (if is_grave { log::error } else { log::warn })("billing", &text, Some(scope));
                }
                // In the row.
                Effect::Seats(_) => {}
                Effect::Push(_) => {
                    told = true;
                    pending.retain(|effect| !matches!(effect, Effect::Push(_)));
                    pending.push(effect);
                }
                Effect::Mail(_) | Effect::ClaimTrial { .. } | Effect::Renewal { .. } => pending.push(effect),
            }
        }
        let audit = self.chained(scope, entries).await?;
        let next_held = Self {
            revision: self.revision + 1,
            subscription: next,
            pending,
            later,
            tenant: self.tenant,
            user: self.user,
            given: None,
        };
        let subscription = &next_held.subscription;
        let mut entitlement = subscription.entitlement(now).ok_or(StoreError::Failed)?;
        if !told {
            entitlement.version = 0;
        }
        let json = |value: serde_json::Result<String>| value.map_err(|_| StoreError::Failed);
        let state = json(serde_json::to_string(subscription))?;
        let pending = json(serde_json::to_string(&next_held.pending))?;
        let later = later.map(|later| json(serde_json::to_string(&later))).transpose()?;
        let paid = subscription.paid.as_ref();
        let waits = !next_held.pending.is_empty();
        let change = Change {
            tenant: self.tenant,
            product: subscription.product,
            user: self.user,
            revision: next_held.revision,
            state: &state,
            pending: waits.then_some(pending.as_str()),
            later: later.as_deref(),
            subscription_id: paid.map(|paid| paid.id.as_str()),
            due_at: if waits { Some(now.plus_millis(CARRY_OUT_MS)) } else { subscription.due_at(now) },
            entitlement,
            plan_version: paid.map_or(1, |paid| paid.plan_version),
            seats: subscription.seats(now),
            status: paid.map(|paid| paid.standing().as_str()),
            card_trial_ends_at: subscription.card_trial_ends_at(now),
            audit: &audit,
        };
        store::billing::commit(scope, &change).await?;
        Ok(next_held)
    }

    async fn chained(&self, scope: &Scope, entries: Vec<Entry>) -> Result<Vec<(Entry, Stored)>, StoreError> {
        let mut chained = Vec::new();
        if entries.is_empty() {
            return Ok(chained);
        }
        let mut head = store::audit_head(scope, self.tenant).await?;
        for entry in entries {
            let (row, next) = append(head, &entry, scope.now()).ok_or(StoreError::Failed)?;
            head = next;
            chained.push((entry, row));
        }
        Ok(chained)
    }
}

fn duplicate(kept: &str, other: &str, function: &str) -> Entry {
    use tollgate_domain::audit::{Action, Actor, Outcome, Source, Target};
    let target = Target { kind: "subscription".to_owned(), id: Some(kept.to_owned()) };
    let actor = Actor::System { function: function.to_owned() };
    Entry::new(actor, Action::BillingChange, target, Source::default(), Outcome::Failed).with("duplicate", other)
}

/// A database that does not answer, as the client sees it.
impl From<StoreError> for super::Failure {
    fn from(_: StoreError) -> Self {
        Self::later(Problem::dependency("database"))
    }
}
