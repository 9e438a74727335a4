//! Usage by the hour.

use tollgate_domain::{id::TenantId, time::Timestamp};
use tollgate_platform::{
    Scope, log,
    store::{
        self, StoreError, directory,
        usage_reports::{self, HOUR_MS},
    },
};

/// Hours asked for at a time, and hours of one run.
const HOURS_AT_ONCE: u32 = 100;
const HOURS_PER_RUN: u32 = 500;

/// Adds up hours that have ended and have changed since; says how many, and whether there are more.
///
/// # Errors
/// When a database cannot be reached. What was added up until then stays.
pub async fn run(scope: &Scope) -> Result<(u32, bool), StoreError> {
    let this_hour = Timestamp::from_millis(scope.now().as_millis().div_euclid(HOUR_MS) * HOUR_MS);
    let mut done = 0;
    for shard in store::shards(scope) {
        loop {
            let hours = directory::dirty_hours(scope, shard, this_hour, HOURS_AT_ONCE).await?;
            for dirty in &hours {
                match dirty.tenant_id.parse::<TenantId>() {
                    Ok(tenant) => usage_reports::roll_up(scope, tenant, dirty.hour).await?,
                    Err(_) => log::error("roll_up", "a tenant's id that is none", Some(scope)),
                }
                done += 1;
            }
            if hours.len() < HOURS_AT_ONCE as usize {
                break;
            }
            if done >= HOURS_PER_RUN {
                return Ok((done, true));
            }
        }
    }
    Ok((done, false))
}

/// Makes every hour count as changed.
///
/// # Errors
/// When a database cannot be reached.
pub async fn forget(scope: &Scope) -> Result<(), StoreError> {
    for shard in store::shards(scope) {
        directory::all_hours_dirty(scope, shard).await?;
    }
    Ok(())
}
