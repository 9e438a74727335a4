//! Shares of limits that were reached: told once for each, when the ledger's rows come.

use std::collections::BTreeMap;

use tollgate_domain::mail::Letter;
use tollgate_platform::{
    Problem, Scope,
    meter::{ExportBatch, MarkRow},
    notifications,
    store::notifications::readers,
};

/// Tells the user, or who looks after the team. Of several shares of a meter that were reached at once the largest is told.
/// The same rows again tell nobody again: the mark's place in its ledger is the event.
///
/// # Errors
/// 503 when the database or the queue does not answer.
pub async fn tell(scope: &Scope, batch: &ExportBatch) -> Result<(), Problem> {
    let mut largest: BTreeMap<_, &MarkRow> = BTreeMap::new();
    for mark in &batch.marks {
        let kept = largest.entry(mark.meter).or_insert(mark);
        if mark.percent >= kept.percent {
            *kept = mark;
        }
    }
    if largest.is_empty() {
        return Ok(());
    }
    let owner = &batch.owner;
    let url = format!("{}/subscription/plans", scope.settings().public_url);
    for reader in readers(scope, owner.tenant, owner.user).await? {
        for mark in largest.values() {
            let letter = Letter::QuotaWarning {
                product: owner.product,
                meter: mark.meter,
                percent: u64::from(mark.percent),
                used: mark.used,
                limit: mark.limit,
                is_team: owner.user.is_none(),
                upgrade_url: &url,
            };
            let event = format!("quota {} {} {}", owner.object_name(), mark.seq, reader.user_id);
            notifications::tell(scope, owner.tenant, event, &reader, &letter).await?;
        }
    }
    Ok(())
}
