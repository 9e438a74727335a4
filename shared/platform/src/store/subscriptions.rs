//! Which plan a user holds.

use serde::Deserialize;
use tollgate_domain::{
    catalogue::{Plan, Product, limits},
    id::{SessionId, TenantId, UserId},
    meter::{Entitlement, Limits, Terms},
    time::Timestamp,
    trial::Trial,
};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[SUBSCRIPTION];

const SUBSCRIPTION: Statement = Statement {
    name: "subscriptions.subscription",
    sql: "SELECT b.plan, b.version, b.anchor_at, b.trial_started_at, b.trial_ends_at, b.limits, \
                 CASE WHEN s.session_id IS NOT NULL AND s.revoked_at IS NULL THEN 1 ELSE 0 END AS session_stands \
          FROM subscriptions b \
          LEFT JOIN sessions s ON s.tenant_id = ?1 AND s.session_id = ?4 AND s.user_id = ?2 \
          WHERE b.tenant_id = ?1 AND b.product = ?3 AND (b.user_id = ?2 OR b.plan = 'teams') \
          ORDER BY b.plan <> 'teams' LIMIT 1",
};

/// A subscription's row.
#[derive(Debug, Clone, Deserialize)]
pub struct SubscriptionRow {
    /// The plan.
    pub plan: String,
    /// Rises with every change.
    pub version: i64,
    /// Milliseconds: when billing began.
    pub anchor_at: i64,
    /// Milliseconds.
    pub trial_started_at: Option<i64>,
    /// Milliseconds.
    pub trial_ends_at: Option<i64>,
    /// Limits that were agreed on beside the catalogue's, as JSON.
    pub limits: Option<String>,
    /// 1 while the session that asks stands.
    pub session_stands: i64,
}

impl SubscriptionRow {
    /// The trial, if there was one.
    pub fn trial(&self) -> Option<Trial> {
        let (start, end) = (self.trial_started_at?, self.trial_ends_at?);
        Some(Trial { started_at: Timestamp::from_millis(start), ends_at: Timestamp::from_millis(end) })
    }

    /// The limits of a contract of its own. Those that cannot be read do not count: the plan's then do.
    fn agreed_limits(&self) -> Option<Limits> {
        serde_json::from_str(self.limits.as_deref()?).ok()
    }

    /// What is pushed to the meter; `None` when the catalogue does not know the plan.
    pub fn entitlement(&self, product: Product) -> Option<Entitlement> {
        let plan = Plan::parse(&self.plan)?;
        let terms = match (plan, self.trial()) {
            (Plan::Trial, Some(trial)) => Terms::Trial(trial),
            _ => Terms::Monthly { anchor: Timestamp::from_millis(self.anchor_at) },
        };
        Some(Entitlement {
            version: self.version.unsigned_abs(),
            product,
            plan,
            limits: self.agreed_limits().or_else(|| limits(product, plan))?,
            terms,
            pooled: plan.is_pooled(),
            rate: None,
        })
    }
}

/// A user's subscription to a product, with the state of the session that asks.
pub async fn subscription(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    product: Product,
    session: SessionId,
) -> Result<Option<SubscriptionRow>, StoreError> {
    TenantDb::of(scope, tenant)?
        .first(
            SUBSCRIPTION,
            &[Param::Text(&user.to_string()), Param::Text(product.as_str()), Param::Text(&session.to_string())],
        )
        .await
}
