//! What a tenant used beyond its soft limits is told to Stripe: the shell around [`tollgate_domain::overage`].

use serde::de::IgnoredAny;
use tollgate_api::Problem;
use tollgate_domain::{
    audit::{Action, Actor, Outcome},
    catalogue::Product,
    id::TenantId,
    meter::{Amounts, Entitlement, Terms},
    overage::{Answer, Claim, Current, MeteredPeriod, Step, event_name, follow},
    stripe_api::Form,
    subscription::{Paid, Status},
    time::Period,
};

use super::{customer::known_customer, held::load};
use crate::{
    Scope, audit, log,
    store::{self, StoreError},
    stripe::{Stripe, StripeError},
};

/// What a look at a product's overage has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// Events that Stripe has taken.
    pub taken: u32,
    /// Events that it does not take, and units that are lost.
    pub refused: u32,
    /// Events whose fate is not known.
    pub unknown: u32,
}

/// A tenant's product, and who pays for it.
struct Account<'a> {
    scope: &'a Scope,
    stripe: Stripe,
    tenant: TenantId,
    product: Product,
    customer: String,
}

/// Tells Stripe what was used beyond the soft limits of a tenant's product, of the plan or of a contract, since it was told last.
/// Can stop anywhere, be done again, and be done by two at once.
///
/// # Errors
/// 503 when the database does not answer, or Stripe is not configured. What Stripe does not take is in the answer.
pub async fn tell_overage(scope: &Scope, tenant: TenantId, product: Product) -> Result<Told, Problem> {
    let stripe = Stripe::of(scope)?;
    let Some(customer) = known_customer(scope, tenant).await? else { return Ok(Told::default()) };
    let account = Account { scope, stripe, tenant, product, customer };
    let held = load(scope, tenant, product, None).await?;
    let stored = store::overage::open(scope, tenant, product).await?;
    let current = current(&account, &held).await?;
    let open = stored.iter().map(|one| one.period.clone()).collect();
    let (mut told, mut sums) = (Told::default(), Vec::new());
    for period in follow(open, current.as_ref()) {
        let known =
            stored.iter().find(|it| it.period.meter == period.meter && it.period.period.start == period.period.start);
        let holder = (!period.pooled).then_some(held.user);
        let used = match sums.iter().find(|(of, pooled, _)| *of == period.period && *pooled == period.pooled) {
            Some((.., used)) => *used,
            None => store::overage::used(scope, tenant, product, holder, period.period).await?,
        };
        sums.push((period.period, period.pooled, used));
        let revision = known.map_or(0, |known| known.revision);
        let is_changed = known.is_none_or(|known| known.period != period);
        account.step(&period, used, (revision, is_changed), &mut told).await?;
    }
    Ok(told)
}

/// What runs and is billed: what the meter counts by.
async fn current(account: &Account<'_>, held: &super::Held) -> Result<Option<Current>, StoreError> {
    let status = held.subscription.paid.as_ref().map(Paid::standing);
    if !matches!(status, Some(Status::Active | Status::PastDue | Status::Cancelling)) {
        return Ok(None);
    }
    let row = store::subscription(account.scope, held.tenant, held.user, account.product, None).await?;
    Ok(match row.and_then(|row| row.entitlement(account.product)) {
        Some(Entitlement { limits, terms: terms @ Terms::Monthly { .. }, pooled, .. }) => {
            Some(Current { period: terms.period(account.scope.now()), limits, pooled })
        }
        _ => None,
    })
}

impl Account<'_> {
    async fn step(
        &self,
        period: &MeteredPeriod,
        used: Amounts,
        (revision, is_changed): (i64, bool),
        told: &mut Told,
    ) -> Result<(), StoreError> {
        let owner = format!("{}-{}", self.tenant, self.product);
        match period.step(used.get(period.meter), &owner, self.scope.now()) {
            Step::Rest | Step::Busy => {
                if is_changed {
                    self.store(period, revision, false).await?;
                }
            }
            Step::Close { lost } => {
                if self.store(period, revision, true).await? && lost > 0 {
                    told.refused += 1;
                    self.lost(period, lost, "Stripe did not take it in time").await;
                }
            }
            Step::GiveUp { next, amount } => {
                if self.store(&next, revision, false).await? {
                    told.refused += 1;
                    self.lost(period, amount, "what became of it cannot be found out any more").await;
                }
            }
            Step::Send(next) => {
                // Somebody else has changed it: what is right now, the next run finds out.
                if !self.store(&next, revision, false).await? {
                    return Ok(());
                }
                let Some(claim) = &next.claim else { return Ok(()) };
                let answer = self.send(&next, claim).await;
                match answer {
                    Answer::Taken => told.taken += 1,
                    Answer::Refused => told.refused += 1,
                    Answer::Unknown => told.unknown += 1,
                }
                // Should this fail, the claim is sent again, and Stripe knows it.
                self.store(&next.answered(answer, self.scope.now()), revision + 1, false).await?;
            }
        }
        Ok(())
    }

    async fn store(&self, period: &MeteredPeriod, revision: i64, closed: bool) -> Result<bool, StoreError> {
        store::overage::store(self.scope, self.tenant, self.product, period, revision, closed).await
    }

    async fn send(&self, period: &MeteredPeriod, claim: &Claim) -> Answer {
        let event = event_name(self.product, period.meter);
        let amount = claim.amount.to_string();
        let form = Form::new()
            .with("event_name", &event)
            .with("identifier", &claim.identifier)
            .with("timestamp", period.event_at(claim))
            .with_map("payload", [("stripe_customer_id", self.customer.as_str()), ("value", amount.as_str())]);
        // Another try is another request: Stripe keeps the answer to a key, and a refusal may have had a reason that is gone.
        // That the event counts once is due to its identifier.
        let key = format!("{}-{}-{}", claim.identifier, claim.since.as_millis(), claim.tries);
        match self.stripe.post::<IgnoredAny>("/v1/billing/meter_events", &form, &key).await {
            Ok(_) => Answer::Taken,
            Err(error) if error.is_known_event() => Answer::Taken,
            Err(StripeError::Refused { message, .. }) => {
                let text = format!(
                    "Stripe refuses overage of {} as {event}: {message} (npm run catalogue:push?)",
                    self.tenant
                );
                log::error("billing", &text, Some(self.scope));
                Answer::Refused
            }
            Err(StripeError::Unavailable) => Answer::Unknown,
        }
    }

    /// Units that nobody will be charged for.
    async fn lost(&self, period: &MeteredPeriod, units: u64, why: &str) {
        let Self { scope, tenant, product, .. } = self;
        let Period { start, .. } = period.period;
        let meter = period.meter;
        log::error(
            "billing",
            &format!("{units} {meter} of {tenant} {product} since {start} are not billed: {why}"),
            Some(scope),
        );
        let actor = Actor::System { function: "stripe-webhook".to_owned() };
        let entry = audit::entry(scope, actor, Action::BillingChange, "overage", None, Outcome::Failed)
            .with("product", product.as_str())
            .with("meter", meter.as_str())
            .with("period_start", &start.to_string())
            .with("not_billed", &units.to_string())
            .with("why", why);
        audit::record(scope, *tenant, &entry).await;
    }
}
