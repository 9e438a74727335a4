//! Which plan a user holds.

use serde::Deserialize;
use serde_json::{Map, Value};
use tollgate_domain::{
    catalogue::{Plan, Product, limits, offer},
    id::{SessionId, TenantId, UserId},
    meter::{Entitlement, Limits, RateLimit, Terms},
    time::Timestamp,
    trial::Trial,
};

use super::database::{Param, Statement, StoreError, TenantDb};
use crate::Scope;

/// Statements of this repository.
pub const STATEMENTS: &[Statement] = &[SUBSCRIPTION, PRODUCTS, RESTART_TRIAL];

// Only a registration's trial, while nothing else has taken its place.
const RESTART_TRIAL: Statement = Statement {
    name: "subscriptions.restart_trial",
    sql: "UPDATE subscriptions SET version = version + 1, anchor_at = ?4, trial_started_at = ?4, trial_ends_at = ?5 \
          WHERE tenant_id = ?1 AND user_id = ?2 AND product = ?3 AND plan = 'trial' AND trial_denied_by IS NULL \
            AND card_trial_ends_at IS NULL AND ended_at IS NULL",
};

const SUBSCRIPTION: Statement = Statement {
    name: "subscriptions.subscription",
    sql: "SELECT b.plan, b.plan_version, b.version, b.anchor_at, b.trial_started_at, b.trial_ends_at, b.ended_at, b.billing_status, b.limits, \
                 b.card_trial_ends_at, b.trial_denied_by, \
                 (SELECT u.email_verified FROM users u WHERE u.tenant_id = ?1 AND u.user_id = ?2) AS email_verified, \
                 CASE WHEN s.session_id IS NOT NULL AND s.revoked_at IS NULL THEN 1 ELSE 0 END AS session_stands \
          FROM subscriptions b \
          LEFT JOIN sessions s ON s.tenant_id = ?1 AND s.session_id = ?4 AND s.user_id = ?2 \
          WHERE b.tenant_id = ?1 AND b.product = ?3 AND (b.user_id = ?2 OR b.plan = 'teams') \
          ORDER BY b.plan <> 'teams' LIMIT 1",
};

const PRODUCTS: Statement = Statement {
    name: "subscriptions.products",
    sql: "SELECT DISTINCT product FROM subscriptions WHERE tenant_id = ?1",
};

/// A subscription's row.
#[derive(Debug, Clone, Deserialize)]
pub struct SubscriptionRow {
    /// The plan.
    pub plan: String,
    /// The version of the plan that was bought.
    pub plan_version: u32,
    /// Rises with every change.
    pub version: i64,
    /// Milliseconds: when billing began.
    pub anchor_at: i64,
    /// Milliseconds.
    pub trial_started_at: Option<i64>,
    /// Milliseconds.
    pub trial_ends_at: Option<i64>,
    /// Milliseconds: since when the plan is not paid any more.
    pub ended_at: Option<i64>,
    /// Where what was bought stands; `None` when nothing was.
    pub billing_status: Option<String>,
    /// What was agreed on beside the catalogue, as JSON: see [`Agreed`].
    pub limits: Option<String>,
    /// Milliseconds: until when a trial with a card runs.
    pub card_trial_ends_at: Option<i64>,
    /// `domain` where a registration began without a trial because its address is a company's.
    pub trial_denied_by: Option<String>,
    /// 0 while nobody has confirmed the user's address.
    pub email_verified: Option<i64>,
    /// 1 while the session that asks stands.
    pub session_stands: i64,
}

impl SubscriptionRow {
    /// The trial, if there was one.
    pub fn trial(&self) -> Option<Trial> {
        let (start, end) = (self.trial_started_at?, self.trial_ends_at?);
        Some(Trial { started_at: Timestamp::from_millis(start), ends_at: Timestamp::from_millis(end) })
    }

    /// The contract of its own. One that cannot be read does not count: the plan's limits then do.
    fn agreed(&self) -> Agreed {
        self.limits.as_deref().and_then(Agreed::read).unwrap_or_default()
    }

    /// What is pushed to the meter; `None` when the catalogue does not know the plan.
    pub fn entitlement(&self, product: Product) -> Option<Entitlement> {
        let plan = Plan::parse(&self.plan)?;
        let anchor = Timestamp::from_millis(self.anchor_at);
        let terms = match (self.ended_at, plan, self.trial()) {
            (Some(at), ..) => Terms::Ended { anchor, at: Timestamp::from_millis(at) },
            // A trial with a card is ended by Stripe, not by our clock.
            (None, Plan::Trial, Some(trial)) if self.card_trial_ends_at.is_none() => Terms::Trial(trial),
            _ => Terms::Monthly { anchor },
        };
        let bought = offer(product, plan, self.plan_version).map(|offer| offer.limits);
        let agreed = self.agreed();
        Some(Entitlement {
            version: self.version.unsigned_abs(),
            product,
            plan,
            limits: agreed.limits.or(bought).or_else(|| limits(product, plan))?,
            terms,
            pooled: plan.is_pooled(),
            rate: agreed.rate,
            confirmed: self.email_verified != Some(0),
        })
    }
}

/// A contract of its own: `{"requests":{"hard":1000},"tokens":"unlimited","rate":{"per_minute":60,"burst":10}}`.
///
/// Limits stand in for all of the plan's: a meter that they leave out is not included. A rate alone leaves the plan's
/// limits as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Agreed {
    limits: Option<Limits>,
    rate: Option<RateLimit>,
}

impl Agreed {
    fn read(text: &str) -> Option<Self> {
        let mut members: Map<String, Value> = serde_json::from_str(text).ok()?;
        let rate = members.remove("rate").map(serde_json::from_value).transpose().ok()?;
        let limits = if members.is_empty() { None } else { Some(serde_json::from_value(Value::Object(members)).ok()?) };
        Some(Self { limits, rate })
    }
}

/// A user's subscription to a product, with the state of the session that asks, where one does.
pub async fn subscription(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    product: Product,
    session: impl Into<Option<SessionId>>,
) -> Result<Option<SubscriptionRow>, StoreError> {
    let session = session.into().map(|session| session.to_string());
    TenantDb::of(scope, tenant)?
        .first(
            SUBSCRIPTION,
            &[Param::Text(&user.to_string()), Param::Text(product.as_str()), session.as_deref().into()],
        )
        .await
}

/// Begins a registration's trial anew; `false` when it is not one any more.
///
/// # Errors
/// When the database cannot be written.
pub async fn restart_trial(
    scope: &Scope,
    tenant: TenantId,
    user: UserId,
    product: Product,
    trial: Trial,
) -> Result<bool, StoreError> {
    let params = [
        Param::Text(&user.to_string()),
        Param::Text(product.as_str()),
        Param::Int(trial.started_at.as_millis()),
        Param::Int(trial.ends_at.as_millis()),
    ];
    Ok(TenantDb::of(scope, tenant)?.run(RESTART_TRIAL, &params).await? == 1)
}

#[derive(Deserialize)]
struct ProductRow {
    product: String,
}

/// The products that somebody in the tenant has or had.
///
/// # Errors
/// When the database cannot be read.
pub async fn products(scope: &Scope, tenant: TenantId) -> Result<Vec<Product>, StoreError> {
    let rows: Vec<ProductRow> = TenantDb::of(scope, tenant)?.all(PRODUCTS, &[]).await?;
    Ok(rows.iter().filter_map(|row| Product::parse(&row.product)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_domain::meter::Limit;

    fn entitlement(agreed: Option<&str>) -> Entitlement {
        let row = SubscriptionRow {
            plan: "pro".into(),
            plan_version: 1,
            version: 2,
            anchor_at: 0,
            trial_started_at: None,
            trial_ends_at: None,
            ended_at: None,
            billing_status: None,
            limits: agreed.map(str::to_owned),
            card_trial_ends_at: None,
            trial_denied_by: None,
            email_verified: None,
            session_stands: 1,
        };
        row.entitlement(Product::Agent).unwrap()
    }

    #[test]
    fn a_contract_may_set_limits_a_rate_or_both() {
        let plan = entitlement(None);
        assert_eq!((plan.limits, plan.rate), (limits(Product::Agent, Plan::Pro).unwrap(), None));
        let rate = Some(RateLimit { per_minute: 60, burst: 10 });
        let agreed = Limits { requests: Limit::Hard(5), tokens: Limit::Unlimited, emails: Limit::NotIncluded };

        let paced = entitlement(Some(r#"{"rate":{"per_minute":60,"burst":10}}"#));
        assert_eq!((paced.limits, paced.rate), (plan.limits, rate));
        let limited = entitlement(Some(r#"{"requests":{"hard":5},"tokens":"unlimited"}"#));
        assert_eq!((limited.limits, limited.rate), (agreed, None));
        let both =
            entitlement(Some(r#"{"requests":{"hard":5},"tokens":"unlimited","rate":{"per_minute":60,"burst":10}}"#));
        assert_eq!((both.limits, both.rate), (agreed, rate));
    }

    #[test]
    fn a_contract_that_cannot_be_read_does_not_count() {
        for text in ["", "[]", "{}", r#"{"rate":{"per_minute":60}}"#, r#"{"requests":-1,"rate":null}"#] {
            assert_eq!(entitlement(Some(text)), entitlement(None), "{text}");
        }
    }
}
