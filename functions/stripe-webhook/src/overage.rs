//! Overage, reported to Stripe: a page of all that is held, for `cron`.

use tollgate_domain::{
    catalogue::{Offer, PRODUCTS, Product, ProductEntry},
    id::TenantId,
    meter::{Limit, MeterName},
};
use tollgate_platform::{
    Problem, Scope,
    billing::{self, Place, Reported, Told},
    log,
    store::{self, directory_jobs, directory_jobs::HeldProduct},
    stripe::Stripe,
};

/// Products of one step.
const PAGE: u32 = 20;
/// After so many events without an answer Stripe is left alone for this time: each of them has taken most of a minute.
const PATIENCE: u32 = 2;

/// Reports a page. Of what Stripe refuses the log says why, and the others go on.
///
/// # Errors
/// When the database cannot be reached, or Stripe does not answer. What was reported until then stays so.
pub async fn report(scope: &Scope, from: Place) -> Result<Reported, Problem> {
    let shards: Vec<_> = store::shards(scope).collect();
    let mut reported = Reported { done: 0, failed: 0, next: None };
    let (Some(shard), Ok(_)) = (shards.get(from.shard), Stripe::of(scope)) else { return Ok(reported) };
    let after = from.after.unwrap_or_else(|| HeldProduct { tenant_id: String::new(), product: String::new() });
    let page = directory_jobs::with_overage(scope, *shard, &after, &soft_offers(), PAGE).await?;
    let mut unknown = 0;
    for held in &page {
        let told = match (held.tenant_id.parse::<TenantId>(), Product::parse(&held.product)) {
            (Ok(tenant), Some(product)) => billing::tell_overage(scope, tenant, product).await,
            _ => Err(Problem::internal()),
        };
        let told = told.unwrap_or_else(|problem| {
            log::error(
                "billing",
                &format!("overage of {} {}: {}", held.tenant_id, held.product, problem.detail),
                Some(scope),
            );
            Told { refused: 1, ..Told::default() }
        });
        reported.done += told.taken;
        reported.failed += told.refused + told.unknown;
        unknown += told.unknown;
        if unknown >= PATIENCE {
            return Err(Problem::dependency("stripe"));
        }
    }
    reported.next = match page.last().filter(|_| page.len() == PAGE as usize) {
        Some(last) => Some(Place { shard: from.shard, after: Some(last.clone()) }),
        None => (from.shard + 1 < shards.len()).then_some(Place { shard: from.shard + 1, after: None }),
    };
    Ok(reported)
}

/// The catalogue's offers with a soft limit, as the statement compares them.
fn soft_offers() -> Vec<String> {
    let is_soft =
        |offer: &&Offer| MeterName::ALL.into_iter().any(|meter| matches!(offer.limits.get(meter), Limit::Soft { .. }));
    let of = |entry: &'static ProductEntry| {
        let soft = entry.offers.iter().filter(is_soft);
        soft.map(|offer| format!("{} {} {}", entry.product, offer.plan, offer.version))
    };
    PRODUCTS.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_named_as_subscriptions_name_them() {
        assert_eq!(soft_offers(), ["chat enterprise 1"]);
    }
}
